// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// backendAnswers is the feature that stickiness takes.
const backendAnswers = "HTTPRouteBackendResponseHeaderModification"

// kept is how many rules the route has besides the user's, and the cookies that its backends hand out.
func (s *shop) kept() (rules int, cookies []string) {
	s.t.Helper()
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		s.t.Fatal(err)
	}
	for _, b := range r.Spec.Rules[0].BackendRefs {
		for _, f := range b.Filters {
			value, _, _ := strings.Cut(f.ResponseHeaderModifier.Add[0].Value, ";")
			cookies = append(cookies, value)
		}
	}
	return len(r.Spec.Rules) - 1, cookies
}

// TestUsersAreKeptUntilTheAbort walks a release whose users stay, over a real API
// server, and takes it back: with one write nothing is left of it.
func TestUsersAreKeptUntilTheAbort(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.gatewayOf(backendAnswers)
	ro := s.rollout(weight(25), pause(), weight(50), pause())
	ro.Spec.Strategy.Canary.Stickiness = &v1alpha1.Stickiness{}
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	atRest := s.rules()
	s.release("shop:v2")
	is := func(step int32, rules int, weight string) {
		t.Helper()
		hash := s.until("paused", func(ro *v1alpha1.Rollout) bool {
			return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CurrentStep.Index == step
		}).Status.CanaryRevision
		got, cookies := s.kept()
		if got != rules || len(cookies) != 2 || !strings.HasPrefix(cookies[1], "sluice-shop="+hash+"-") || cookies[0] != cookies[1]+weight {
			t.Errorf("at step %d there are %d rules for cookies, and %q are handed out, want %d, and those of %s at %s", step, got, cookies, rules, hash, weight)
		}
	}
	is(1, 2, "-25")
	s.promote(1)
	is(3, 3, "-50")
	s.command(`{"id": "abort", "verb": "abort", "by": "jane"}`)
	s.untilPhase(v1alpha1.PhaseDegraded)
	if got := s.rules(); got != atRest {
		t.Errorf("after the abort the route has %s, want %s", got, atRest)
	}
	s.command(`{"id": "retry", "verb": "retry", "by": "jane"}`)
	is(1, 2, "-25")
}

// TestAnothersCookieIsNamed: a backend of the user's that begins to hand out the cookie
// in mid-release makes strangers of its users. That is said, nothing is waited for
// in silence, and the way back leaves the backend as it is.
func TestAnothersCookieIsNamed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.gatewayOf(backendAnswers)
	ro := s.rollout(weight(25), pause())
	ro.Spec.Strategy.Canary.Stickiness = &v1alpha1.Stickiness{}
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)

	legacy := gatewayv1.HTTPBackendRef{Filters: []gatewayv1.HTTPRouteFilter{{
		Type:                   gatewayv1.HTTPRouteFilterResponseHeaderModifier,
		ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{Add: []gatewayv1.HTTPHeader{{Name: "Set-Cookie", Value: "sluice-shop=legacy"}}},
	}}}
	legacy.Name, legacy.Port, legacy.Weight = "legacy", ptr.To(gatewayv1.PortNumber(80)), ptr.To(int32(0))
	r := s.httpRoute()
	s.edit(r, func() { r.Spec.Rules[0].BackendRefs = append(r.Spec.Rules[0].BackendRefs, legacy) })
	got := s.until("the cookie is named", func(ro *v1alpha1.Rollout) bool {
		return meta.IsStatusConditionFalse(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
	})
	if says, want := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid).Message, "backendRefs[2] in spec.rules[0] (main) of HTTPRoute "+s.ns+"/shop hands out a cookie sluice-shop"; !strings.Contains(says, want) {
		t.Errorf("SpecValid says %q, want %q in it", says, want)
	}
	s.command(`{"id": "abort", "verb": "abort", "by": "jane"}`)
	s.until("back with stable", func(ro *v1alpha1.Rollout) bool {
		rules, _ := s.kept()
		_, canary := s.weights()
		return ro.Status.Abort != nil && rules == 0 && canary == 0
	})
	if _, cookies := s.kept(); !slices.Equal(cookies, []string{"sluice-shop=legacy"}) {
		t.Errorf("after the abort the route hands out %q", cookies)
	}
}

// TestStickinessNeedsADataPlane: a class that lists other features is not trusted with
// filters on backends; the Rollout says so, writes nothing, and goes on once the feature is there.
func TestStickinessNeedsADataPlane(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	class := s.gatewayOf("HTTPRouteResponseHeaderModification", "HTTPRouteBackendRequestHeaderModification")
	ro := s.rollout(weight(25), pause())
	ro.Spec.Strategy.Canary.Stickiness = &v1alpha1.Stickiness{}
	s.create(ro)
	got := s.until("the mistake is named", func(ro *v1alpha1.Rollout) bool {
		for _, c := range ro.Status.Conditions {
			if c.Type == v1alpha1.ConditionSpecValid && c.Status == "False" {
				return true
			}
		}
		return false
	})
	for _, c := range got.Status.Conditions {
		if want := "sluice.dev/supported-features: " + backendAnswers; c.Type == v1alpha1.ConditionSpecValid && !strings.Contains(c.Message, want) {
			t.Errorf("SpecValid says %q, want %q in it", c.Message, want)
		}
	}
	if rules, cookies := s.kept(); rules > 0 || len(cookies) > 0 {
		t.Errorf("the route has %d rules of ours and hands out %q", rules, cookies)
	}
	s.features(class, backendAnswers)
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	if rules, _ := s.kept(); rules != 2 {
		t.Errorf("the route has %d rules for cookies, want 2", rules)
	}
}
