// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// A Deployment brings its minReadySeconds along. Whoever changes them later, there
// or in the Rollout, changes them for the pods that run, none of which is replaced.
func TestMinReadySecondsReachThePodsThatRun(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	d := s.deployment()
	s.edit(d, func() { d.Spec.MinReadySeconds = 3 })
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	if got := s.replicaSet(first).Spec.MinReadySeconds; got != 3 {
		t.Errorf("the ReplicaSet was made with minReadySeconds %d, want the Deployment's 3", got)
	}
	before := map[string]bool{}
	for _, p := range s.pods(first) {
		before[p.Name] = true
	}
	becomes := func(hash string, n int32) {
		t.Helper()
		s.until(fmt.Sprintf("%s with minReadySeconds %d", hash, n), func(*v1alpha1.Rollout) bool { return s.replicaSet(hash).Spec.MinReadySeconds == n })
	}

	d = s.deployment()
	s.edit(d, func() { d.Spec.MinReadySeconds = 1 })
	becomes(first, 1)
	d = s.deployment()
	s.edit(d, func() { d.Spec.Template = *podTemplate("shop:v2") })
	second := s.atStep(1).Status.CanaryRevision
	becomes(second, 1)
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.MinReadySeconds = 2 })
	becomes(first, 2)
	becomes(second, 2)
	for _, p := range s.pods(first) {
		if !before[p.Name] {
			t.Errorf("pod %s is new: how long pods must be ready is no reason to replace any", p.Name)
		}
	}
	if stable, canary := s.weights(); stable != 50 || canary != 50 {
		t.Errorf("weights are %d and %d, want 50 and 50 as before the edit", stable, canary)
	}
}

// A rolling update waits for pods from its first batch to its last. Each of these takes
// less than the deadline, and all of them more.
func TestARollingUpdateMayTakeLongerThanTheDeadline(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout()
	ro.Spec.Strategy, ro.Spec.MinReadySeconds, ro.Spec.ProgressDeadlineSeconds = v1alpha1.Strategy{}, 4, ptr.To(int32(14))
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	s.healthyWith(first)

	last := s.get().Status.History[0]
	if took := last.EndedAt.Sub(last.StartedAt.Time); last.Cause != v1alpha1.CausePromoted || took < 14*time.Second {
		t.Errorf("%s after %s, want it promoted after more than the deadline of 14s", last.Cause, took)
	}
}
