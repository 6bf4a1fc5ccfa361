// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// unread is a problem that may be none, beside which nobody knows what is wanted.
func unread(s *Snapshot) {
	s.Problems = append(s.Problems, Problem{Field: "spec.trackConfig", Message: "can't be read", Unread: true})
	s.Template, s.Target = nil, ""
}

// waitingSince has the step wait for the cluster for so long, in vain.
func waitingSince(d time.Duration) edit {
	return func(s *Snapshot) {
		s.Revisions[1].Ready, s.Revisions[1].Available = 0, 0
		s.CanaryService.Ready = map[string]int32{}
		s.Rollout.Spec.ProgressDeadlineSeconds = ptr.To(int32(300))
		if d > 0 {
			s.Rollout.Status.CurrentStep.WaitingSince = ptr.To(metav1.NewTime(noon.Add(-d)))
		}
	}
}

// TestNoClockMindsAFailedRead: it neither stops nor begins anew, and what it leads to
// comes at its time. What a person has to mend stops it.
func TestNoClockMindsAFailedRead(t *testing.T) {
	approve := inSteps(weightStep(25), v1alpha1.Step{Approve: &v1alpha1.Approve{
		Timeout: &v1alpha1.Duration{Duration: 30 * time.Second}, OnTimeout: v1alpha1.OnTimeoutAbort,
	}})
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		// since is for how long the step has waited by what is reported; negative for not at all.
		since time.Duration
		abort string
	}{
		"Runs":     {"it has run for a while", []edit{canaryOf(0, 1, 0), waitingSince(time.Minute), unread}, time.Minute, ""},
		"Starts":   {"a wait that begins now begins now", []edit{canaryOf(0, 1, 0), waitingSince(0), unread}, 0, ""},
		"Deadline": {"the deadline is over", []edit{canaryOf(0, 1, 0), waitingSince(301 * time.Second), unread}, -1, v1alpha1.ReasonDeadlineExceeded},
		"Timeout":  {"nobody approved in time", []edit{approve, canaryOf(1, 1, 25), settledNow, unread}, -1, v1alpha1.ReasonTimedOut},
		"Paused":   {"a person holds it beside", []edit{canaryOf(0, 1, 0), waitingSince(time.Minute), unread, pausedBySpec}, -1, ""},
		"Mistake":  {"something has to be mended beside", []edit{canaryOf(0, 1, 0), waitingSince(time.Minute), problem, unread}, -1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(tc.edits...)
			s.Rollout.Status.Image = "shop:v2"
			p := Decide(s)
			var since *metav1.Time
			if tc.since >= 0 {
				since = ptr.To(metav1.NewTime(noon.Add(-tc.since)))
			}
			got, abort := p.Status.CurrentStep.WaitingSince, ""
			if p.Status.Abort != nil {
				abort = p.Status.Abort.Reason
			}
			if !got.Equal(since) || abort != tc.abort || p.Status.Image != "shop:v2" || p.Status.UpdatedReplicas != 1 {
				t.Errorf("%s: waits since %v, want %v; aborted for %q, want %q; image %q, %d updated: %s",
					tc.reason, got, since, abort, tc.abort, p.Status.Image, p.Status.UpdatedReplicas, p.Status.Message)
			}
			if abort != "" && p.CanWait() {
				t.Errorf("%s: an abort may wait", tc.reason)
			}
		})
	}
}

// TestAWaitIsRememberedWithoutAWrite: it may begin or end in a pass that fails.
func TestAWaitIsRememberedWithoutAWrite(t *testing.T) {
	at := metav1.NewTime(noon)
	step := func(index int32, waiting *metav1.Time) *v1alpha1.CurrentStep {
		return &v1alpha1.CurrentStep{Index: index, Since: at, WaitingSince: waiting}
	}
	for name, tc := range map[string]struct {
		reason   string
		old, now *v1alpha1.CurrentStep
		want     *metav1.Time
		other    bool
	}{
		"Begins":  {"it waits from now on", step(1, nil), step(1, &at), &at, true},
		"Ends":    {"what it waited for has come", step(1, &at), step(1, nil), nil, true},
		"Goes on": {"nothing is new", step(1, &at), step(1, &at), &at, false},
		"Other":   {"the step was not begun before the pass failed", step(1, &at), step(2, nil), &at, false},
		"Over":    {"nor was the release ended", step(1, &at), nil, &at, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, other := Remember(v1alpha1.RolloutStatus{CurrentStep: tc.old}, v1alpha1.RolloutStatus{CurrentStep: tc.now})
			if !got.CurrentStep.WaitingSince.Equal(tc.want) || got.CurrentStep.Index != 1 || other != tc.other {
				t.Errorf("%s: %+v, another one %t", tc.reason, got.CurrentStep, other)
			}
		})
	}
}

// TestPodsMoreAreRememberedWithoutAWrite: they are counted with the wait that they begin anew.
func TestPodsMoreAreRememberedWithoutAWrite(t *testing.T) {
	at, later := metav1.NewTime(noon), metav1.NewTime(noon.Add(time.Minute))
	first := func(release int64, since *metav1.Time, most int32) v1alpha1.RolloutStatus {
		return v1alpha1.RolloutStatus{CanaryRevision: "v1", Release: release, WaitingSince: since, AvailableSoFar: &most}
	}
	aborts := first(1, nil, 0)
	aborts.Abort = &v1alpha1.AbortStatus{}
	for name, tc := range map[string]struct {
		reason string
		now    v1alpha1.RolloutStatus
		most   int32
	}{
		"More":  {"one pod more is available", first(1, &later, 2), 2},
		"Other": {"it is about another release, which was not begun before the pass failed", first(2, &later, 2), 1},
		"Abort": {"the deadline has passed, and an abort that could not be written begins no wait anew", aborts, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, other := Remember(first(1, &at, 1), tc.now)
			if *got.AvailableSoFar != tc.most || got.WaitingSince.Equal(&later) != (tc.most == 2) || other != (tc.most == 2) {
				t.Errorf("%s: %d since %s, another one %t", tc.reason, *got.AvailableSoFar, got.WaitingSince, other)
			}
		})
	}
}
