// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// module is the import path that all of our packages begin with.
const module = "github.com/sluice-dev/sluice"

// check returns one sentence for each broken rule, in the order of the files.
func check(files []file) []string {
	var broken []string
	for _, f := range files {
		if rowOf(f.pkg) < 0 {
			broken = append(broken, fmt.Sprintf("%s: package %s has no row in internal/arch/arrows_test.go", f.name, f.pkg))
			continue
		}
		for _, path := range f.imports {
			broken = append(broken, checkImport(f, path)...)
		}
		broken = append(broken, checkClock(f)...)
	}
	return broken
}

// rowOf returns the index of the row that counts for a package, or -1.
func rowOf(pkg string) int {
	return slices.IndexFunc(arrows, func(a arrow) bool { return matches(a.from, pkg) })
}

func checkImport(f file, path string) []string {
	if target, ours := strings.CutPrefix(path, module+"/"); ours {
		return checkArrow(f, target)
	}
	if f.test {
		return nil
	}
	var broken []string
	for _, b := range outside {
		banned := func(prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }
		if matches(b.in, f.pkg) && slices.ContainsFunc(strings.Fields(b.imports), banned) {
			broken = append(broken, fmt.Sprintf("%s imports %s: %s", f.name, path, b.why))
		}
	}
	return broken
}

func checkArrow(f file, target string) []string {
	if f.pkg == target {
		return nil // a package's own external tests
	}
	row := arrows[rowOf(f.pkg)]
	switch {
	case f.test && slices.ContainsFunc(inTests, func(a arrow) bool { return matches(a.from, f.pkg) && matches(a.to, target) }):
		return nil
	case !f.test && matches(testKit, target) && !matches(testKitUsers, f.pkg):
		return []string{fmt.Sprintf("%s imports %s: only tests may use the test kit", f.name, target)}
	case !matches(row.to, target):
		return []string{fmt.Sprintf("%s imports %s: %s may import of ours: %s", f.name, target, f.pkg, orNothing(row.to))}
	}
	return nil
}

// checkClock reports every mention of a clock function, called or not.
func checkClock(f file) []string {
	if f.test || !matches(pure, f.pkg) {
		return nil
	}
	var broken []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		qualifier, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		if slices.Contains(strings.Fields(clocks[f.importPath(qualifier.Name)]), selector.Sel.Name) {
			broken = append(broken, fmt.Sprintf("%s mentions %s.%s: a pure package gets the time as an argument",
				f.at(n), qualifier.Name, selector.Sel.Name))
		}
		return true
	})
	for path := range clocks {
		if f.aliases["."] == path {
			broken = append(broken, fmt.Sprintf("%s imports %s with a dot, which hides its clock", f.name, path))
		}
	}
	return broken
}

// matches reports whether a path fits one of the patterns, which spaces separate.
func matches(patterns, path string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(pattern string) bool {
		below, wild := strings.CutSuffix(pattern, "*")
		return pattern == path || wild && strings.HasPrefix(path, below)
	})
}

func orNothing(patterns string) string {
	if patterns == "" {
		return "nothing"
	}
	return patterns
}

// linked gives every package of ours that a program is built from, tests left out.
func linked(files []file, program string) []string {
	all := []string{program}
	for i := 0; i < len(all); i++ {
		for _, f := range files {
			if f.pkg != all[i] || f.test {
				continue
			}
			for _, path := range f.imports {
				if target, ours := strings.CutPrefix(path, module+"/"); ours && !slices.Contains(all, target) {
					all = append(all, target)
				}
			}
		}
	}
	return all
}
