// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers/istio"
)

// managing turns a Rollout's route into one of its own, of a new name.
func (s *shop) managing(ro *v1alpha1.Rollout, change func(*gatewayv1.HTTPRouteSpec)) *v1alpha1.Rollout {
	s.t.Helper()
	spec := route(s.ns).Spec
	if change != nil {
		change(&spec)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		s.t.Fatal(err)
	}
	c := ro.Spec.Strategy.Canary
	c.Routes = nil
	c.ManagedRoutes = []v1alpha1.ManagedRoute{{
		APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "shop", Labels: map[string]string{"team": "shop"}, Spec: runtime.RawExtension{Raw: raw},
	}}
	return ro
}

func (s *shop) dropRoute() {
	s.t.Helper()
	if err := s.client.Delete(s.ctx, route(s.ns)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) httpRoute() *gatewayv1.HTTPRoute {
	s.t.Helper()
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestManagedRouteIsMadeSteeredAndFollowsItsSpec(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.dropRoute()
	startController(t, testenv.Start(t), s.ns)
	s.create(s.managing(s.rollout(weight(25), pause()), nil))
	ro := s.untilPhase(v1alpha1.PhaseHealthy)
	if made := s.httpRoute(); !metav1.IsControlledBy(made, ro) || made.Labels["team"] != "shop" {
		t.Errorf("the route made has owners %v and labels %v", made.OwnerReferences, made.Labels)
	}

	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	s.patch(func(ro *v1alpha1.Rollout) {
		s.managing(ro, func(spec *gatewayv1.HTTPRouteSpec) { spec.Hostnames = []gatewayv1.Hostname{"shop.example.com"} })
	})
	s.until("the new spec in force", func(*v1alpha1.Rollout) bool { return len(s.httpRoute().Spec.Hostnames) == 1 })
	if stable, canary := s.weights(); stable != 75 || canary != 25 {
		t.Errorf("weights after the spec changed: stable %d, canary %d", stable, canary)
	}

	s.patch(func(ro *v1alpha1.Rollout) {
		s.managing(ro, func(spec *gatewayv1.HTTPRouteSpec) { spec.Hostnames = []gatewayv1.Hostname{"no such host"} })
	})
	wrong := s.until("refused", func(ro *v1alpha1.Rollout) bool {
		return meta.IsStatusConditionFalse(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
	})
	message := meta.FindStatusCondition(wrong.Status.Conditions, v1alpha1.ConditionSpecValid).Message
	if !strings.Contains(message, "spec.strategy.canary.managedRoutes[0].spec") || !strings.Contains(message, "spec.hostnames[0]") {
		t.Errorf("SpecValid says %q, want field, object and what the API server says", message)
	}
	if got := s.httpRoute().Spec.Hostnames; len(got) != 1 || got[0] != "shop.example.com" {
		t.Errorf("a refused spec changed the route: %v", got)
	}
	s.delete(s.get())
}

// TestManagedRouteIsMadeOnceAPolicyAllowsIt: nobody watches policies, quotas and roles.
func TestManagedRouteIsMadeOnceAPolicyAllowsIt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.dropRoute()
	lift := s.deny(
		admissionv1.Rule{APIGroups: []string{gatewayv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"httproutes"}}, "false",
		func(ctx context.Context) error { return s.client.Create(ctx, route(s.ns), client.DryRunAll) },
	)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.managing(s.rollout(weight(25)), nil))
	refused := s.untilPhase(v1alpha1.PhasePending)
	if valid := meta.FindStatusCondition(refused.Status.Conditions, v1alpha1.ConditionSpecValid); valid == nil || !strings.Contains(valid.Message, denial) {
		t.Errorf("SpecValid is %+v, and should say what the policy does", valid)
	}
	lift()
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.httpRoute()
}

func TestManagedRouteOfAnotherIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t) // with a route of that name
	startController(t, testenv.Start(t), s.ns)
	before := s.httpRoute().ResourceVersion
	s.create(s.managing(s.rollout(weight(25)), nil))
	got := s.untilPhase(v1alpha1.PhasePending)
	valid := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid)
	if valid == nil || !strings.Contains(valid.Message, "managedRoutes[0].name") || !strings.Contains(valid.Message, "name it under routes") {
		t.Errorf("SpecValid is %+v", valid)
	}
	if after := s.httpRoute(); len(after.OwnerReferences) > 0 || after.Spec.Rules[0].BackendRefs[1].Weight == nil {
		t.Errorf("the route changed from version %s to %+v", before, after)
	}
}

func TestManagedRouteIsGivenUp(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*shop, *v1alpha1.Rollout)
		gone   bool
	}{
		"ToAnother": {reason: "another route takes over", gone: true, change: func(_ *shop, ro *v1alpha1.Rollout) {
			ro.Spec.Strategy.Canary.ManagedRoutes[0].Name = "shop-too"
		}},
		"ToItsUser": {reason: "the same route is steered only from now on", change: func(_ *shop, ro *v1alpha1.Rollout) {
			c := ro.Spec.Strategy.Canary
			c.Routes, c.ManagedRoutes = []v1alpha1.RouteRef{c.ManagedRoutes[0].Ref()}, nil
		}},
		"Removed": {reason: "without a strategy nobody needs it", gone: true, change: func(_ *shop, ro *v1alpha1.Rollout) {
			ro.Spec.Strategy = v1alpha1.Strategy{}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.dropRoute()
			startController(t, testenv.Start(t), s.ns)
			s.create(s.managing(s.rollout(), nil))
			s.untilPhase(v1alpha1.PhaseHealthy)
			s.patch(func(ro *v1alpha1.Rollout) { tc.change(s, ro) })
			s.until(tc.reason, func(*v1alpha1.Rollout) bool {
				r := &gatewayv1.HTTPRoute{}
				err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r)
				return tc.gone && apierrors.IsNotFound(err) || !tc.gone && err == nil && len(r.OwnerReferences) == 0
			})
		})
	}
}

// managedDelegate is a VirtualService without hosts, which a root of Git's would name.
const managedDelegate = `{"http": [{"name": "main", "timeout": "3s", "route": [
  {"destination": {"host": "shop-stable"}, "weight": 100}, {"destination": {"host": "shop-canary"}, "weight": 0}]}]}`

// TestManagedDelegateBesideADeployment: the controller makes the VirtualService
// once its own pods carry the traffic, steers it, and leaves it, at stable and
// nobody's, to the Deployment that gets its pods back.
func TestManagedDelegateBesideADeployment(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	c := ro.Spec.Strategy.Canary
	c.Routes = nil
	c.ManagedRoutes = []v1alpha1.ManagedRoute{{
		APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: "shop", Spec: runtime.RawExtension{Raw: []byte(managedDelegate)},
	}}
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	carries := func(what string, stable, canary int64, owned bool) {
		t.Helper()
		v := &istio.VirtualService{}
		if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, v); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"http": []any{map[string]any{"name": "main", "timeout": "3s", "route": []any{
			map[string]any{"destination": map[string]any{"host": "shop-stable"}, "weight": stable},
			map[string]any{"destination": map[string]any{"host": "shop-canary"}, "weight": canary},
		}}}}
		if diff := cmp.Diff(want, v.Spec); diff != "" {
			t.Errorf("%s (-want, +got):\n%s", what, diff)
		}
		if (len(v.OwnerReferences) > 0) != owned {
			t.Errorf("%s: owners %v", what, v.OwnerReferences)
		}
	}
	carries("at rest", 100, 0, true)

	d := s.deployment()
	s.edit(d, func() { d.Spec.Template = *podTemplate("shop:v2") })
	s.untilPhase(v1alpha1.PhasePaused)
	carries("at the pause", 50, 50, true)
	s.delete(s.get())
	carries("given to the Deployment", 100, 0, false)
	if n := *s.deployment().Spec.Replicas; n != 4 {
		t.Errorf("the Deployment has %d replicas, want its 4 back", n)
	}
}
