// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// gatewayOf makes the Gateway that the shop's route names, with a class that lists features.
func (s *shop) gatewayOf(features ...gatewayv1.FeatureName) *gatewayv1.GatewayClass {
	s.t.Helper()
	class := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: s.ns}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "example.com/gateway"},
	}
	s.create(class)
	s.t.Cleanup(func() { _ = s.client.Delete(context.WithoutCancel(s.t.Context()), class) })
	s.features(class, features...)
	s.create(&gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "gateway"},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(class.Name), Listeners: []gatewayv1.Listener{{Name: "http", Protocol: gatewayv1.HTTPProtocolType, Port: 80}},
		},
	})
	return class
}

func (s *shop) features(class *gatewayv1.GatewayClass, features ...gatewayv1.FeatureName) {
	s.t.Helper()
	class.Status.SupportedFeatures = nil
	for _, name := range features {
		class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: name})
	}
	if err := s.client.Status().Update(s.ctx, class); err != nil {
		s.t.Fatal(err)
	}
}

func mirror(percent int32) v1alpha1.Step {
	return v1alpha1.Step{Mirror: &v1alpha1.Mirror{Percent: percent}}
}

// TestMirrorWaitsForADataPlaneThatHasIt: a class that does not list the feature
// has the step refused, by names and with a remedy; the route is not touched; and
// once it lists it the release goes on, though no watch tells of that.
func TestMirrorWaitsForADataPlaneThatHasIt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	class := s.gatewayOf("HTTPRoute")
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout())
	s.untilPhase(v1alpha1.PhaseHealthy)
	before := s.httpRoute()

	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template = podTemplate("shop:v2")
		ro.Spec.Strategy.Canary.Steps = []v1alpha1.Step{mirror(10), pause()}
	})
	got := s.untilPhase(v1alpha1.PhaseHolding)
	valid := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid)
	for _, part := range []string{
		"spec.strategy.canary.routes[0]: step mirror needs feature HTTPRouteRequestMirror",
		"GatewayClass " + class.Name + " of Gateway " + s.ns + "/gateway does not list in status.supportedFeatures", "remove the step",
	} {
		if valid == nil || valid.Status != metav1.ConditionFalse || !strings.Contains(valid.Message, part) {
			t.Fatalf("SpecValid is %+v, want %q in it", valid, part)
		}
	}
	if after := s.httpRoute(); after.Generation != before.Generation {
		t.Errorf("the route was written: %+v", after.Spec)
	}

	s.features(class, "HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	s.until("on its way with a mirror", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhasePaused })
	if filters := s.httpRoute().Spec.Rules[0].Filters; len(filters) != 1 || filters[0].RequestMirror == nil {
		t.Errorf("filters %+v, want a mirror", filters)
	}

	s.features(class, "HTTPRoute") // an older data plane is installed meanwhile
	paused := s.get()
	s.command(`{"id": "a", "verb": "abort", "revision": "` + paused.Status.CanaryRevision + `", "by": "jane", "reason": "it can't"}`)
	s.until("the mirror is taken back", func(*v1alpha1.Rollout) bool { return len(s.httpRoute().Spec.Rules[0].Filters) == 0 })
}

// TestManagedRouteMovesOnlyWhereItsStepsCanBeCarried: a spec with another parent is not written.
func TestManagedRouteMovesOnlyWhereItsStepsCanBeCarried(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.gatewayOf("HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
	s.dropRoute()
	startController(t, testenv.Start(t), s.ns)
	s.create(s.managing(s.rollout(mirror(10), pause()), nil))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	s.patch(func(ro *v1alpha1.Rollout) {
		s.managing(ro, func(spec *gatewayv1.HTTPRouteSpec) { spec.ParentRefs[0].Name = "elsewhere" })
	})
	got := s.until("refused", func(ro *v1alpha1.Rollout) bool {
		return meta.IsStatusConditionFalse(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
	})
	if m := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid).Message; !strings.Contains(m, "managedRoutes[0].spec") || !strings.Contains(m, "Gateway "+s.ns+"/elsewhere does not exist") {
		t.Errorf("SpecValid says %q", m)
	}
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil || r.Spec.ParentRefs[0].Name != "gateway" {
		t.Errorf("the route moved: %v, %+v", err, r.Spec.ParentRefs)
	}
}
