// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// readmeRollout is the Rollout that the README starts with.
func readmeRollout(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("README.md shows no YAML")
	}
	if lines := strings.Count(text, "\n"); lines > 10 {
		t.Errorf("the README's Rollout has %d lines, at most 10", lines)
	}
	var o map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func create(t *testing.T, c client.Client, ns string, o map[string]any) error {
	t.Helper()
	u := &unstructured.Unstructured{Object: o}
	u.SetNamespace(ns)
	return c.Create(t.Context(), u, client.DryRunAll, client.FieldValidation("Strict"))
}

func TestDocumentedObjectsAreAccepted(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	if err := create(t, c, ns, readmeRollout(t)); err != nil {
		t.Errorf("README.md: %v", err)
	}
	samples, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(samples) < 4 {
		t.Fatalf("samples: %v, %v", samples, err)
	}
	for _, path := range samples {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(raw), "\n---") {
			var o map[string]any
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if o == nil {
				continue
			}
			if err := create(t, c, ns, o); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// unheardOf is a step of a later version.
var unheardOf = []any{map[string]any{"shadow": map[string]any{"replicas": int64(2)}}}

// baselines are steps with one baseline.
func baselines(of map[string]any) []any { return []any{map[string]any{"baseline": of}} }

// TestUnknownStepIsNoStep: a client that does not ask for strict validation loses
// fields that the schema does not know; a step that only held such ones is refused all the same.
func TestUnknownStepIsNoStep(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	u := &unstructured.Unstructured{Object: readmeRollout(t)}
	if err := unstructured.SetNestedField(u.Object, unheardOf, "spec", "strategy", "canary", "steps"); err != nil {
		t.Fatal(err)
	}
	u.SetNamespace(ns)
	err := c.Create(t.Context(), u, client.DryRunAll, client.FieldValidation("Ignore"))
	if want := "remove what this version does not know"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal that says %q", err, want)
	}
}

func TestMistakesAreRefusedWithARemedy(t *testing.T) {
	cases := map[string]struct {
		reason string
		path   string
		value  any
		want   string
	}{
		"weight 150":           {"a share is at most 100 %", "spec.strategy.canary.steps", []any{map[string]any{"setWeight": int64(150)}}, "spec.strategy.canary.steps[0].setWeight"},
		"two kinds in a step":  {"the order would be a guess", "spec.strategy.canary.steps", []any{map[string]any{"setWeight": int64(5), "pause": map[string]any{}}}, "split it into several steps"},
		"template and ref":     {"which one counts would be a guess", "spec.template", map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "a", "image": "b"}}}}, "exactly one of template and workloadRef"},
		"one Service for both": {"the slots could not be told apart", "spec.strategy.canary.canaryService", "shop", "create a second Service"},
		"long name":            {"it could not be a label", "metadata.name", strings.Repeat("x", 64), "metadata.name: must be at most 63 characters"},
		"address":              {"it could never be asked", "spec.strategy.canary.analysis.prometheus.address", "prometheus:9090", "must be an http or https URL such as"},
		"empty analysis":       {"it would judge nothing", "spec.strategy.canary.analysis", map[string]any{}, "needs objectives with a preset, or at least one entry in metrics or templates"},
		"negative replicas":    {"there is no such number of pods", "spec.replicas", int64(-1), "spec.replicas"},
		"unheard of":           {"this version has no such step", "spec.strategy.canary.steps", unheardOf, "steps[0].shadow"},
		"baseline for nothing": {"pods without requests are no control", "spec.strategy.canary.steps", baselines(map[string]any{"replicas": int64(2)}), "baseline.weight: set it together with replicas"},
		"end with a weight":    {"no pods carry nothing", "spec.strategy.canary.steps", baselines(map[string]any{"replicas": int64(0), "weight": int64(5)}), "replicas: 0 ends the baseline and goes without weight"},
		"baseline gets all":    {"the canary needs a share to be compared", "spec.strategy.canary.steps", baselines(map[string]any{"replicas": int64(2), "weight": int64(100)}), "steps[0].baseline.weight"},
		"baseline by pods":     {"its share is a third destination", "spec.strategy.canary", map[string]any{"service": "shop", "steps": baselines(map[string]any{"replicas": int64(2), "weight": int64(5)})}, "baseline needs routes"},
		"match of connections": {"a connection has no headers", "spec.strategy.canary", canaryWith("TCPRoute", map[string]any{"matchRoute": map[string]any{"name": "testers", "match": []any{map[string]any{"headers": []any{map[string]any{"name": "X-Canary", "exact": "1"}}}}}}), "steer an HTTPRoute or GRPCRoute"},
		"mirror of tunnels":    {"a connection can't be copied", "spec.strategy.canary", canaryWith("TLSRoute", map[string]any{"mirror": map[string]any{"percent": int64(5)}}), "steer an HTTPRoute or GRPCRoute"},
		"mirror without route": {"pods copy nothing", "spec.strategy.canary", map[string]any{"service": "shop", "steps": []any{map[string]any{"mirror": map[string]any{"percent": int64(5)}}}}, "need routes; add routes"},
		"managed without spec": {"there is nothing to create", "spec.strategy.canary.managedRoutes", []any{map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "name": "shop"}}, "managedRoutes[0].spec"},
		"sticky without route": {"nothing reads the cookie", "spec.strategy.canary", map[string]any{"service": "shop", "stickiness": map[string]any{}}, "stickiness: needs routes"},
		"sticky calls":         {"gRPC has no cookies", "spec.strategy.canary", sticky("GRPCRoute"), "has no users with cookies; steer an HTTPRoute or VirtualService"},
		"sticky and falling":   {"who met the canary stays", "spec.strategy.canary", sticky("HTTPRoute", 5, 50, 20), "let each setWeight be at least the one before"},
		"sticky falling ramp":  {"a ramp is no exception", "spec.strategy.canary", stickyRamp(5, 50, 20), "list them from the least to the greatest"},
		"sticky and long":      {"each weight takes a rule", "spec.strategy.canary", sticky("HTTPRoute", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), "at most 12 are possible"},
		"sticky long ramp":     {"of a ramp too", "spec.strategy.canary", stickyRamp(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13), "at most 12 are possible"},
		"cookie by a prefix":   {"browsers keep __Host- for secure ones", "spec.strategy.canary.stickiness", map[string]any{"cookie": "__Host-v"}, "stickiness.cookie"},
		"cookie for no time":   {"it would be gone at once", "spec.strategy.canary.stickiness", map[string]any{"maxAge": "500ms"}, "stickiness.maxAge: must be at least 1s"},
		"unknown field":        {"a typo must not be lost", "spec.strategy.canary.stepz", []any{}, "stepz"},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := readmeRollout(t)
			if err := unstructured.SetNestedField(o, tc.value, strings.Split(tc.path, ".")...); err != nil {
				t.Fatal(err)
			}
			err := create(t, c, ns, o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want a refusal that says %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestNamesOfServicesAreRefusedInTime: where Services are made of the Rollout's name
// it has to leave room and be one, which nothing else would say before a release.
func TestNamesOfServicesAreRefusedInTime(t *testing.T) {
	letters := func(n int) string { return strings.Repeat("x", n) }
	own := map[string]any{"stableService": "shop", "canaryService": "shop-canary"}
	made := map[string]any{"service": "shop"}
	const both, third = "set spec.strategy.canary.stableService and canaryService", "step baseline makes a Service <name>-baseline"
	steer := func(of map[string]any, field string, steps ...any) map[string]any {
		canary := maps.Clone(of)
		route := map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "name": "shop"}
		if field == "managedRoutes" {
			route["spec"] = map[string]any{}
		}
		canary[field], canary["steps"] = []any{route}, append([]any{map[string]any{"setWeight": int64(5)}}, steps...)
		return canary
	}
	control := baselines(map[string]any{"replicas": int64(2), "weight": int64(5)})[0]
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range map[string]struct {
		reason, name string
		canary       map[string]any
		want         string
	}{
		"Room":           {"63 characters less -canary", letters(56), steer(made, "routes"), ""},
		"NoRoom":         {"are no more", letters(57), steer(made, "routes"), both},
		"NoRoomManaged":  {"also for routes of our own", letters(57), steer(made, "managedRoutes"), both},
		"Dot":            {"a Service's name has no dot", "shop.eu", steer(made, "routes"), both},
		"Digit":          {"and begins with a letter", "1shop", steer(made, "routes"), both},
		"Own":            {"Services of the user's own have their own names", "1." + letters(61), steer(own, "routes"), ""},
		"ByPods":         {"pods alone need no Service", "1." + letters(61), made, ""},
		"Control":        {"a baseline's is longer", letters(54), steer(made, "routes", control), ""},
		"NoRoomControl":  {"so it leaves less room", letters(55), steer(own, "routes", control), third},
		"DotControl":     {"and is made also beside Services of the user's own", "shop.eu", steer(own, "managedRoutes", control), third},
		"OneLetter":      {"a letter is a name", "x", steer(made, "routes", control), ""},
		"UpToTheLastOne": {"the limit counts for what is between as well", "a-" + letters(53) + "1", steer(made, "routes"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := readmeRollout(t)
			if err := unstructured.SetNestedField(o, tc.canary, "spec", "strategy", "canary"); err != nil {
				t.Fatal(err)
			}
			if err := unstructured.SetNestedField(o, tc.name, "metadata", "name"); err != nil {
				t.Fatal(err)
			}
			err := create(t, c, ns, o)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: got %v, want a refusal that says %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestOneServiceOfTwo: what is missing is said, and nothing of how the rules are written.
func TestOneServiceOfTwo(t *testing.T) {
	env := testenv.Start(t)
	o := readmeRollout(t)
	unstructured.RemoveNestedField(o, "spec", "strategy", "canary", "canaryService")
	err := create(t, env.Client(t, runtime.NewScheme()), env.Namespace(t), o)
	if err == nil || !strings.Contains(err.Error(), "set both stableService and canaryService") || strings.Contains(err.Error(), "evaluating rule") {
		t.Errorf("got %v, want a refusal that says to set both, and nothing else", err)
	}
}

// canaryWith is a canary that steers one route, with one step.
func canaryWith(kind string, step map[string]any) map[string]any {
	return map[string]any{
		"stableService": "shop", "canaryService": "shop-canary", "steps": []any{step},
		"routes": []any{map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "name": "shop"}},
	}
}

// sticky is a canary of one route with stickiness, through weights.
func sticky(kind string, weights ...int64) map[string]any {
	canary := canaryWith(kind, map[string]any{"setWeight": int64(0)})
	for _, w := range weights {
		steps, _ := canary["steps"].([]any)
		canary["steps"] = append(steps, map[string]any{"setWeight": w}, map[string]any{"pause": map[string]any{}})
	}
	canary["stickiness"] = map[string]any{}
	return canary
}

// stickyRamp is the same by a ramp.
func stickyRamp(weights ...int64) map[string]any {
	canary := sticky("HTTPRoute")
	delete(canary, "steps")
	all := make([]any, len(weights))
	for i, w := range weights {
		all[i] = w
	}
	canary["ramp"] = map[string]any{"every": "1m", "weights": all}
	return canary
}

// TestStickyCanariesAreAccepted: weights that rise, and stay, are in order.
func TestStickyCanariesAreAccepted(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, canary := range map[string]map[string]any{
		"steps": sticky("HTTPRoute", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 50, 100),
		"again": sticky("VirtualService", 5, 5, 50),
		"ramp":  stickyRamp(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 100),
		"bare":  {"stableService": "shop", "canaryService": "shop-canary", "routes": sticky("HTTPRoute")["routes"], "stickiness": map[string]any{"cookie": "a_B-9", "maxAge": "24h"}},
	} {
		o := readmeRollout(t)
		if err := unstructured.SetNestedField(o, canary, "spec", "strategy", "canary"); err != nil {
			t.Fatal(err)
		}
		if err := create(t, c, ns, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRoutesMayCarryMatchesAndMirrors: what was refused until a router carried it.
func TestRoutesMayCarryMatchesAndMirrors(t *testing.T) {
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for _, kind := range []string{"HTTPRoute", "GRPCRoute"} {
		o := readmeRollout(t)
		canary := canaryWith(kind, map[string]any{"mirror": map[string]any{"percent": int64(5)}})
		canary["managedRoutes"] = []any{map[string]any{
			"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "name": "own",
			"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "port": int64(80)}}}}},
		}}
		if err := unstructured.SetNestedField(o, canary, "spec", "strategy", "canary"); err != nil {
			t.Fatal(err)
		}
		if err := create(t, c, ns, o); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
