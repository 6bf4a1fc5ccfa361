// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestGuides creates every object that docs/guide shows, and has the API server
// check the route as it is at each step that the page's Rollout has.
func TestGuides(t *testing.T) {
	env := testenv.Start(t)
	c := env.Client(t, runtime.NewScheme())
	pages := []string{"envoy-gateway", "cilium", "linkerd", "kgateway", "nginx-gateway-fabric", "traefik", "gitops"}
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			ns := env.Namespace(t)
			raw, err := os.ReadFile("../../docs/guide/" + page + ".md")
			if err != nil {
				t.Fatal(err)
			}
			ran := strings.Contains(string(raw), "**Run for real.**")
			if (page == "traefik") != ran && page != "gitops" {
				t.Errorf("the page does not say whether what it shows was run")
			}
			routes := map[string]*unstructured.Unstructured{}
			var rollouts []*unstructured.Unstructured
			for _, o := range documented(t, string(raw)) {
				created := o.DeepCopy()
				if o.GetKind() != "GatewayClass" {
					created.SetNamespace(ns)
				}
				if err := c.Create(t.Context(), created, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
					t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				}
				switch o.GetKind() {
				case "HTTPRoute":
					routes[o.GetName()] = created
				case "Rollout":
					rollouts = append(rollouts, created)
				}
			}
			for _, ro := range rollouts {
				steps(t, c, ro, routes)
			}
		})
	}
}

func documented(t *testing.T, page string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for i, block := range strings.Split(page, "```yaml\n") {
		if i == 0 {
			continue
		}
		text, _, closed := strings.Cut(block, "```")
		if !closed {
			t.Fatal("a block of YAML is not closed")
		}
		for document := range strings.SplitSeq(text, "---\n") {
			o := &unstructured.Unstructured{}
			decode(t, document, &o.Object)
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		t.Fatal("the page shows no object")
	}
	return all
}

// steps composes the route for each step and has the API server check it.
func steps(t *testing.T, c client.Client, raw *unstructured.Unstructured, routes map[string]*unstructured.Unstructured) {
	t.Helper()
	var ro v1alpha1.Rollout
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, &ro); err != nil {
		t.Fatal(err)
	}
	canary := ro.Spec.Strategy.Canary
	for _, m := range canary.ManagedRoutes {
		var spec map[string]any
		if err := json.Unmarshal(m.Spec.Raw, &spec); err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		routes[m.Name] = o
		o.SetAPIVersion(m.APIVersion)
		o.SetKind(m.Kind)
		o.SetNamespace(ro.Namespace)
		o.SetName(m.Name)
		canary.Routes = append(canary.Routes, m.Ref())
	}
	want := traffic.CanaryAt(0)
	for _, step := range canary.Steps {
		switch {
		case step.SetWeight != nil:
			want = want.At(*step.SetWeight)
		case step.Mirror != nil:
			want.Mirror = step.Mirror.Percent
		case step.MatchRoute != nil:
			want.Matches = append(want.Matches, *step.MatchRoute)
		}
		for _, ref := range canary.Routes {
			route := routers.Route{Namespace: ro.Namespace, Ref: ref, Field: "routes", StableService: canary.StableService, CanaryService: canary.CanaryService}
			composed := routes[ref.Name].DeepCopy()
			if err := newRouter(nil, nil, requestKinds()).Compose(route, composed, want); err != nil {
				t.Fatalf("%v: %v", want, err)
			}
			composed.SetResourceVersion("")
			composed.SetUID("")
			if err := c.Create(t.Context(), composed, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
				t.Errorf("%v: %v", want, err)
			}
		}
	}
}
