// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// checkAssignments reports assignments to anything inside a reconciler that a
// function received. A reconciler is a type whose name ends in Reconciler; what
// it remembers between passes belongs into the cluster.
func checkAssignments(s source) []string {
	var passed []string
	for _, decl := range s.syntax.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		reconcilers := reconcilersOf(f)
		ast.Inspect(f.Body, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if name, inside := root(target); inside && reconcilers[name] {
					passed = append(passed, fmt.Sprintf("%s: assigns to a field of reconciler %s after construction", s.at(target.Pos()), name))
				}
			}
			return true
		})
	}
	return passed
}

// reconcilersOf returns the names under which a function receives reconcilers.
func reconcilersOf(f *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	lists := []*ast.FieldList{f.Recv, f.Type.Params}
	for _, list := range lists {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			if !strings.HasSuffix(typeName(field.Type), "Reconciler") {
				continue
			}
			for _, name := range field.Names {
				names[name.Name] = true
			}
		}
	}
	return names
}

// targets returns what a statement assigns to.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	}
	return nil
}

// root returns the variable that an expression starts from, and whether the
// expression reaches into it.
func root(e ast.Expr) (name string, inside bool) {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name, false
	case *ast.SelectorExpr:
		name, _ = root(e.X)
	case *ast.IndexExpr:
		name, _ = root(e.X)
	case *ast.StarExpr:
		name, _ = root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return name, true
}
