// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// besideAnother adds a second route, whose weights at rest are the user's own.
func besideAnother(s *shop, ro *v1alpha1.Rollout) {
	s.create(another(s))
	c := ro.Spec.Strategy.Canary
	ref := c.Routes[0]
	ref.Name = "two"
	c.Routes = append(c.Routes, ref)
}

func another(s *shop) *gatewayv1.HTTPRoute {
	r := route(s.ns)
	r.Name = "two"
	*r.Spec.Rules[0].BackendRefs[0].Weight = 1
	return r
}

// TestAbortWithARouteGone: somebody deletes one of two routes while a canary has half
// of both. What the other one sends has to come back all the same.
func TestAbortWithARouteGone(t *testing.T) {
	t.Parallel()
	s, first := opened(t, besideAnother, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	if err := s.client.Delete(s.ctx, another(s)); err != nil {
		t.Fatal(err)
	}
	s.until("told which route is gone", func(ro *v1alpha1.Rollout) bool {
		valid := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
		return ro.Status.Phase == v1alpha1.PhaseHolding && valid != nil && strings.Contains(valid.Message, "two does not exist")
	})
	if stable, canary := s.weights(); stable != 50 || canary != 50 {
		t.Errorf("held with weights %d and %d, want the 50 and 50 that there were", stable, canary)
	}
	s.say(v1alpha1.VerbAbort)
	aborted := s.untilPhase(v1alpha1.PhaseDegraded)
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("weights after the abort: %d and %d", stable, canary)
	}
	if aborted.Status.StableRevision != first || !strings.Contains(aborted.Status.Message, "two does not exist") {
		t.Errorf("stable is %s (want %s) and the message %q, which should name what to mend before the next release", aborted.Status.StableRevision, first, aborted.Status.Message)
	}
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Routes = ro.Spec.Strategy.Canary.Routes[:1] })
	s.until("the other route alone bound", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Bindings != nil && len(ro.Status.Bindings.Routes) == 1 && s.replicas(second) == 0
	})
}

// TestARouteThatIsBackIsTheUsersOwn: while it is gone the former template brings the
// other route back to stable, and what the user wrote into the gone one is remembered.
func TestARouteThatIsBackIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	s, first := opened(t, besideAnother, weight(50), pause())
	own := s.get().Status.OriginalWeights
	s.release("shop:v2")
	s.atStep(1)
	if err := s.client.Delete(s.ctx, another(s)); err != nil {
		t.Fatal(err)
	}
	s.release("shop:v1")
	s.until("all traffic back on stable", func(ro *v1alpha1.Rollout) bool {
		stable, canary := s.weights()
		return stable == 100 && canary == 0 && ro.Status.Phase == v1alpha1.PhaseHolding && ro.Status.StableRevision == first
	})
	if diff := cmp.Diff(own, s.get().Status.OriginalWeights); diff != "" {
		t.Errorf("what the user wrote is remembered otherwise (-before +after):\n%s", diff)
	}
	s.create(another(s))
	s.until("in order again", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && len(ro.Status.Traffic.Confirmed) > 0
	})
	if err := s.client.Delete(s.ctx, s.get()); err != nil {
		t.Fatal(err)
	}
	s.gone(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"}})
	two := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(s.ctx, client.ObjectKeyFromObject(another(s)), two); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(another(s).Spec.Rules[0].BackendRefs[0].Weight, two.Spec.Rules[0].BackendRefs[0].Weight); diff != "" {
		t.Errorf("handed back otherwise (-want +got):\n%s", diff)
	}
}

// TestAReleaseMovesToAnotherRouteWhenItsOwnIsGone: nothing brings the traffic of a route
// back that is not there, and nothing has to.
func TestAReleaseMovesToAnotherRouteWhenItsOwnIsGone(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		s.create(another(s))
		ro.Spec.Strategy.Canary.Convergence.Timeout = &v1alpha1.Duration{Duration: 5 * time.Second}
	}, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	if err := s.client.Delete(s.ctx, route(s.ns)); err != nil {
		t.Fatal(err)
	}
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Routes[0].Name = "two" })
	s.until("told until when it is waited for", func(ro *v1alpha1.Rollout) bool {
		return strings.Contains(ro.Status.Message, "HTTPRoute shop deleted, and followed by nobody from")
	})
	again := s.until("released by the other route", func(ro *v1alpha1.Rollout) bool {
		b := ro.Status.Bindings
		return b != nil && len(b.Routes) == 1 && b.Routes[0].Name == "two" && ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CanaryRevision == second
	})
	if again.Status.StableRevision != first || again.Status.Release != 3 {
		t.Errorf("stable is %s (want %s) in release %d, want a third one", again.Status.StableRevision, first, again.Status.Release)
	}
}
