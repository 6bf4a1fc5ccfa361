// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const guide = "../../docs/guide/istio.md"

// documents are the manifests of a page, in order.
func documents(t *testing.T, page string) []string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, block := range strings.Split(string(raw), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		all = append(all, strings.Split(block, "---\n")...)
	}
	return all
}

// TestGuide creates what the page tells people to write, with no field that the
// API server doesn't know, and steers by it.
func TestGuide(t *testing.T) {
	env := testenv.Start(t)
	scheme := runtime.NewScheme()
	if err := addToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, namespace := env.Client(t, scheme), env.Namespace(t)
	var rollouts []*v1alpha1.Rollout
	for _, text := range documents(t, guide) {
		o := &unstructured.Unstructured{}
		decode(t, text, &o.Object)
		o.SetNamespace(namespace)
		if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), o); err != nil {
			t.Fatalf("create %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		if o.GetKind() == "Rollout" {
			raw, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			rollouts = append(rollouts, &v1alpha1.Rollout{})
			if err := json.Unmarshal(raw, rollouts[len(rollouts)-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(rollouts) != 3 {
		t.Fatalf("the guide has %d Rollouts, want 3", len(rollouts))
	}
	for _, ro := range rollouts {
		canary := ro.Spec.Strategy.Canary
		for _, m := range canary.ManagedRoutes {
			composes(t, c, namespace, ro.Name, m)
			canary.Routes = append(canary.Routes, m.Ref())
		}
		r := routers.Route{
			Namespace: namespace, Ref: canary.Routes[0],
			StableService: ro.Name + "-stable", CanaryService: ro.Name + "-canary", StableRevision: "5c9f", CanaryRevision: "7d9f",
		}
		router := Entry().New(c, c)
		for _, share := range []int32{0, 5} {
			want := traffic.CanaryAt(share)
			if err := router.Apply(t.Context(), r, want); err != nil {
				t.Fatal(err)
			}
			if got, err := router.Observe(t.Context(), c, r); err != nil || !got.RequestedAll(want) || got.Unbound {
				t.Errorf("%s carries %+v, %v, want %v", r, got, err, want)
			}
		}
	}
}

// composes makes a managed route with a share in it, as the controller would.
func composes(t *testing.T, c client.Client, namespace, rollout string, m v1alpha1.ManagedRoute) {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{}}
	var spec map[string]any
	decode(t, string(m.Spec.Raw), &spec)
	o.Object["spec"] = spec
	o.SetAPIVersion(m.APIVersion)
	o.SetKind(m.Kind)
	o.SetNamespace(namespace)
	o.SetName(m.Name)
	composer, ok := Entry().New(c, c).(routers.Composer)
	if !ok {
		t.Fatal("the router composes nothing")
	}
	r := routers.Route{Namespace: namespace, Ref: m.Ref(), StableService: rollout + "-stable", CanaryService: rollout + "-canary"}
	if err := composer.Compose(r, o, traffic.CanaryAt(25)); err != nil {
		t.Fatal(err)
	}
	if err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Create(t.Context(), o); err != nil {
		t.Fatalf("create what was composed: %v", err)
	}
	if got, err := Entry().New(c, c).Observe(t.Context(), c, r); err != nil || !got.RequestedAll(traffic.CanaryAt(25)) {
		t.Errorf("what was composed reads as %+v, %v", got, err)
	}
}
