// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// takingOver has v1 be the first revision beside a Deployment, with some of its pods up.
func takingOver(w Workload, ours Revision) edit {
	return func(s *Snapshot) {
		w.Name = "shop"
		s.Workload, s.Revisions = &w, []Revision{ours}
		s.Rollout.Spec.WorkloadRef = &v1alpha1.WorkloadRef{Kind: "Deployment", Name: "shop"}
		s.Rollout.Status = v1alpha1.RolloutStatus{CanaryRevision: "v1", Release: 1, StartedAt: ptr.To(metav1.NewTime(noon.Add(-time.Minute)))}
		s.StableService, s.CanaryService = service("stable", "", 4), service("canary", "", 4)
	}
}

// TestAdoptionSaysWhatItWaitsFor: a Deployment that is about a rollout of its own
// leaves no room, so that nothing of ours ever comes. People read which, why and what to do.
func TestAdoptionSaysWhatItWaitsFor(t *testing.T) {
	const (
		timedOut = `ReplicaSet "shop-7d9" has timed out progressing`
		blocked  = "waiting for Deployment shop's own rollout, which leaves no room for ours (5 pods, wants 4): "
	)
	mid := func(change func(*Workload)) Workload {
		w := Workload{Replicas: 4, Current: 5, Available: 4}
		change(&w)
		return w
	}
	late := Revision{Hash: "v1", Name: "shop-v1", Number: 1, Replicas: 1, Current: 1, Trouble: "pod shop-v1-a: ErrImagePull"}
	for name, tc := range map[string]struct {
		reason string
		w      Workload
		ours   Revision
		want   string
	}{
		"UnderWay": {"nobody knows yet that it is stuck", mid(func(*Workload) {}), revision("v1", 1, 0), blocked + "that comes first"},
		"TimedOut": {"its controller says so", mid(func(w *Workload) { w.Trouble = timedOut }), revision("v1", 1, 0),
			blocked + timedOut + "; mend its pod template, make room for its pods, or undo it"},
		"Paused": {"somebody has to resume it", mid(func(w *Workload) { w.Trouble, w.Paused = "Deployment is paused", true }), revision("v1", 1, 0),
			blocked + "Deployment is paused; resume it"},
		"OfNoMatter": {"a quota that keeps a pod of its away keeps none of ours", Workload{Replicas: 4, Current: 3, Trouble: "exceeded quota"}, revision("v1", 1, 1),
			"taking over from Deployment shop: 1 of 4 pods are ours and available"},
		"ShrinksNow": {"it was told to a moment ago", Workload{Replicas: 3, Current: 4}, revision("v1", 1, 1),
			"taking over from Deployment shop: 1 of 4 pods are ours and available"},
		"StuckLater": {"it has shrunk, and is stuck on a newer template", Workload{Replicas: 3, Current: 4, Trouble: timedOut}, revision("v1", 1, 1),
			"no room for ours (4 pods, wants 3): " + timedOut + "; mend its pod template, make room for its pods, or undo it"},
		"OurPodIsLate": {"ours comes first", mid(func(w *Workload) { w.Trouble = timedOut }), late,
			"taking over from Deployment shop: 0 of 4 pods are ours and available; pod shop-v1-a: ErrImagePull"},
	} {
		t.Run(name, func(t *testing.T) {
			for how, split := range map[string]edit{"by routes": func(*Snapshot) {}, "by pods": byPods("1")} {
				got := Decide(scene(takingOver(tc.w, tc.ours), split)).Status
				if got.Phase != v1alpha1.PhaseProgressing || !strings.HasSuffix(got.Message, tc.want) {
					t.Errorf("%s, %s: %s: %q, want %q", tc.reason, how, got.Phase, got.Message, tc.want)
				}
			}
		})
	}
}

// TestLateWorkloadIsAskedAbout: its pods are read only while they are what is waited for.
func TestLateWorkloadIsAskedAbout(t *testing.T) {
	begun := func(ago time.Duration) edit {
		return func(s *Snapshot) { s.Rollout.Status.StartedAt = ptr.To(metav1.NewTime(noon.Add(-ago))) }
	}
	gone := func(ago time.Duration) edit {
		return func(s *Snapshot) { s.Rollout.DeletionTimestamp = ptr.To(metav1.NewTime(noon.Add(-ago))) }
	}
	surplus, short := Workload{Replicas: 4, Current: 5}, Workload{Replicas: 4, Current: 4, Available: 3, Before: ptr.To(int32(4))}
	for name, tc := range map[string]struct {
		reason   string
		edits    []edit
		late     bool
		in, wake time.Duration
	}{
		"None":   {reason: "there is no Deployment", edits: []edit{settledNow}},
		"Soon":   {"its pods may take a moment", []edit{takingOver(surplus, revision("v1", 1, 0)), begun(4 * time.Second)}, true, 6 * time.Second, 6 * time.Second},
		"Late":   {"somebody wants to know", []edit{takingOver(surplus, revision("v1", 1, 0)), begun(time.Minute)}, true, 0, lateAgain},
		"AtRest": {"it has as many as it wants", []edit{takingOver(Workload{Replicas: 4, Current: 4}, revision("v1", 1, 1)), begun(time.Minute)}, false, 0, 0},
		"GivenOver": {"after the adoption its pods are nobody's wait", []edit{takingOver(surplus, revision("v1", 1, 4)), begun(time.Minute),
			func(s *Snapshot) { s.Rollout.Status.StableRevision, s.Rollout.Status.CanaryRevision = "v1", "" }}, false, 0, 0},
		"Deleted": {"it has to take over again", []edit{takingOver(short, revision("v1", 1, 4)), gone(time.Minute)}, true, 0, lateAgain},
		"JustNow": {"which takes a moment", []edit{takingOver(short, revision("v1", 1, 4)), gone(time.Second)}, true, 9 * time.Second, 9 * time.Second},
		"Never":   {"it was never scaled down, and is not waited for", []edit{takingOver(Workload{Replicas: 4, Available: 3}, revision("v1", 1, 4)), gone(time.Minute)}, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(tc.edits...)
			if late, in := LateWorkload(s); late != tc.late || in != tc.in {
				t.Errorf("%s: late %t in %s, want %t in %s", tc.reason, late, in, tc.late, tc.in)
			}
			if wake := LateWake(s); wake != tc.wake {
				t.Errorf("%s: looks again in %s, want %s", tc.reason, wake, tc.wake)
			}
		})
	}
}
