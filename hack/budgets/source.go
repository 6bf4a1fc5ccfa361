// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// source is one hand-written Go file that is no test.
type source struct {
	name   string
	lines  int
	syntax *ast.File
	fset   *token.FileSet
}

// folder identifies the package that the file is part of.
func (s source) folder() string { return path.Dir(s.name) }

func (s source) at(p token.Pos) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(p).Line)
}

func load(fsys fs.FS) ([]source, error) {
	var sources []source
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		s, err := parse(fsys, name)
		if err == nil && !ast.IsGenerated(s.syntax) {
			sources = append(sources, s)
		}
		return err
	})
	return sources, err
}

func skipped(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || base == "node_modules" || dir == "bin" || dir == "out" ||
		dir != "." && strings.HasPrefix(base, ".")
}

func parse(fsys fs.FS, name string) (source, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return source{}, fmt.Errorf("reading %s: %w", name, err)
	}
	s := source{name: name, lines: bytes.Count(text, []byte("\n")), fset: token.NewFileSet()}
	s.syntax, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parsing %s: %w", name, err)
	}
	return s, nil
}
