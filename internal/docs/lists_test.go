// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/config/crd"
)

// constants gives the text constants of package v1alpha1 whose names begin so.
func constants(t *testing.T, prefix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "apis", "v1alpha1", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, value)
			}
			return true
		})
	}
	if len(all) == 0 {
		t.Fatalf("there is no constant %s…", prefix)
	}
	return all
}

// TestTroubleshootingNamesEveryReason: whatever a Rollout waits for, the page
// says what that is and what to do.
func TestTroubleshootingNamesEveryReason(t *testing.T) {
	p := read(t, "docs/guide/troubleshooting.md")
	told := map[string][]string{}
	for _, cells := range p.rows() {
		for _, name := range quoted(cells[0]) {
			told[name] = cells
		}
	}
	known := slices.Concat(constants(t, "Reason"), constants(t, "Condition"), constants(t, "Phase"))
	for _, reason := range known {
		cells, ok := told[reason]
		switch {
		case !ok:
			t.Errorf("%s: no row for %s", p.path, reason)
		case len(cells) < 3 || slices.Contains(cells, ""):
			t.Errorf("%s: the row of %s lacks what it means or what to do: %q", p.path, reason, cells)
		}
	}
	for name := range told {
		if regexp.MustCompile(`^[A-Z][A-Za-z]+$`).MatchString(name) && !slices.Contains(known, name) {
			t.Errorf("%s: there is no condition, reason or phase %s", p.path, name)
		}
	}
}

// TestPluginPageNamesEveryVerb: no command is a secret.
func TestPluginPageNamesEveryVerb(t *testing.T) {
	text := read(t, "docs/kubectl-plugin.md").text
	for _, verb := range constants(t, "Verb") {
		if name, full := strings.CutSuffix(verb, "-full"); !strings.Contains(text, "`"+name) && !full {
			t.Errorf("docs/kubectl-plugin.md says nothing of %s", verb)
		}
	}
}

// schema is a part of a definition.
type schema struct {
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties any               `json:"additionalProperties"`
	Preserve             bool              `json:"x-kubernetes-preserve-unknown-fields"`
}

// has reports whether a path such as spec.steps[].pause leads to a field.
func (s schema) has(path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		field, list := strings.CutSuffix(name, "[]")
		next, ok := s.Properties[field]
		switch {
		case s.Preserve || s.AdditionalProperties != nil:
			return true
		case !ok || list && next.Items == nil:
			return false
		case list:
			next = *next.Items
		}
		s = next
	}
	return true
}

func definition(t *testing.T, plural string) schema {
	t.Helper()
	raw, err := crd.Files.ReadFile("sluice.dev_" + plural + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Spec struct {
			Versions []struct {
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	if err := yaml.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// TestFieldsExist: the tables of those who come from elsewhere name fields that there are.
func TestFieldsExist(t *testing.T) {
	rollout := definition(t, "rollouts")
	path := regexp.MustCompile(`^(spec|status|canary|blueGreen)\.[A-Za-z0-9.\[\]]+$`)
	for _, name := range []string{"docs/guide/from-argo-rollouts.md", "docs/guide/from-flagger.md", "docs/guide/deadlines.md", "docs/guide/gates.md", "docs/guide/blue-green.md"} {
		seen := 0
		for _, cells := range read(t, name).rows() {
			where := cells[0]
			if strings.Contains(name, "from-") && len(cells) > 1 {
				where = cells[1]
			}
			for _, field := range quoted(where) {
				if !path.MatchString(field) {
					continue
				}
				seen++
				full := field
				if !strings.HasPrefix(field, "spec.") && !strings.HasPrefix(field, "status.") {
					full = "spec.strategy." + field
				}
				if !rollout.has(full) {
					t.Errorf("%s: a Rollout has no field %s", name, full)
				}
			}
		}
		if seen < 4 {
			t.Errorf("%s: only %d fields were found in its tables", name, seen)
		}
	}
	if rollout.has("spec.strategy.canary.steps[].setWait") || rollout.has("spec.strategy.canary.steps[].pause.till") {
		t.Error("a field is found that there is not")
	}
}
