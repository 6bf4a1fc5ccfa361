// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// rule is one alert of the sample.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// TestAlerts: the sample's expressions are PromQL over metrics that the page
// explains and labels that exist, and the page explains every alert.
func TestAlerts(t *testing.T) {
	var file struct {
		Spec struct{ Groups []struct{ Rules []rule } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/monitoring/prometheusrule.yaml").text), &file); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, cells := range read(t, "docs/guide/alerts.md").rows() {
		for _, name := range quoted(cells[0]) {
			told[name] = true
		}
	}
	seen := 0
	for _, group := range file.Spec.Groups {
		for _, r := range group.Rules {
			seen++
			if !told[r.Alert] {
				t.Errorf("docs/guide/alerts.md does not tell of %s", r.Alert)
			}
			delete(told, r.Alert)
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s lacks severity, summary or description", r.Alert)
			}
			checkExpression(t, r, told)
		}
	}
	for name := range told {
		if strings.HasPrefix(name, "Sluice") {
			t.Errorf("docs/guide/alerts.md tells of %s, which the sample lacks", name)
		}
	}
	if seen == 0 {
		t.Error("the sample has no alert")
	}
}

// checkExpression parses one and looks at each of its selectors.
func checkExpression(t *testing.T, r rule, told map[string]bool) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	if err != nil {
		t.Errorf("%s: %v", r.Alert, err)
		return
	}
	known := map[string][]string{"phase": constants(t, "Phase"), "reason": constants(t, "Reason")}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		selector, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if !told[selector.Name] {
			t.Errorf("%s: docs/guide/alerts.md does not tell of metric %s", r.Alert, selector.Name)
		}
		for _, m := range selector.LabelMatchers {
			for _, value := range values(m) {
				if all := known[m.Name]; all != nil && !slices.Contains(all, value) {
					t.Errorf("%s: there is no %s %s", r.Alert, m.Name, value)
				}
			}
		}
		return nil
	})
	for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
		if by := regexp.MustCompile(`by \(([^)]*)\)`).FindStringSubmatch(r.Expr); len(by) < 2 || !slices.Contains(strings.Split(by[1], ", "), m[1]) {
			t.Errorf("%s: its words use label %s, which the expression does not keep", r.Alert, m[1])
		}
	}
}

// values are the words that a matcher lists.
func values(m *labels.Matcher) []string { return strings.Split(m.Value, "|") }
