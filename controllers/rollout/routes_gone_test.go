// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestAbortWithARouteGone: somebody deletes one of two routes while a canary has half
// of both. What the other one sends has to come back all the same.
func TestAbortWithARouteGone(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		two := route(s.ns)
		two.Name = "two"
		s.create(two)
		c := ro.Spec.Strategy.Canary
		ref := c.Routes[0]
		ref.Name = two.Name
		c.Routes = append(c.Routes, ref)
	}, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	two := route(s.ns)
	two.Name = "two"
	if err := s.client.Delete(s.ctx, two); err != nil {
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
