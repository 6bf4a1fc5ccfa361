// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"slices"
)

// The budgets. Functions, complexity and nesting are counted by golangci-lint.
const (
	maxLines   = 400
	maxMethods = 15
	maxParams  = 5
)

// check returns a sentence for each budget that is passed, in a stable order.
func check(sources []source) []string {
	var passed []string
	for _, s := range sources {
		if s.lines > maxLines {
			passed = append(passed, fmt.Sprintf("%s: %d lines, at most %d", s.name, s.lines, maxLines))
		}
		passed = append(passed, checkParams(s)...)
		passed = append(passed, checkAssignments(s)...)
	}
	return append(passed, checkMethods(sources)...)
}

// checkParams counts parameters wherever a function's shape is written down:
// functions, methods, interfaces and literals.
func checkParams(s source) []string {
	var passed []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if shape, ok := n.(*ast.FuncType); ok && shape.Params.NumFields() > maxParams {
			passed = append(passed, fmt.Sprintf("%s: %d parameters, at most %d", s.at(n.Pos()), shape.Params.NumFields(), maxParams))
		}
		return true
	})
	return passed
}

// checkMethods counts a type's methods over all files of its package.
func checkMethods(sources []source) []string {
	count := map[string]int{}
	for _, s := range sources {
		for _, decl := range s.syntax.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				count[s.folder()+"."+typeName(f.Recv.List[0].Type)]++
			}
		}
	}
	var passed []string
	for name, methods := range count {
		if methods > maxMethods {
			passed = append(passed, fmt.Sprintf("%s: %d methods, at most %d", name, methods, maxMethods))
		}
	}
	slices.Sort(passed)
	return passed
}

// typeName returns the name of a possibly generic type or of what it points to.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	}
	return ""
}
