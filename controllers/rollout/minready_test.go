// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
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
