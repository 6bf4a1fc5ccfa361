// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

func catalogue(t *testing.T) Catalogue {
	t.Helper()
	s, err := NewSchedules()
	if err != nil {
		t.Fatal(err)
	}
	return s.catalogue
}

// TestScenarios compares what happens in each scenario with its transcript.
// Whoever changes the planner shows by the difference what users will notice.
func TestScenarios(t *testing.T) {
	c := catalogue(t)
	all := scenarios()
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			w, h := s.stage(t, c, true, nil)
			if err := s.play(w, h); err != nil {
				t.Errorf("%v\n%s", err, strings.Join(w.lines, "\n"))
			}
			got := "# " + name + ": " + s.tells + "\n" + strings.Join(w.lines, "\n") + "\n"
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stored, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(stored), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("differs from %s; if that is meant, run the test with -update (-stored +now):\n%s", path, diff)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".golden"); !slices.Contains(slices.Collect(maps.Keys(all)), name) {
			t.Errorf("%s belongs to no scenario; delete it", f)
		}
	}
}
