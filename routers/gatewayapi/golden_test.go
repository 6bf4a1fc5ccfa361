// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

var update = flag.Bool("update", false, "write testdata/*.out.yaml anew, and *.in.yaml in canonical form")

// weightLine is the only kind of line in which an output may differ from its input.
var weightLine = regexp.MustCompile(`^ +weight: \d+$`)

// asked is the head of an input: what to write. The route follows.
type asked struct {
	Canary  int32                 `json:"canary"`
	Rules   []string              `json:"rules"`
	Matches []v1alpha1.MatchRoute `json:"matches"`
	Mirror  int32                 `json:"mirror"`
	// Baseline is the share of the third Service.
	Baseline int32           `json:"baseline"`
	Sticky   *traffic.Sticky `json:"sticky"`
}

// answered is the head of an output. The route follows unless there is a problem.
type answered struct {
	Operations []string         `json:"operations"`
	Problem    *routers.Problem `json:"problem,omitempty"`
}

// TestGolden renders testdata/*.in.yaml into *.out.yaml. Both hold the route in
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
	head, body := split(t, path)
	canonical := routertest.Canonical(t, body)
	if *update {
		routertest.Save(t, path, head+"---\n"+canonical)
	} else if diff := cmp.Diff(canonical, body); diff != "" {
		t.Errorf("the input is not in canonical form; run go test -update (-want, +got):\n%s", diff)
	}

	outPath := strings.TrimSuffix(path, ".in.yaml") + ".out.yaml"
	got, after := rendered(t, head, canonical)
	if after != "" {
		onlyOursChanged(t, canonical, after)
		removedWithoutTrace(t, head, canonical, after)
		got += "---\n" + after
	}
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

// rendered does what the head asks for and returns the answer and the route after it.
func rendered(t *testing.T, head, body string) (answer, after string) {
	t.Helper()
	var ask asked
	decode(t, head, &ask)
	want := traffic.Split{Baseline: ask.Baseline}.At(ask.Canary)
	want.Matches, want.Mirror, want.Sticky = ask.Matches, ask.Mirror, ask.Sticky
	v, r := seen(t, ask, body)
	ops, err := operations(v, r, want)
	result := answered{Operations: []string{}}
	if err != nil {
		if !errors.As(err, &result.Problem) {
			t.Fatalf("error %v is not a problem", err)
		}
		return routertest.Encode(t, result), ""
	}
	for _, op := range ops {
		result.Operations = append(result.Operations, summary(op))
	}
	after = routertest.Patched(t, body, ops)
	v, _ = seen(t, ask, after)
	if again, err := operations(v, r, want); err != nil || len(again) > 0 {
		t.Errorf("asked once more: %v, %v, want nothing", again, err)
	}
	return routertest.Encode(t, result), after
}

// summary is an operation in one line; a rule that is added shows in the route.
func summary(op operation) string {
	switch value := op.Value.(type) {
	case nil:
		return op.Op + " " + op.Path
	case map[string]any:
		return fmt.Sprintf("%s %s %v", op.Op, op.Path, value["name"])
	default:
		return fmt.Sprintf("%s %s %v", op.Op, op.Path, value)
	}
}

// seen is the view of a route in the file, of whatever kind.
func seen(t *testing.T, ask asked, body string) (view, routers.Route) {
	t.Helper()
	o := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	v, err := see(named(slices.Concat(requestKinds(), streamKinds()), o.GetKind()), o)
	if err != nil {
		t.Fatal(err)
	}
	return v, routers.Route{
		Namespace:     "shop",
		Ref:           v1alpha1.RouteRef{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Name: o.GetName(), Rules: ask.Rules},
		Field:         "spec.strategy.canary.routes[0]",
		StableService: "checkout-stable",
		CanaryService: "checkout-canary", BaselineService: "checkout-baseline",
	}
}

// removedWithoutTrace: back at rest nothing but weights differs from what the user wrote.
func removedWithoutTrace(t *testing.T, head, before, after string) {
	t.Helper()
	var ask asked
	decode(t, head, &ask)
	v, r := seen(t, ask, after)
	rest := after
	if ops := render(v, known(v, r), traffic.CanaryAt(0), added{}); len(ops) > 0 {
		rest = routertest.Patched(t, after, ops)
	}
	if strings.Contains(rest, "sluice.dev") || strings.Contains(rest, r.BaselineService) {
		t.Errorf("after the release something of ours is left:\n%s", rest)
	}
	compare := unweighted
	if strings.Contains(before, v1alpha1.BesideAnnotation) || strings.Contains(before, r.BaselineService) {
		compare = stripped
	}
	if diff := cmp.Diff(compare(t, before), compare(t, rest)); diff != "" {
		t.Errorf("after the release a trace is left (-before, +after):\n%s", diff)
	}
}

// onlyOursChanged compares everything but what the router may write, byte for
// byte, and then, where only weights were asked for, that no line but a weight's differs at all.
func onlyOursChanged(t *testing.T, before, after string) {
	t.Helper()
	if diff := cmp.Diff(stripped(t, before), stripped(t, after)); diff != "" {
		t.Errorf("something that isn't ours changed (-before, +after):\n%s", diff)
	}
	if strings.Contains(before+after, v1alpha1.BesideAnnotation) || strings.Contains(before+after, "checkout-baseline") {
		return
	}
	if diff := cmp.Diff(others(before), others(after)); diff != "" {
		t.Errorf("a line that is no weight changed (-before, +after):\n%s", diff)
	}
}

// stripped is the route without anything that the router may write.
func stripped(t *testing.T, body string) string {
	t.Helper()
	o := &unstructured.Unstructured{}
	decode(t, body, &o.Object)
	r := routers.Route{Namespace: "shop", StableService: "checkout-stable", CanaryService: "checkout-canary", BaselineService: "checkout-baseline"}
	if err := strip(r, o); err != nil {
		t.Fatal(err)
	}
	return routertest.Encode(t, o.Object)
}

// unweighted is the route without the weights of our two Services.
func unweighted(t *testing.T, body string) string {
	t.Helper()
	o := &unstructured.Unstructured{}
	decode(t, body, &o.Object)
	r := routers.Route{Namespace: "shop", StableService: "checkout-stable", CanaryService: "checkout-canary"}
	if err := eachBackend(o, func(backend map[string]any) {
		if namesAny(backend, r.Namespace, r.StableService, r.CanaryService) {
			delete(backend, "weight")
		}
	}); err != nil {
		t.Fatal(err)
	}
	return routertest.Encode(t, o.Object)
}

func others(body string) []string {
	var kept []string
	for _, line := range strings.Split(body, "\n") {
		if !weightLine.MatchString(line) {
			kept = append(kept, line)
		}
	}
	return kept
}

func split(t *testing.T, path string) (head, body string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := strings.Cut(string(raw), "---\n")
	if !found {
		t.Fatalf("%s: want two documents, what is asked for and the route", path)
	}
	return head, body
}

func decode(t *testing.T, body string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(body), into); err != nil {
		t.Fatal(err)
	}
}
