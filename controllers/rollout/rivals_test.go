// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestTwoRolloutsNeverSteerOneService: the one that came second changes nothing,
// not even when it is deleted, says whose the Service is, and goes on by itself
// once it is free.
func TestTwoRolloutsNeverSteerOneService(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	healthy := s.untilPhase(v1alpha1.PhaseHealthy)
	elder := healthy.DeepCopy()

	second := s.rollout(weight(50))
	second.Name, second.Spec.Template = "second", podTemplate("shop:second")
	refused := func() {
		t.Helper()
		ro := s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhasePending })
		if want := "Service shop-canary is steered by Rollout shop already"; !strings.Contains(ro.Status.Message, want) {
			t.Errorf("the second one says %q, not %q", ro.Status.Message, want)
		}
		if len(ro.Status.Revisions) > 0 || len(ro.Finalizers) > 0 {
			t.Errorf("the second one has revisions %v and finalizers %v", ro.Status.Revisions, ro.Finalizers)
		}
	}
	s.create(second)
	refused()
	s.delete(second)
	active := &corev1.Service{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-stable"}, active); err != nil {
		t.Fatal(err)
	}
	if selects := active.Spec.Selector[v1alpha1.RevisionLabel]; selects != elder.Status.StableRevision {
		t.Errorf("Service shop-stable selects %q after the second Rollout was deleted", selects)
	}

	again := s.rollout(weight(50))
	again.Name, again.Spec.Template = "second", podTemplate("shop:second")
	s.create(again)
	refused()
	if got := s.get(); got.ResourceVersion != elder.ResourceVersion && got.Status.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("the first one is disturbed: %s: %s", got.Status.Phase, got.Status.Message)
	}
	s.delete(elder)
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHealthy })
}

// TestServiceThatIsLetGoIsTaken: a Rollout whose spec names other Services holds
// its former ones until they are given back; who waits for one hears of that.
func TestServiceThatIsLetGoIsTaken(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	s.untilPhase(v1alpha1.PhaseHealthy)
	second := s.rollout(weight(50))
	second.Name, second.Spec.Template = "second", podTemplate("shop:second")
	s.create(second)
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhasePending })

	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy = v1alpha1.Strategy{} })
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHealthy })
	s.untilPhase(v1alpha1.PhaseHealthy)
}
