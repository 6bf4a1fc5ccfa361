// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

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

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

var update = flag.Bool("update", false, "write testdata/*.out.yaml anew, and *.in.yaml in canonical form")

// weightLine is the only kind of line in which an output may differ from its input.
var weightLine = regexp.MustCompile(`^ +weight: \d+$`)

// asked is the head of an input: what to write. The route follows.
type asked struct {
	Canary int32    `json:"canary"`
	Rules  []string `json:"rules"`
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
	canonical := reformat(t, body)
	if *update {
		save(t, path, head+"---\n"+canonical)
	} else if diff := cmp.Diff(canonical, body); diff != "" {
		t.Errorf("the input is not in canonical form; run go test -update (-want, +got):\n%s", diff)
	}

	outPath := strings.TrimSuffix(path, ".in.yaml") + ".out.yaml"
	got, after := rendered(t, head, canonical)
	if after != "" {
		onlyWeightsChanged(t, canonical, after)
		got += "---\n" + after
	}
	if *update {
		save(t, outPath, got)
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
	var route gatewayv1.HTTPRoute
	decode(t, body, &route)
	r := routers.Route{
		Namespace:     "shop",
		Ref:           v1alpha1.RouteRef{APIVersion: route.APIVersion, Kind: route.Kind, Name: route.Name, Rules: ask.Rules},
		Field:         "spec.strategy.canary.routes[0]",
		StableService: "checkout-stable",
		CanaryService: "checkout-canary",
	}
	ops, err := operations(httpRoute().view(&route), r, traffic.CanaryAt(ask.Canary))
	result := answered{Operations: []string{}}
	if err != nil {
		if !errors.As(err, &result.Problem) {
			t.Fatalf("error %v is not a problem", err)
		}
		return encode(t, result), ""
	}
	for _, op := range ops {
		result.Operations = append(result.Operations, fmt.Sprintf("%s %s %v", op.Op, op.Path, op.Value))
	}
	return encode(t, result), patched(t, body, ops)
}

// patched applies operations the way the API server does, to bytes.
func patched(t *testing.T, body string, ops []operation) string {
	t.Helper()
	before, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(raw)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatal(err)
	}
	return reformat(t, string(after))
}

// onlyWeightsChanged compares everything but our two Services' weights, byte
// for byte, and then that no line but a weight's differs at all.
func onlyWeightsChanged(t *testing.T, before, after string) {
	t.Helper()
	if diff := cmp.Diff(unweighted(t, before), unweighted(t, after)); diff != "" {
		t.Errorf("something else than our weights changed (-before, +after):\n%s", diff)
	}
	if diff := cmp.Diff(others(before), others(after)); diff != "" {
		t.Errorf("a line that is no weight changed (-before, +after):\n%s", diff)
	}
}

func unweighted(t *testing.T, body string) string {
	t.Helper()
	o := &unstructured.Unstructured{}
	decode(t, body, &o.Object)
	r := routers.Route{Namespace: "shop", StableService: "checkout-stable", CanaryService: "checkout-canary"}
	if err := strip(r, o); err != nil {
		t.Fatal(err)
	}
	return encode(t, o.Object)
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

func reformat(t *testing.T, body string) string {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := yaml.JSONToYAML(asJSON)
	if err != nil {
		t.Fatal(err)
	}
	return string(canonical)
}

func decode(t *testing.T, body string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(body), into); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func save(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
