// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

var update = flag.Bool("update", false, "write testdata/*.out.yaml anew, and *.in.yaml in canonical form")

// weightLine is the only kind of line in which an output may differ from its
// input when nothing is asked for beside weights.
var weightLine = regexp.MustCompile(`^ +(- )?weight: \d+$`)

// asked is the head of an input: what to write. The objects follow.
type asked struct {
	Canary          int32                 `json:"canary"`
	Rules           []string              `json:"rules"`
	DestinationRule string                `json:"destinationRule"`
	Matches         []v1alpha1.MatchRoute `json:"matches"`
	Mirror          int32                 `json:"mirror"`
	Sticky          *traffic.Sticky       `json:"sticky"`
	Release         bool                  `json:"release"`
}

func (a asked) split() traffic.Split {
	s := traffic.CanaryAt(a.Canary)
	s.Matches, s.Mirror, s.Sticky = a.Matches, a.Mirror, a.Sticky
	return s
}

func (a asked) route() routers.Route {
	return routers.Route{
		Namespace:     "shop",
		Ref:           v1alpha1.RouteRef{APIVersion: groupVersion.String(), Kind: "VirtualService", Name: "checkout", Rules: a.Rules, DestinationRule: a.DestinationRule},
		Field:         "spec.strategy.canary.routes[0]",
		StableService: "checkout-stable", CanaryService: "checkout-canary",
		StableRevision: "5c9f", CanaryRevision: "7d9f",
	}
}

// answered is the head of an output. The objects follow unless there is a problem.
type answered struct {
	Operations []string         `json:"operations"`
	Problem    *routers.Problem `json:"problem,omitempty"`
}

// TestGolden renders testdata/*.in.yaml into *.out.yaml. Both hold the objects in
// canonical YAML, so that `diff` of the two shows what Sluice changed.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, path := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".in.yaml"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(raw), "---\n")
	if len(parts) < 2 || len(parts) > 3 {
		t.Fatalf("%s: want what is asked for, a VirtualService and perhaps a DestinationRule", path)
	}
	for i, body := range parts[1:] {
		parts[i+1] = routertest.Canonical(t, body)
	}
	if canonical := strings.Join(parts, "---\n"); *update {
		routertest.Save(t, path, canonical)
	} else if diff := cmp.Diff(canonical, string(raw)); diff != "" {
		t.Errorf("the input is not in canonical form; run go test -update (-want, +got):\n%s", diff)
	}
	got := rendered(t, parts)
	outPath := strings.TrimSuffix(path, ".in.yaml") + ".out.yaml"
	if *update {
		routertest.Save(t, outPath, got)
	}
	want, err := os.ReadFile(outPath)
	if err != nil {
		t.Fatalf("%v; run go test -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want, +got):\n%s", outPath, diff)
	}
}

// rendered does what the head asks for and returns the answer and the objects after it.
func rendered(t *testing.T, parts []string) string {
	t.Helper()
	var ask asked
	decode(t, parts[0], &ask)
	ops, err := ask.render(t, parts[1:])
	result := answered{Operations: []string{}}
	if err != nil {
		if !errors.As(err, &result.Problem) {
			t.Fatalf("error %v is not a problem", err)
		}
		return routertest.Encode(t, result)
	}
	after := patched(t, parts[1:], ops)
	for i := range ops {
		for _, op := range ops[i] {
			line := strings.TrimSpace(fmt.Sprintf("%s %s %s", op.Op, op.Path, brief(t, op)))
			result.Operations = append(result.Operations, line)
		}
	}
	nothingElseChanged(t, ask, parts[1:], after)
	if !ask.Release {
		readsBack(t, ask, after)
		withoutTrace(t, ask, parts[1:], after)
	}
	return strings.Join(append([]string{routertest.Encode(t, result)}, after...), "---\n")
}

// brief is the value of an operation in one line.
func brief(t *testing.T, op operation) string {
	t.Helper()
	if op.Value == nil {
		return ""
	}
	raw, err := json.Marshal(op.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// stateOf reads objects as the router does.
func stateOf(t *testing.T, ask asked, bodies []string) (state, error) {
	t.Helper()
	s := state{virtualService: &VirtualService{}}
	decode(t, bodies[0], s.virtualService)
	if len(bodies) == 1 {
		return s, nil
	}
	s.rule = &DestinationRule{}
	decode(t, bodies[1], s.rule)
	return s, checkRule(s.rule, ask.route())
}

// render lists the operations on each object, in the order of the bodies.
func (a asked) render(t *testing.T, bodies []string) ([][]operation, error) {
	t.Helper()
	s, err := stateOf(t, a, bodies)
	if err != nil {
		return nil, err
	}
	if a.Release {
		v, rule, err := release(s, a.route())
		return [][]operation{v, rule}[:len(bodies)], err
	}
	rule, v, err := render(s, a.route(), a.split())
	return [][]operation{v, rule}[:len(bodies)], err
}

// patched applies operations the way the API server does, to bytes.
func patched(t *testing.T, bodies []string, ops [][]operation) []string {
	t.Helper()
	after := make([]string, len(bodies))
	for i, body := range bodies {
		if len(ops[i]) > 0 && (ops[i][0].Op != "test" || ops[i][0].Path != "/metadata/resourceVersion") {
			t.Errorf("the operations %v are not guarded by the version that they were computed from", ops[i])
		}
		after[i] = routertest.Patched(t, body, append([]operation{}, ops[i]...))
	}
	return after
}

// readsBack: what was rendered is observed, and rendering again changes nothing.
func readsBack(t *testing.T, ask asked, after []string) {
	t.Helper()
	s, err := stateOf(t, ask, after)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(s, ask.route())
	var coarse *routers.Problem
	if errors.As(err, &coarse) && (ask.Canary == 0 || ask.Canary == 100) && strings.Contains(coarse.Message, "sum to at least 100") {
		return // the way back works where other shares don't, and the route stays a problem
	}
	if err != nil || !got.RequestedAll(ask.split()) || len(got.Confirmed) > 0 || !got.Silent || got.Unbound {
		t.Errorf("what was written reads back as %+v, %v, want %v, silently", got, err, ask.split())
	}
	again, err := ask.render(t, after)
	for _, ops := range again {
		if err != nil || len(ops) > 0 {
			t.Errorf("rendering again gives %v, %v", ops, err)
		}
	}
}

// withoutTrace: once nothing is wanted beside weights any more, the objects are
// as if it had never been, byte for byte.
func withoutTrace(t *testing.T, ask asked, before, after []string) {
	t.Helper()
	plain := ask
	plain.Matches, plain.Mirror, plain.Sticky = nil, 0, nil
	never, err := plain.render(t, before)
	if err != nil {
		t.Fatal(err)
	}
	back, err := plain.render(t, after)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(patched(t, before, never), patched(t, after, back)); diff != "" {
		t.Errorf("matches, mirror and cookie leave a trace (-never there, +taken away):\n%s", diff)
	}
}

// nothingElseChanged compares everything that isn't ours, byte for byte; where
// only weights are asked for, no line but a weight's may differ at all.
func nothingElseChanged(t *testing.T, ask asked, before, after []string) {
	t.Helper()
	for i := range before {
		if diff := cmp.Diff(foreign(t, ask, before[i]), foreign(t, ask, after[i])); diff != "" {
			t.Errorf("something that isn't ours changed (-before, +after):\n%s", diff)
		}
	}
	if len(ask.Matches) > 0 || ask.Mirror > 0 || ask.Sticky != nil || ask.Release {
		return
	}
	if diff := cmp.Diff(others(before[0]), others(after[0])); diff != "" {
		t.Errorf("a line that is no weight changed (-before, +after):\n%s", diff)
	}
}

func others(body string) []string {
	var kept []string
	for _, line := range strings.Split(body, "\n") {
		if !weightLine.MatchString(line) {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return kept
}

// foreign is a body without what the router may write.
func foreign(t *testing.T, ask asked, body string) string {
	t.Helper()
	o := map[string]any{}
	decode(t, body, &o)
	stripRaw(ask.route(), o, ask.Mirror > 0 || ask.Release, ask.Sticky != nil || ask.Release)
	return routertest.Encode(t, o)
}

// decode keeps whole numbers whole, as the API machinery does.
func decode(t *testing.T, body string, into any) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := utiljson.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
	switch o := into.(type) { // what is below a struct comes out as floats otherwise
	case *VirtualService:
		o.Spec = specOf(t, raw)
	case *DestinationRule:
		o.Spec = specOf(t, raw)
	}
}

func specOf(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	if err := utiljson.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return object(all, "spec")
}
