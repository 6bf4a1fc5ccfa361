// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// unlisted gives the folders of routers, or providers, that the named list in wiring.go does not call.
func unlisted(t *testing.T, folders fs.FS, wiring []byte, list string, shared ...string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "wiring.go", wiring, 0)
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != list {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok {
					if p, ok := s.X.(*ast.Ident); ok {
						called[p.Name] = true
					}
				}
			}
			return true
		})
	}
	entries, err := fs.ReadDir(folders, ".")
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(shared, e.Name()) && !called[e.Name()] {
			missing = append(missing, e.Name())
		}
	}
	return missing
}

func TestEveryRouterIsListed(t *testing.T) {
	wiring, err := os.ReadFile("wiring.go")
	if err != nil {
		t.Fatal(err)
	}
	shared := []string{"traffic", "routertest"}
	if got := unlisted(t, os.DirFS("../../routers"), wiring, "routerEntries", shared...); len(got) > 0 {
		t.Errorf("routers/%s is missing in routerEntries of wiring.go; add its Entry", strings.Join(got, ", routers/"))
	}
	// What the test is worth: a folder without its line, and a line taken out.
	planted := fstest.MapFS{"gatewayapi/doc.go": {}, "traffic/doc.go": {}, "smoke/doc.go": {}}
	if diff := cmp.Diff([]string{"smoke"}, unlisted(t, planted, wiring, "routerEntries", shared...)); diff != "" {
		t.Errorf("a planted folder (-want, +got):\n%s", diff)
	}
	without := strings.ReplaceAll(string(wiring), "gatewayapi.", "elsewhere.")
	if diff := cmp.Diff([]string{"gatewayapi", "smoke"}, unlisted(t, planted, []byte(without), "routerEntries", shared...)); diff != "" {
		t.Errorf("a line taken out (-want, +got):\n%s", diff)
	}
}

func TestEveryProviderIsListed(t *testing.T) {
	wiring, err := os.ReadFile("wiring.go")
	if err != nil {
		t.Fatal(err)
	}
	shared := []string{"endpoint", "judge", "lokitest", "presets", "promqltest", "providertest", "schedule", "stats"}
	if got := unlisted(t, os.DirFS("../../analysis"), wiring, "providerEntries", shared...); len(got) > 0 {
		t.Errorf("analysis/%s is missing in providerEntries of wiring.go; add its Entry", strings.Join(got, ", analysis/"))
	}
	planted := fstest.MapFS{"prometheus/doc.go": {}, "web/doc.go": {}, "judge/doc.go": {}, "graphite/doc.go": {}}
	if diff := cmp.Diff([]string{"graphite"}, unlisted(t, planted, wiring, "providerEntries", shared...)); diff != "" {
		t.Errorf("a planted folder (-want, +got):\n%s", diff)
	}
	without := strings.ReplaceAll(string(wiring), "web.", "elsewhere.")
	if diff := cmp.Diff([]string{"graphite", "web"}, unlisted(t, planted, []byte(without), "providerEntries", shared...)); diff != "" {
		t.Errorf("a line taken out (-want, +got):\n%s", diff)
	}
}

func TestHostsOf(t *testing.T) {
	for reason, tc := range map[string]struct {
		list string
		want []string
		ok   bool
	}{
		"everything is allowed":            {"", nil, true},
		"spaces do no harm":                {"prometheus:9090, *.example.com,", []string{"prometheus:9090", "*.example.com"}, true},
		"a URL would match never":          {"http://prometheus:9090", nil, false},
		"IPv6 has colons itself":           {"[2001:db8::1]:9090,[::1]", []string{"[2001:db8::1]:9090", "[::1]"}, true},
		"a list of nothing allows nothing": {" , ", nil, false},
		"a star alone matches never":       {"*", nil, false},
		"nor does one within":              {"prom*.example.com", nil, false},
		"a port that is none":              {"prometheus:http", nil, false},
		"a colon without a port":           {"prometheus:", nil, false},
		"a port too high":                  {"prometheus:99999", nil, false},
		"too many colons":                  {"prometheus:9090:9091", nil, false},
		"an address without brackets":      {"2001:db8::1:9090", nil, false},
	} {
		got, err := hostsOf(tc.list)
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != tc.ok {
			t.Errorf("%s: error %v; -want +got:\n%s", reason, err, diff)
		}
	}
}
