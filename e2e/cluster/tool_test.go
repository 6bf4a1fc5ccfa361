// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tools writes a tools folder with one tool in it.
func tools(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "spade"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "spade", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func spade(change ...func(*Tool)) Tool {
	tool := Tool{Name: "spade", Module: "example.com/spade", Package: ".", LinkFlags: "-X v=VERSION"}
	for _, c := range change {
		c(&tool)
	}
	return tool
}

func TestRecipeKey(t *testing.T) {
	base := map[string]string{"go.mod": "module x\n\nrequire example.com/spade v1.2.3\n", "go.sum": "a", "main.go": "package main"}
	with := func(name, text string) map[string]string {
		files := map[string]string{name: text}
		for n, old := range base {
			if n != name {
				files[n] = old
			}
		}
		return files
	}
	first, err := newRecipe(spade(), tools(t, base), "go1")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		tool   Tool
		files  map[string]string
		goVer  string
		same   bool
	}{
		"Same":     {reason: "The key must not depend on where the checkout is.", tool: spade(), files: base, goVer: "go1", same: true},
		"Compiler": {reason: "Another compiler makes another binary.", tool: spade(), files: base, goVer: "go2"},
		"Sum":      {reason: "Other dependencies make another binary.", tool: spade(), files: with("go.sum", "b"), goVer: "go1"},
		"Source":   {reason: "Other sources make another binary.", tool: spade(), files: with("main.go", "package main // x"), goVer: "go1"},
		"Flags":    {reason: "Other flags make another binary.", tool: spade(func(t *Tool) { t.Tags = "x" }), files: base, goVer: "go1"},
		"Static":   {reason: "Building without cgo makes another binary.", tool: spade(func(t *Tool) { t.Static = true }), files: base, goVer: "go1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := newRecipe(tc.tool, tools(t, tc.files), tc.goVer)
			if err != nil {
				t.Fatal(err)
			}
			if same := got.key == first.key; same != tc.same {
				t.Errorf("%s Keys %s and %s.", tc.reason, first.key, got.key)
			}
		})
	}
}

func TestGoArgs(t *testing.T) {
	r := recipe{tool: spade(func(t *Tool) { t.Tags = "a,b" }), version: "v1.2.3"}
	want := []string{"build", "-buildvcs=false", "-mod=readonly", "-o", "out", "-tags", "a,b", "-ldflags", "-X v=v1.2.3", "."}
	if diff := cmp.Diff(want, r.goArgs("out")); diff != "" {
		t.Errorf("Arguments of go (-want +got):\n%s", diff)
	}
}

func TestRequiredVersion(t *testing.T) {
	cases := map[string]struct{ reason, mod, want string }{
		"Line":    {reason: "A requirement may stand alone.", mod: "module x\nrequire a.b/c v1.0.0\n", want: "v1.0.0"},
		"Block":   {reason: "A requirement may be in a block.", mod: "require (\n\ta.b/c/d v9.9.9\n\ta.b/c v2.0.0 // indirect\n)\n", want: "v2.0.0"},
		"Missing": {reason: "A module that is not required has no version.", mod: "module x\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := requiredVersion(tc.mod, "a.b/c")
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%s Got %q, %v; want %q.", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestOwnerOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		name   string
		want   int
		ok     bool
	}{
		"Ours":   {reason: "The process id follows the prefix.", name: dirPrefix + "42-1234", want: 42, ok: true},
		"Others": {reason: "A folder without an id is not ours to remove.", name: dirPrefix + "x-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := ownerOf(tc.name)
			if got != tc.want || ok != tc.ok {
				t.Errorf("%s Got %d, %t; want %d, %t.", tc.reason, got, ok, tc.want, tc.ok)
			}
		})
	}
}
