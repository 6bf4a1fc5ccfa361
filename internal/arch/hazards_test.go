// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// page is one that says for each of its rows which tests hold it.
type page struct {
	path string
	// rows counts them by their letter.
	rows map[string]int
}

var (
	hazards = page{"docs/design/0003-hazards.md", map[string]int{"A": 35, "B": 38}}
	badData = page{"docs/design/0005-judging-counts.md", map[string]int{"D": 16}}
)

// claim is a test that the page names, such as `internal/world TestFaults/StaleCaches`.
var claim = regexp.MustCompile("`([a-z0-9/]+) ((?:Test|Fuzz|Run)[A-Za-z0-9]*)(?:/([^`]+))?`")

// TestHazards: every hazard, and every way in which data can be bad, is told of,
// and every test that is named with it exists.
func TestHazards(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, p := range []page{hazards, badData} {
		text, err := os.ReadFile(filepath.Join(root, p.path))
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range p.complaints(root, string(text)) {
			t.Error(complaint)
		}
	}
}

// TestHazardsAreMissed has pages that lack something, so that the check is seen to fail.
func TestHazardsAreMissed(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, hazards.path))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ reason, old, with, want string }{
		"row":    {"a hazard that nobody tells of", "| A13 |", "| - |", "row A13 is missing"},
		"folder": {"a package that is gone", "`internal/kube TestPatch", "`internal/cube TestPatch", "internal/cube"},
		"test":   {"a test that was renamed", "TestNewerRevision/At5`", "TestOlderRevision/At5`", "no test TestOlderRevision"},
		"case":   {"a case that was renamed", "TestNewerRevision/At5`", "TestNewerRevision/At6`", `has no case "At6"`},
		"words":  {"a row that says nothing", "| nothing here writes an HPA", "|  | nothing", "row B34 names neither a test nor a reason"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(string(page), test.old, test.with, 1)
			if broken == string(page) {
				t.Fatalf("the page does not contain %q", test.old)
			}
			if got := strings.Join(hazards.complaints(root, broken), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("%s: want a complaint with %q, got %q", test.reason, test.want, got)
			}
		})
	}
}

// complaints lists what is wrong with the page.
func (p page) complaints(root, text string) []string {
	var found []string
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 5 {
			continue
		}
		name := strings.TrimSpace(cells[1])
		if _, twice := rows[name]; twice && name != "#" && name != "---" {
			found = append(found, fmt.Sprintf("%s: row %s is there twice", p.path, name))
		}
		rows[name] = strings.TrimSpace(cells[3])
	}
	for _, name := range p.names() {
		switch held, ok := rows[name]; {
		case !ok:
			found = append(found, fmt.Sprintf("%s: row %s is missing", p.path, name))
		case held == "":
			found = append(found, fmt.Sprintf("%s: row %s names neither a test nor a reason", p.path, name))
		default:
			for _, c := range claim.FindAllStringSubmatch(held, -1) {
				if err := exists(root, c[1], c[2], c[3]); err != nil {
					found = append(found, fmt.Sprintf("%s: row %s: %v", p.path, name, err))
				}
			}
		}
	}
	return found
}

func (p page) names() []string {
	var names []string
	for _, letter := range slices.Sorted(maps.Keys(p.rows)) {
		for i := range p.rows[letter] {
			names = append(names, letter+strconv.Itoa(i+1))
		}
	}
	return names
}

// exists looks for a test function in a folder and, in the file that has it,
// for the name of its case. Cases that are files are looked for in testdata.
func exists(root, folder, test, name string) error {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("folder %s has no Go files", folder)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !declares(file, test) {
			continue
		}
		_, err = os.Stat(filepath.Join(root, folder, "testdata", name+".in.yaml"))
		if name == "" || err == nil || says(file, name) {
			return nil
		}
		return fmt.Errorf("%s of %s has no case %q", test, folder, name)
	}
	return fmt.Errorf("no test %s in %s", test, folder)
}

func declares(file *ast.File, function string) bool {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == function {
			return true
		}
	}
	return false
}

// says reports whether a file has a string as the key of a map.
func says(file *ast.File, text string) bool {
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.BasicLit); ok && key.Value == strconv.Quote(text) {
				found = true
			}
		}
		return !found
	})
	return found
}
