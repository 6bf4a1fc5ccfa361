// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestLatePodsAreAskedAbout: pods are read only for a revision in flight that
// has been short of them for a while.
func TestLatePodsAreAskedAbout(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *metav1.Time { at := metav1.NewTime(now.Add(-d)); return &at }
	cases := map[string]struct {
		reason    string
		canary    string
		waiting   *metav1.Time
		since     *metav1.Time
		started   *metav1.Time
		first     bool
		kept      bool
		available int32
		hash      string
		in, wake  time.Duration
	}{
		"AtRest":   {reason: "nothing is in flight", started: ago(time.Hour)},
		"Soon":     {reason: "pods may take a moment", canary: "v2", waiting: ago(4 * time.Second), hash: "v2", in: 6 * time.Second, wake: 6 * time.Second},
		"Late":     {reason: "somebody wants to know", canary: "v2", waiting: ago(11 * time.Second), hash: "v2", wake: 30 * time.Second},
		"Batches":  {reason: "one pod more came a moment ago, and this one has not", canary: "v2", since: ago(time.Minute), waiting: ago(time.Second), available: 1, hash: "v2", wake: 30 * time.Second},
		"Complete": {reason: "the step waits for something else", canary: "v2", waiting: ago(time.Minute), available: 2},
		"Paused":   {reason: "the step waits for a person", canary: "v2"},
		"Kept":     {reason: "the deadline allows for pods that stable keeps, and people want to know all the same", canary: "v2", since: ago(time.Minute), kept: true, hash: "v2", wake: 30 * time.Second},
		"First":    {reason: "the first revision has no steps", canary: "v2", first: true, started: ago(time.Minute), hash: "v2", wake: 30 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ro := &v1alpha1.Rollout{}
			ro.Status.CanaryRevision, ro.Status.StartedAt = tc.canary, tc.started
			if !tc.first {
				ro.Status.CurrentStep = &v1alpha1.CurrentStep{Since: *cmp.Or(tc.since, tc.waiting, ago(time.Hour)), WaitingSince: tc.waiting}
			}
			if tc.kept {
				ro.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v1", KeptSince: ago(time.Second)}}
			}
			s := Snapshot{Now: now, Rollout: ro, Revisions: []Revision{{Hash: "v2", Replicas: 2, Available: tc.available}}}
			if hash, in := LatePods(s); hash != tc.hash || in != tc.in {
				t.Errorf("%s: LatePods gives %q in %s, want %q in %s", tc.reason, hash, in, tc.hash, tc.in)
			}
			if wake := LateWake(s); wake != tc.wake {
				t.Errorf("%s: LateWake gives %s, want %s", tc.reason, wake, tc.wake)
			}
		})
	}
}

// TestLatePodsOfStable: the same words are told of stable where it is what is waited for.
func TestLatePodsOfStable(t *testing.T) {
	short := func(s *Snapshot) { s.Revisions[0].Available = 3 }
	surging := func(s *Snapshot) { s.Revisions[0].Replicas, s.Revisions[0].Current = 5, 5 }
	ready := func(status metav1.ConditionStatus, ago time.Duration) edit {
		return func(s *Snapshot) {
			s.Rollout.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, LastTransitionTime: metav1.NewTime(noon.Add(-ago))}}
		}
	}
	troubled := func(s *Snapshot) { s.Revisions[0].Trouble = "pod a: Unschedulable" }
	aborted := func(s *Snapshot) {
		latched("Bad")(s)
		s.Rollout.Status.Abort.At = metav1.NewTime(noon.Add(-time.Minute))
	}
	for name, tc := range map[string]struct {
		reason   string
		edits    []edit
		hash     string
		in, wake time.Duration
	}{
		"Full":      {"it has all its pods", []edit{ready(metav1.ConditionFalse, time.Minute)}, "", 0, 0},
		"JustLost":  {"nobody has been told yet", []edit{short, ready(metav1.ConditionTrue, time.Hour)}, "", 0, 0},
		"Soon":      {"pods may take a moment", []edit{short, ready(metav1.ConditionFalse, 4*time.Second)}, "v1", 6 * time.Second, 6 * time.Second},
		"Late":      {"a pod that is not late yet may be so soon", []edit{short, ready(metav1.ConditionFalse, time.Minute)}, "v1", 0, lateAfter},
		"Told":      {"what is known is asked again", []edit{short, troubled, ready(metav1.ConditionFalse, time.Minute)}, "v1", 0, lateAgain},
		"Restart":   {"a restart waits for one pod more", []edit{surging, ready(metav1.ConditionFalse, time.Minute)}, "v1", 0, lateAfter},
		"Returning": {"the way back waits for stable, not for the canary", []edit{canaryOf(1, 1, 25), short, aborted}, "v1", 0, lateAfter},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(tc.edits...)
			if hash, in := LatePods(s); hash != tc.hash || in != tc.in {
				t.Errorf("%s: LatePods gives %q in %s, want %q in %s", tc.reason, hash, in, tc.hash, tc.in)
			}
			if wake := LateWake(s); wake != tc.wake {
				t.Errorf("%s: LateWake gives %s, want %s", tc.reason, wake, tc.wake)
			}
		})
	}
	s := scene(canaryOf(1, 1, 25))
	for _, tc := range []struct {
		hash string
		age  time.Duration
		want bool
	}{{"v1", 4 * time.Second, false}, {"v1", lateAfter, true}, {"v2", 0, true}} {
		if got := LatePod(s, tc.hash, noon.Add(-tc.age)); got != tc.want {
			t.Errorf("a pod of %s is late after %s: %t, want %t", tc.hash, tc.age, got, tc.want)
		}
	}
}
