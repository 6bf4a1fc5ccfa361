// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// transitionCases has a scene for every transition, by its name: the first that it takes.
var transitionCases = map[string]struct {
	reason string
	scene  Snapshot
	want   mode
}{
	"Rebound": {
		"everything is given back, so that the new objects come into force",
		scene(rebound, func(s *Snapshot) {
			s.StableService, s.CanaryService = service("stable", "", 4), service("canary", "", 4)
		}, settledNow), resting,
	},
	"Recover": {
		"a status lost in a restore does not make a revision the first",
		scene(func(s *Snapshot) { s.Rollout.Status = v1alpha1.RolloutStatus{} }, wants("v2")), resting,
	},
	"Begin":        {"a new template begins a release", scene(wants("v2"), settledNow), forward},
	"ReplaceFirst": {"the first revision never carried anything, so that there is nothing to go back to", scene(firstOf("v1", 0), wants("v2")), initial},
	"FirstPromoted": {
		"the first revision is there in full and gets everything",
		scene(firstOf("v1", 4), settledNow), resting,
	},
	"Supersede": {"V3 arrives in mid-flight", scene(canaryOf(2, 2, 50), wants("v3"), settledNow), forward},
	"RollBack":  {"the template goes back to stable's", scene(canaryOf(2, 2, 50), wants("v1"), settledNow), returning},
	"ReleaseAgain": {
		"a revision that was taken back is wanted again",
		scene(canaryOf(2, 2, 50), latched(v1alpha1.ReasonRollingBack), settledNow), forward,
	},
	"RolledBack": {
		"all traffic is back on the wanted revision",
		scene(canaryOf(2, 2, 0), latched(v1alpha1.ReasonRollingBack), wants("v1"), settledNow), resting,
	},
	"StrategyChanged":  {"a release does not change its objects in mid-flight", scene(canaryOf(2, 2, 50), settledNow, rebound), returning},
	"AnalysisFailed":   {"a breach aborts", scene(canaryOf(1, 1, 25), analysed(1, v1alpha1.AnalysisFailed, ""), settledNow), returning},
	"Inconclusive":     {"the step says Abort", scene(inSteps(weightStep(25), analyzeStep(v1alpha1.OnInconclusiveAbort)), canaryOf(1, 1, 25), analysed(1, v1alpha1.AnalysisRunning, v1alpha1.AnalysisInconclusive), settledNow), returning},
	"JobFailed":        {"a failed Job aborts", scene(inSteps(v1alpha1.Step{Job: &v1alpha1.JobStep{}}, weightStep(50)), canaryOf(0, 1, 0), jobEnded(Job{Failed: true}), settledNow), returning},
	"DeadlineExceeded": {"pods that never come abort", scene(canaryOf(2, 1, 25), settledNow, waitingFor11Minutes), returning},
	"TimedOut":         {"nobody came and the step says Abort", scene(inSteps(boundedPause(), weightStep(50)), canaryOf(0, 0, 0), settledNow), returning},
	"Promoted": {
		"both slots stand for the canary and stable's carries everything",
		scene(canaryOf(3, 4, 0), func(s *Snapshot) { s.StableService = service("stable", "v2", 4) }, settledNow), resting,
	},
	"StepDone": {"the weight is confirmed", scene(canaryOf(0, 1, 25), settledNow), forward},
	"Restarted": {
		"every pod is younger than what was asked for",
		scene(settledNow, func(s *Snapshot) {
			s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-time.Hour)))
			s.Pods = []Pod{{Name: "a", Created: noon.Add(-time.Minute)}}
		}), resting,
	},
}

// firstOf puts the first revision in flight with n pods.
func firstOf(hash string, n int32) edit {
	return func(s *Snapshot) {
		s.Rollout.Status = v1alpha1.RolloutStatus{CanaryRevision: hash, Release: 1}
		s.Revisions = []Revision{revision(hash, 1, n)}
		s.StableService, s.CanaryService = service("stable", "", 0), service("canary", "", 0)
		if n > 0 {
			s.StableService, s.CanaryService = service("stable", hash, n), service("canary", hash, n)
		}
	}
}

func jobEnded(j Job) edit {
	return func(s *Snapshot) { s.Jobs = map[string]Job{jobName(cursorOf(s.Rollout.Status), assess(*s)): j} }
}

func waitingFor11Minutes(s *Snapshot) {
	st := &s.Rollout.Status
	st.CurrentStep.WaitingSince = ptr.To(metav1.NewTime(noon.Add(-11 * time.Minute)))
	st.AvailableSoFar = ptr.To(revisions(s.Revisions).of(st.CanaryRevision).Available)
}

func boundedPause() v1alpha1.Step {
	return v1alpha1.Step{Pause: &v1alpha1.Pause{Timeout: &v1alpha1.Duration{Duration: 30 * time.Second}, OnTimeout: v1alpha1.OnTimeoutAbort}}
}

// TestTransitions takes every transition once, and checks that it leads where its row says.
func TestTransitions(t *testing.T) {
	for name, test := range transitionCases {
		t.Run(name, func(t *testing.T) {
			f := assess(test.scene)
			c := catchUp(cursorOf(test.scene.Rollout.Status), f)
			f = withTarget(c, f)
			r := next(c, f)
			if r == nil {
				t.Fatalf("%s: takes no transition in mode %s", test.reason, c.mode(f))
			}
			c = r.to(c, f)
			f.rebinding = f.rebinding && !sameBindings(*c.bindings, f.wanted)
			got := c.mode(f)
			if r.name != name || got != test.want {
				t.Errorf("%s: takes %s to %s, want %s to %s", test.reason, r.name, got, name, test.want)
			}
			if !slices.Contains(r.leads, got) {
				t.Errorf("%s: leads to %s, its row says %v", name, got, r.leads)
			}
		})
	}
	for _, r := range transitions {
		if _, ok := transitionCases[r.name]; !ok {
			t.Errorf("transition %s has no case", r.name)
		}
	}
}

// next gives the transition that is taken first.
func next(c cursor, f facts) *rule {
	for _, r := range transitions {
		if slices.Contains(r.from, c.mode(f)) && r.when(c, f) {
			return &r
		}
	}
	return nil
}

// TestGates has a scene for every phase and reason that any gate says it may give, and checks that it gives no other.
func TestGates(t *testing.T) {
	cases := gateCases()
	for _, g := range gates {
		for _, s := range g.gives {
			name := g.name + "/" + string(s.phase) + "/" + s.reason
			t.Run(name, func(t *testing.T) {
				test, ok := cases[name]
				if !ok {
					t.Fatal("the row has no case")
				}
				f := assess(test)
				c := advance(catchUp(cursorOf(test.Rollout.Status), f), withTarget(cursorOf(test.Rollout.Status), f))
				got, h := speaker(c, f)
				if diff := cmp.Diff(name, got+"/"+string(h.phase)+"/"+h.reason); diff != "" {
					t.Errorf("the first gate to hold (-want +got), with %q:\n%s", h.message, diff)
				}
			})
			delete(cases, name)
		}
	}
	for name := range cases {
		t.Errorf("no gate has a row for %s", name)
	}
}

func speaker(c cursor, f facts) (string, hold) {
	for _, g := range gates {
		if h, held := g.hold(c, f); held {
			return g.name, h
		}
	}
	return "", hold{}
}

func short(n int32) edit {
	return func(s *Snapshot) { s.Revisions[0].Ready, s.Revisions[0].Available = n, n }
}

func problem(s *Snapshot) { s.Problems = []Problem{{Field: "spec", Message: "mend it"}} }

func pausedBySpec(s *Snapshot) { s.Rollout.Spec.Paused = true }

func pausedByCommand(s *Snapshot) {
	s.Rollout.Status.Paused = &v1alpha1.PersonStatus{By: "ann"}
}

func degrades(s *Snapshot) { s.Rollout.Spec.OnDeadline = v1alpha1.OnDeadlineDegrade }

func gateCases() map[string]Snapshot {
	suspicious := metric(v1alpha1.MetricUndecided)
	suspicious.ConsecutiveOut = 1
	restartAsked := func(s *Snapshot) { s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-time.Hour))) }
	unlisted := func(s *Snapshot) { s.CanaryService.Ready = map[string]int32{} }
	unaccepted := func(s *Snapshot) { s.Traffic.Confirmed = nil }
	long := func(s *Snapshot) {
		s.Rollout.Status.Traffic.Since = ptr.To(metav1.NewTime(noon.Add(-10 * time.Minute)))
	}
	job := v1alpha1.Step{Job: &v1alpha1.JobStep{}}
	gate := v1alpha1.Step{Gate: &v1alpha1.Gate{URL: "https://gate.example"}}
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{}}
	analyse := inSteps(weightStep(25), analyzeStep(""), weightStep(50))
	return map[string]Snapshot{
		"Problem/Holding/Invalid": scene(canaryOf(1, 1, 25), problem, settledNow),
		"Problem/Pending/Invalid": scene(firstOf("v1", 0), problem),

		"Rebinding/Progressing/StrategyChanged": scene(settledNow, rebound),

		"Resting/Healthy/Promoted": scene(settledNow),
		"Resting/Pending/Progressing": scene(func(s *Snapshot) {
			s.Rollout.Status.StableRevision, s.Target, s.StableService = "", "", service("stable", "", 0)
		}),
		"Resting/Paused/PausedBySpec":           scene(wants("v2"), pausedBySpec, settledNow),
		"Resting/Paused/PausedByCommand":        scene(wants("v2"), pausedByCommand, settledNow),
		"Resting/Progressing/Restarting":        scene(restartAsked, settledNow),
		"Resting/Progressing/WaitingForPods":    scene(short(3), settledNow),
		"Resting/Progressing/WaitingForTraffic": scene(settledNow, unaccepted),

		"Returning/RollingBack/RollingBack": scene(canaryOf(1, 1, 25), wants("v1"), settledNow),
		"Returning/Aborting/Aborting":       scene(canaryOf(1, 1, 25), latched(v1alpha1.ReasonAbortedByCommand), settledNow),
		"Returning/Degraded/Aborted":        scene(canaryOf(1, 1, 0), latched(v1alpha1.ReasonAbortedByCommand), settledNow),

		"Paused/Paused/PausedBySpec":    scene(canaryOf(0, 1, 25), pausedBySpec, settledNow),
		"Paused/Paused/PausedByCommand": scene(canaryOf(0, 1, 25), pausedByCommand, settledNow),

		"Edited/Holding/StepsEdited": scene(canaryOf(1, 1, 25), settledNow, cameBy, inSteps(weightStep(100))),

		"Overdue/Degraded/DeadlineExceeded": scene(degrades, canaryOf(2, 1, 25), settledNow, waitingFor11Minutes),

		"Observed/Progressing/WaitingForTraffic": scene(watchedBy(counts("errors", five(share(0, 1000))...))...),
		"Observed/Holding/TrafficNotObserved":    scene(append(watchedBy(counts("errors", five(share(0, 1000))...)), writtenAt(5*time.Minute))...),

		"Cluster/Progressing/WaitingForPods":      scene(canaryOf(2, 1, 25), settledNow),
		"Cluster/Progressing/WaitingForEndpoints": scene(canaryOf(2, 2, 25), unlisted, settledNow),
		"Cluster/Progressing/WaitingForTraffic":   scene(canaryOf(2, 2, 25), settledNow),
		"Cluster/Holding/TrafficUnconfirmed":      scene(canaryOf(2, 2, 50), settledNow, unaccepted, long),

		"Analysis/Progressing/Analyzing":      scene(inSteps(weightStep(25), weightStep(50)), canaryOf(0, 1, 25), analysed(0, v1alpha1.AnalysisRunning, ""), settledNow),
		"Analysis/Holding/AnalysisNoData":     scene(canaryOf(0, 1, 25), analysed(0, v1alpha1.AnalysisRunning, "", metric(v1alpha1.MetricNoData)), settledNow),
		"Analysis/Holding/AnalysisSuspicious": scene(canaryOf(0, 1, 25), analysed(0, v1alpha1.AnalysisRunning, "", suspicious), settledNow),

		"Pause/Paused/PauseStep":             scene(canaryOf(1, 1, 25), settledNow),
		"Approval/Paused/WaitingForApproval": scene(inSteps(approve, weightStep(50)), canaryOf(0, 0, 0), settledNow),
		"Job/Progressing/JobRunning":         scene(inSteps(job, weightStep(50)), canaryOf(0, 0, 0), settledNow),
		"Permission/Holding/GateClosed":      scene(inSteps(gate, weightStep(50)), canaryOf(0, 0, 0), settledNow),
		"Analyze/Progressing/Analyzing":      scene(analyse, canaryOf(1, 1, 25), analysed(1, v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, metric(v1alpha1.MetricUndecided)), settledNow),
		"Analyze/Holding/AnalysisInconclusive": scene(analyse, canaryOf(1, 1, 25),
			analysed(1, v1alpha1.AnalysisRunning, v1alpha1.AnalysisInconclusive, metric(v1alpha1.MetricUndecided)), settledNow),
	}
}

// TestStateMachineIsWhole: every mode and every verb has its sentence, so that the page leaves nothing out.
func TestStateMachineIsWhole(t *testing.T) {
	m := StateMachine()
	if len(m.Modes) != int(rebinding)+1 {
		t.Errorf("%d modes have a meaning, there are %d", len(m.Modes), rebinding+1)
	}
	told := make([]string, len(m.Commands))
	for i, c := range m.Commands {
		told[i] = c.Name
	}
	if diff := cmp.Diff(verbs(), told); diff != "" {
		t.Errorf("verbs that the page tells of (-want +got):\n%s", diff)
	}
	for _, r := range m.Transitions {
		if r.Cause == "" || r.Effect == "" || len(r.To) == 0 {
			t.Errorf("transition %s lacks its words", r.Name)
		}
	}
}
