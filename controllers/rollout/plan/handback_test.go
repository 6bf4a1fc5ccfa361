// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"k8s.io/utils/ptr"
)

// TestDeletionBesideADeploymentThatCantComeUp: it is waited for, and people read why
// and what ends that. Its replicas do not: a manifest may keep them at 0.
func TestDeletionBesideADeploymentThatCantComeUp(t *testing.T) {
	const (
		waits  = "waiting for Deployment shop, 1 of 4 pods available"
		remedy = "; if they never come, mend its pod template or make room for them, or give it up and delete it: nothing is waited for then, and the Rollout's pods leave"
		ends   = "let the Rollout go"
	)
	heir := func(change func(*Workload)) edit {
		return func(s *Snapshot) {
			s.Workload = &Workload{Name: "shop", Replicas: 4, Current: 4, Available: 1, Before: ptr.To(int32(4)), ScaledTo: ptr.To(int32(4))}
			change(s.Workload)
		}
	}
	for name, m := range map[string]moment{
		"Late":      {"nobody knows whether they will come", scene(settledNow, deleted, heir(func(*Workload) {})), []string{waits + remedy}, []string{ends}},
		"Kept":      {"what keeps them is told", scene(settledNow, deleted, heir(func(w *Workload) { w.Trouble = "exceeded quota" })), []string{waits + "; exceeded quota" + remedy}, []string{ends}},
		"ScaledTo0": {"that may be a manifest's word", scene(settledNow, deleted, heir(func(w *Workload) { w.Replicas = 0 })), []string{"scale Deployment shop from 0 to 4"}, []string{ends}},
		"Deleted":   {"nobody is left to take over", scene(settledNow, deleted), []string{ends}, []string{"waiting"}},
	} {
		t.Run(name, m.check)
	}
}
