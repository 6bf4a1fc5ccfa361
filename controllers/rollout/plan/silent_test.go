// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// silently has no data plane ever report what the routes carry.
func silently(s *Snapshot) { s.Traffic.Confirmed, s.Traffic.Silent = nil, true }

// unbound has the routes stand for other pods than the Services.
func unbound(s *Snapshot) {
	s.Traffic.Confirmed, s.Traffic.Silent, s.Traffic.Unbound = nil, false, true
}

// marked has the routes tell which pods they stand for.
func marked(s *Snapshot) { s.Traffic.Marked = true }

// shiftedLately has the routes carry what they carry for a second, half of convergence.settle.
func shiftedLately(s *Snapshot) {
	at := noon.Add(-time.Second)
	s.Rollout.Status.Traffic.Since.Time = at
	s.Rollout.Status.Traffic.AcceptedAt.Time = at
}

// TestWhatConfirms: what counts as confirmed, and what status says that it rests on.
func TestWhatConfirms(t *testing.T) {
	type said struct {
		By    v1alpha1.Evidence
		Known bool
		Step  int32
	}
	cases := map[string]struct {
		reason string
		edits  []edit
		want   said
	}{
		"Reported":     {reason: "a route that reports is evidence", want: said{v1alpha1.EvidenceRouteStatus, true, 1}},
		"Silent":       {reason: "time is all there is where nobody reports", edits: []edit{silently}, want: said{v1alpha1.EvidenceSettleTime, true, 1}},
		"SilentLately": {reason: "and it has to pass", edits: []edit{silently, shiftedLately}, want: said{"", false, 0}},
		"HalfWrittenBefore": {
			reason: "what one route carried before the others counts from when all do",
			edits:  []edit{func(s *Snapshot) { s.Rollout.Status.Traffic.Differ = true }}, want: said{"", false, 0},
		},
		"Unreported": {reason: "a route that will report is waited for however long", edits: []edit{func(s *Snapshot) { s.Traffic.Confirmed = nil }}, want: said{"", false, 0}},
		"Unbound":    {reason: "a route that stands for other pods proves nothing", edits: []edit{unbound, marked}, want: said{"", false, 0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Decide(scene(slices.Concat([]edit{canaryOf(0, 1, 25), settledNow}, tc.edits)...)).Status
			answer := said{got.Traffic.ConfirmedBy, len(got.Traffic.Confirmed) > 0, got.CurrentStep.Index}
			if diff := cmp.Diff(tc.want, answer); diff != "" {
				t.Errorf("%s (-want, +got):\n%s\nmessage: %s", tc.reason, diff, got.Message)
			}
		})
	}
}

// TestBinding: routes that tell which pods a slot stands for are told anew before
// any weight rises, and never in the way of one that falls.
func TestBinding(t *testing.T) {
	cases := map[string]struct {
		reason string
		edits  []edit
		want   []string
	}{
		"Bound":       {reason: "weight is given when pods are ready", edits: []edit{canaryOf(0, 1, 0), settledNow}, want: []string{ShiftTraffic{Split: traffic.CanaryAt(25)}.String()}},
		"Unbound":     {reason: "the routes follow first, with the shares they have", edits: []edit{canaryOf(0, 1, 0), settledNow, unbound}, want: []string{ShiftTraffic{Split: traffic.CanaryAt(0)}.String()}},
		"BoundLately": {reason: "what they follow has to reach the data plane before weight does", edits: []edit{canaryOf(0, 1, 0), silently, marked, settledNow, shiftedLately}},
		"Aborted":     {reason: "the way back waits for nothing", edits: []edit{canaryOf(0, 1, 25), settledNow, unbound, latched(v1alpha1.ReasonAbortedByCommand)}, want: []string{ShiftTraffic{Split: traffic.CanaryAt(0)}.String()}},
		"AtRest":      {reason: "a settled world that is bound gets no write", edits: []edit{silently, marked, settledNow}},
		"Drifted":     {reason: "somebody's edit of what they stand for is mended", edits: []edit{settledNow, unbound, marked}, want: []string{ShiftTraffic{Split: traffic.CanaryAt(0)}.String()}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range Decide(scene(tc.edits...)).Actions {
				if shift, ok := a.(ShiftTraffic); ok {
					got = append(got, ShiftTraffic{Split: shift.Split}.String())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMarkedIsReleased: what Release takes away is taken away before other routes
// are followed, although the shares are at rest.
func TestMarkedIsReleased(t *testing.T) {
	for name, tc := range map[string]struct {
		edits []edit
		want  bool
	}{
		"Plain":  {edits: []edit{settledNow}},
		"Marked": {edits: []edit{silently, marked, settledNow}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			actions := Decide(scene(append(tc.edits, rebound)...)).Actions
			got := slices.ContainsFunc(actions, func(a Action) bool { _, ok := a.(ReleaseTraffic); return ok })
			if got != tc.want {
				t.Errorf("released %t, want %t: %v", got, tc.want, actions)
			}
		})
	}
}
