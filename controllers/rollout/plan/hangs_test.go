// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// underWay is a status at a step of the release of b, with a stable.
func underWay(step int32) v1alpha1.RolloutStatus {
	return v1alpha1.RolloutStatus{
		Phase: v1alpha1.PhaseProgressing, StableRevision: "a", CanaryRevision: "b", Release: 2,
		CurrentStep: &v1alpha1.CurrentStep{Index: step}, Bindings: &v1alpha1.Bindings{Strategy: StrategyCanary, Routes: []v1alpha1.RouteRef{{Name: "shop"}}},
	}
}

// with gives a status with changes.
func with(s v1alpha1.RolloutStatus, change func(*v1alpha1.RolloutStatus)) v1alpha1.RolloutStatus {
	change(&s)
	return s
}

func TestHangsOn(t *testing.T) {
	resting := with(underWay(0), func(s *v1alpha1.RolloutStatus) { s.CanaryRevision, s.CurrentStep, s.Release = "", nil, 1 })
	revisions := []Revision{{Hash: "a", Name: "shop-a"}, {Hash: "b", Name: "shop-b"}, {Hash: "old", Name: "shop-old"}}
	cases := map[string]struct {
		reason   string
		from, to v1alpha1.RolloutStatus
		actions  []Action
		runs     int
		want     Kinds
	}{
		"Nothing":   {reason: "Words hang on nothing.", from: underWay(1), to: underWay(1), want: 0},
		"Begin":     {reason: "The lock of the status is enough for a beginning.", from: resting, to: underWay(0), want: 0},
		"Step":      {reason: "So it is for a step.", from: underWay(0), to: underWay(1), want: 0},
		"Judged":    {reason: "Unless an analysis may have failed.", from: underWay(0), to: underWay(1), runs: 1, want: Runs},
		"Back":      {reason: "No release goes back a step; what looks so is looked at in full.", from: underWay(1), to: underWay(0), want: AllKinds},
		"Supersede": {reason: "A release in another's place is looked at in full.", from: underWay(1), to: with(underWay(0), func(s *v1alpha1.RolloutStatus) { s.CanaryRevision, s.Release = "c", 3 }), want: AllKinds},
		"Abort":     {reason: "And so is an abort.", from: underWay(1), to: with(underWay(1), func(s *v1alpha1.RolloutStatus) { s.Abort = &v1alpha1.AbortStatus{} }), want: AllKinds},
		"Promote":   {reason: "Who is promoted has endpoints now.", from: underWay(2), to: with(resting, func(s *v1alpha1.RolloutStatus) { s.StableRevision, s.Release = "b", 2 }), want: Endpoints},
		"Shift":     {reason: "Weight hangs on endpoints.", from: underWay(1), to: underWay(1), actions: []Action{ShiftTraffic{}}, want: Endpoints},
		"Grow":      {reason: "More capacity does no harm.", from: underWay(1), to: underWay(1), actions: []Action{ScaleRevision{Name: "shop-b", From: 1, Replicas: 2}}, want: 0},
		"Shrink":    {reason: "Less of what has a role is looked at in full.", from: underWay(1), to: underWay(1), actions: []Action{ScaleRevision{Name: "shop-b", From: 2, Replicas: 1}}, want: AllKinds},
		"Retire":    {reason: "A retired revision must not be led to.", from: underWay(1), to: underWay(1), actions: []Action{ScaleRevision{Name: "shop-old", From: 2}}, want: Services | Endpoints},
		"Select":    {reason: "A Service that nobody is sent to may stand for anything.", from: underWay(1), to: underWay(1), actions: []Action{SelectRevision{Revision: "b"}}, want: Routes},
		"Serving":   {reason: "One that is sent a share needs pods.", from: underWay(1), to: underWay(1), actions: []Action{SelectRevision{Revision: "b", Share: 10}}, want: ReplicaSets | Services | Endpoints | Routes},
		"Widen":     {reason: "To give a Service back is looked at in full.", from: underWay(1), to: underWay(1), actions: []Action{SelectRevision{}}, want: AllKinds},
		"HandBack":  {reason: "So is the end.", from: underWay(1), to: underWay(1), actions: []Action{DropFinalizer{}}, want: AllKinds},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := Snapshot{Rollout: &v1alpha1.Rollout{Status: tc.from}, Revisions: revisions, Runs: make([]v1alpha1.AnalysisRun, tc.runs)}
			if got := HangsOn(s, Plan{Status: tc.to, Actions: tc.actions}); got != tc.want {
				t.Errorf("%s Got %b, want %b.", tc.reason, got, tc.want)
			}
		})
	}
}

func TestWorth(t *testing.T) {
	waiting := metav1.NewTime(time.Unix(1e9, 0))
	condition := func(kind string, is metav1.ConditionStatus) func(*v1alpha1.RolloutStatus) {
		return func(s *v1alpha1.RolloutStatus) {
			s.Conditions = []metav1.Condition{{Type: kind, Status: is, Message: "new"}}
		}
	}
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.RolloutStatus)
		want   time.Duration
	}{
		"Words":  {"A message can wait for the next step.", func(s *v1alpha1.RolloutStatus) { s.Message = "new" }, wordsUnderWay},
		"Counts": {"So can numbers.", func(s *v1alpha1.RolloutStatus) { s.Replicas = 5 }, wordsUnderWay},
		"Times": {"So can times.", func(s *v1alpha1.RolloutStatus) {
			s.CurrentStep = &v1alpha1.CurrentStep{Index: 1, WaitingSince: &waiting}
		}, wordsUnderWay},
		"Converged": {"And what changes with every weight.", condition(v1alpha1.ConditionTrafficConverged, metav1.ConditionTrue), wordsUnderWay},
		"Verdict":   {"A verdict can't.", condition(v1alpha1.ConditionReady, metav1.ConditionTrue), 0},
		"Step":      {"Nor can a step.", func(s *v1alpha1.RolloutStatus) { s.CurrentStep = &v1alpha1.CurrentStep{Index: 2} }, 0},
		"Phase":     {"Nor can a phase.", func(s *v1alpha1.RolloutStatus) { s.Phase = v1alpha1.PhaseHolding }, 0},
		"Command":   {"Nor can what somebody said.", func(s *v1alpha1.RolloutStatus) { s.LastCommand = &v1alpha1.CommandStatus{ID: "1"} }, 0},
		"Abort":     {"Least of all an abort.", func(s *v1alpha1.RolloutStatus) { s.Abort = &v1alpha1.AbortStatus{} }, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Worth(underWay(1), with(underWay(1), tc.change)); got != tc.want {
				t.Errorf("%s Got %s, want %s.", tc.reason, got, tc.want)
			}
		})
	}
	progress := func(is string) func(*v1alpha1.RolloutStatus) {
		return func(s *v1alpha1.RolloutStatus) {
			s.Message = "step 2/3: analyze: waiting for the analysis to pass" + is
			s.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: s.Message}}
		}
	}
	some := with(underWay(1), progress(": a: 41 of about 200 requests, ETA 13 min"))
	for reason, before := range map[string]v1alpha1.RolloutStatus{
		"It goes on.": with(underWay(1), progress(": a: 21 of about 200 requests, ETA 15 min")),
		"It begins.":  with(underWay(1), progress("")),
	} {
		if got := Worth(before, some); got != wordsOfProgress {
			t.Errorf("%s Progress of an analysis is not worth a write for each block. Got %s, want %s.", reason, got, wordsOfProgress)
		}
	}
	split := func(by v1alpha1.Evidence, weight int32, seen *v1alpha1.ObservedTraffic) v1alpha1.RolloutStatus {
		return with(underWay(1), func(s *v1alpha1.RolloutStatus) {
			s.Traffic = &v1alpha1.TrafficStatus{Confirmed: []v1alpha1.RevisionWeight{{Revision: "v2", Weight: weight}}, ConfirmedBy: by, Observed: seen}
		})
	}
	timed, watched := split(v1alpha1.EvidenceSettleTime, 25, nil), split(v1alpha1.EvidenceObservedShare, 25, &v1alpha1.ObservedTraffic{Canary: 25, Requests: 100})
	if got := Worth(timed, watched); got != wordsOfProgress {
		t.Errorf("That requests agree is not worth a write of its own. Got %s, want %s.", got, wordsOfProgress)
	}
	if got := Worth(split(v1alpha1.EvidenceSettleTime, 10, nil), watched); got != wordsUnderWay {
		t.Errorf("Another split is told with the next step. Got %s, want %s.", got, wordsUnderWay)
	}
	rest := func(s *v1alpha1.RolloutStatus) {
		s.CanaryRevision, s.CurrentStep, s.Phase = "", nil, v1alpha1.PhaseHealthy
	}
	told := with(underWay(0), rest)
	if got := Worth(told, with(told, func(s *v1alpha1.RolloutStatus) { s.Message = "new" })); got != wordsAtRest {
		t.Errorf("Nothing takes words along at rest. Got %s, want %s.", got, wordsAtRest)
	}
}
