// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheMapIsComplete: the package's comment names each file, and no file that is not there.
func TestTheMapIsComplete(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"doc.go": true}
	for _, name := range regexp.MustCompile(`\b[a-z]+\.go\b`).FindAllString(string(text), -1) {
		named[name] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !named[file] {
			t.Errorf("doc.go does not say what %s is for", file)
		}
		delete(named, file)
	}
	for name := range named {
		t.Errorf("doc.go names %s, which does not exist", name)
	}
}
