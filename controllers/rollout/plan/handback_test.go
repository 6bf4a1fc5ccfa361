// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
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

// TestDeletionOfAnAbortedRelease: a bad version gets no traffic while a Deployment takes
// over, and none again by Services that list all pods.
func TestDeletionOfAnAbortedRelease(t *testing.T) {
	const ends, widens, returns = "scale shop-v2 from 2 to 0", "widen Service", "shift traffic to stable 100 %"
	heir := func(available int32) edit {
		return func(s *Snapshot) {
			s.Workload = &Workload{Name: "shop", Replicas: 4, Current: 4, Available: available, Before: ptr.To(int32(4)), ScaledTo: ptr.To(int32(4))}
		}
	}
	aborted := func(s *Snapshot) {
		s.Rollout.Status.Abort = &v1alpha1.AbortStatus{Revision: "v2", Reason: v1alpha1.ReasonAbortedByCommand}
	}
	home := func(s *Snapshot) {
		s.CanaryService = service("canary", "v1", 4)
		settledNow(s)
	}
	retired := func(s *Snapshot) { // the template went back to the good one, and that ended the release
		s.Rollout.Status.Abort, s.Rollout.Status.CanaryRevision, s.Rollout.Status.CurrentStep = nil, "", nil
	}
	longAgo := func(s *Snapshot) { s.Rollout.DeletionTimestamp.Time = noon.Add(-time.Hour) }
	gone := func(s *Snapshot) { s.Revisions[1].Replicas, s.Revisions[1].Current = 0, 0 }
	leaving := func(s *Snapshot) { s.Revisions[1].Replicas = 0 }
	of := func(weight int32, edits ...edit) Snapshot {
		return scene(append([]edit{canaryOf(0, 2, weight), aborted, settledNow, deleted}, edits...)...)
	}
	for name, m := range map[string]moment{
		"Returns":   {"it gets traffic, and the Deployment is to come", of(25, heir(1)), []string{returns, "waiting for Deployment"}, []string{ends, widens}},
		"Points":    {"it gets nothing any more, and a Service leads to it", of(0, heir(1)), []string{"point Service canary at revision v1", "waiting for Deployment"}, []string{ends, widens}},
		"Ends":      {"none does any more", of(0, heir(1), home), []string{ends, "waiting for Deployment"}, []string{widens}},
		"EndsFirst": {"it has pods, and the Deployment is there", of(0, heir(4), home), []string{ends, "waiting for the pods of all revisions but v1 to leave"}, []string{widens}},
		"Retired":   {"so has one of before", of(0, heir(4), home, retired), []string{ends, "waiting for the pods of all revisions but v1 to leave"}, []string{widens}},
		"Leaving":   {"they are on their way", of(0, heir(4), home, leaving), []string{"waiting for the pods of all revisions but v1 to leave"}, []string{widens, "scale shop-v2"}},
		"Stuck":     {"nobody waits for that for ever", of(0, heir(4), home, leaving, longAgo), []string{widens}, []string{"scale shop-v2"}},
		"Left":      {"they have left", of(0, heir(4), home, gone), []string{widens}, []string{"scale shop-v2"}},
		"Wide":      {"the Services are wide already, and the Deployment has lost a pod", of(0, heir(3), func(s *Snapshot) { s.StableService.Selects, s.CanaryService.Selects = "", "" }), nil, []string{"point Service", ends}},
		"NoStable":  {"stable has no pods, and the Deployment has", of(0, heir(4), home, behind("v1", 0)), []string{widens}, []string{ends}},
		"Taken":     {"another Rollout's pods carry the Service's callers by now", of(25, heir(1), func(s *Snapshot) { s.StableService.Selects, s.StableService.Rival = "w1", "other" }), nil, []string{"point Service", "shift", ends}},
		"ByPods":    {"pods are the split, and Services are wide at all times", of(0, heir(1), byPods("1")), nil, []string{ends}},
		"NoWay":     {"it gets traffic, which the Deployment can take", of(25, heir(4)), []string{widens}, []string{ends}},
		"NoHeir":    {"nobody takes over, and nothing is waited for", of(0), []string{"let the Rollout go"}, []string{ends}},
		"Good":      {"it was not aborted", scene(canaryOf(0, 2, 25), settledNow, deleted, heir(1)), nil, []string{"shift", ends}},
		"Settles":   {"it is looked again once the traffic is home", scene(canaryOf(0, 2, 25), aborted, settledNow, deleted, heir(1), carries(traffic.CanaryAt(0))), nil, []string{ends}},
	} {
		t.Run(name, m.check)
	}
	if wake := Decide(of(0, heir(1), home, func(s *Snapshot) { s.Rollout.Status.Traffic.AcceptedAt.Time = noon.Add(-time.Second) })).Wake; wake <= 0 {
		t.Error("nobody looks again once the traffic is home")
	}
}
