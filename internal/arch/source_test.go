// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// file is one Go file of the module. All files count, whatever their build
// tags, so that no platform or tier can hide an import.
type file struct {
	name    string            // below the module's root
	pkg     string            // folder below the module's root
	test    bool              // name ends in _test.go
	imports []string          // paths, as written
	aliases map[string]string // explicit import name to path
	syntax  *ast.File
	fset    *token.FileSet
}

// importPath returns what a qualifier stands for, or "" when it is no import.
func (f file) importPath(qualifier string) string {
	if p, ok := f.aliases[qualifier]; ok {
		return p
	}
	for _, p := range f.imports {
		if path.Base(p) == qualifier {
			return p
		}
	}
	return ""
}

func (f file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.fset.Position(n.Pos()).Line)
}

// load parses every Go file of the module at the root of fsys. Nested modules,
// testdata and hidden folders are not part of it.
func load(fsys fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && !ours(fsys, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		f, err := parse(fsys, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func ours(fsys fs.FS, dir string) bool {
	if dir == "." {
		return true
	}
	base := path.Base(dir)
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return false
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err != nil
}

func parse(fsys fs.FS, name string) (file, error) {
	f := file{name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), aliases: map[string]string{}}
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return f, fmt.Errorf("reading %s: %w", name, err)
	}
	f.fset = token.NewFileSet()
	if f.syntax, err = parser.ParseFile(f.fset, name, source, parser.SkipObjectResolution); err != nil {
		return f, fmt.Errorf("parsing %s: %w", name, err)
	}
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return f, fmt.Errorf("reading the imports of %s: %w", name, err)
		}
		f.imports = append(f.imports, p)
		if spec.Name != nil {
			f.aliases[spec.Name.Name] = p
		}
	}
	return f, nil
}
