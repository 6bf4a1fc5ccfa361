// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
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
		started   *metav1.Time
		first     bool
		available int32
		hash      string
		in, wake  time.Duration
	}{
		"AtRest":   {reason: "nothing is in flight", started: ago(time.Hour)},
		"Soon":     {reason: "pods may take a moment", canary: "v2", waiting: ago(4 * time.Second), hash: "v2", in: 6 * time.Second, wake: 6 * time.Second},
		"Late":     {reason: "somebody wants to know", canary: "v2", waiting: ago(11 * time.Second), hash: "v2", wake: 30 * time.Second},
		"Complete": {reason: "the step waits for something else", canary: "v2", waiting: ago(time.Minute), available: 2},
		"Paused":   {reason: "the step waits for a person", canary: "v2"},
		"First":    {reason: "the first revision has no steps", canary: "v2", first: true, started: ago(time.Minute), hash: "v2", wake: 30 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ro := &v1alpha1.Rollout{}
			ro.Status.CanaryRevision, ro.Status.StartedAt = tc.canary, tc.started
			if !tc.first {
				ro.Status.CurrentStep = &v1alpha1.CurrentStep{WaitingSince: tc.waiting}
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
