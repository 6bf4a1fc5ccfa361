// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// commanded writes a whole command.
func commanded(json string) edit {
	return func(s *Snapshot) { s.Rollout.Annotations = map[string]string{v1alpha1.CommandAnnotation: json} }
}

// TestCommandsFitTheMoment: a command that was meant for another moment moves nothing.
func TestCommandsFitTheMoment(t *testing.T) {
	paused := scene(canaryOf(1, 1, 25), settledNow)
	with := func(s Snapshot, e edit) Snapshot {
		s.Rollout = s.Rollout.DeepCopy()
		e(&s)
		return s
	}
	aborted := latched(v1alpha1.ReasonAbortedByCommand)
	remembered := func(s *Snapshot) {
		s.Rollout.Spec.RollbackWindow = &v1alpha1.RollbackWindow{Revisions: 3}
		s.Rollout.Status.History = []v1alpha1.Outcome{{Revision: "v2", Cause: v1alpha1.CausePromoted}}
	}
	for name, m := range map[string]moment{
		"Promote":              {"the pause ends", with(paused, says(v1alpha1.VerbPromote)), []string{"promote Accepted", "at step 2"}, nil},
		"PromoteOtherStep":     {"that step is over", with(paused, commanded(`{"id":"1","verb":"promote","step":0}`)), []string{"promote Refused", "at step 1"}, nil},
		"PromoteOtherRevision": {"that revision is gone", with(paused, commanded(`{"id":"1","verb":"promote","revision":"v9"}`)), []string{"promote Refused", "at step 1"}, nil},
		"PromoteTwice": {
			"what was handled is not handled again",
			with(paused, func(s *Snapshot) {
				says(v1alpha1.VerbPromote)(s)
				s.Rollout.Status.LastCommand = &v1alpha1.CommandStatus{ID: "1"}
			}), []string{"at step 1"}, nil,
		},
		"PromoteNotReached":      {"pods and traffic are nobody's to skip", scene(canaryOf(2, 1, 25), says(v1alpha1.VerbPromote), settledNow), []string{"promote Refused", "at step 2"}, nil},
		"PromoteFullWaits":       {"full promotion skips steps, not capacity", scene(canaryOf(1, 1, 25), says(v1alpha1.VerbPromoteFull), settledNow), []string{"promote-full Accepted", "scale shop-v2 from 1 to 4"}, []string{toCanary, "point Service stable"}},
		"PromoteFullAfterAbort":  {"it clears no abort", scene(canaryOf(2, 2, 50), aborted, says(v1alpha1.VerbPromoteFull), settledNow), []string{"promote-full Refused", toStable}, nil},
		"PromoteAfterAbort":      {"nor does promote", scene(canaryOf(2, 2, 50), aborted, says(v1alpha1.VerbPromote), settledNow), []string{"promote Refused", toStable}, nil},
		"ResumeAfterAbort":       {"nor does resume", scene(canaryOf(2, 2, 50), aborted, pausedByCommand, says(v1alpha1.VerbResume), settledNow), []string{"resume Accepted", toStable, "Aborting"}, nil},
		"SkipAnalysisAfterAbort": {"nor does skip-analysis", scene(canaryOf(2, 2, 50), aborted, says(v1alpha1.VerbSkipAnalysis), settledNow), []string{"skip-analysis Refused", toStable}, nil},
		"WindowAfterAbort":       {"a rollback window speaks of beginnings only", scene(canaryOf(2, 2, 50), aborted, remembered, settledNow), []string{toStable, "Aborting"}, nil},
		"WindowStillCapacity":    {"without steps, but not without pods", scene(wants("v2"), remembered, old("v2", 0), settledNow), []string{"scale shop-v2 from 0 to 4"}, []string{"point Service stable", "shift"}},
		"SkipAnalysisWaits":      {"without analysis, but not without pods", scene(canaryOf(2, 1, 25), analysed(2, v1alpha1.AnalysisRunning, ""), says(v1alpha1.VerbSkipAnalysis), settledNow), []string{"skip-analysis Accepted", "scale shop-v2 from 1 to 2"}, []string{"scale shop-v2 from 1 to 0"}},
		"OfABackup": {"it was given to another Rollout, long ago", with(paused, func(s *Snapshot) {
			says(v1alpha1.VerbPause)(s)
			s.Rollout.Status = v1alpha1.RolloutStatus{}
		}), []string{"pause Refused", "give it again if it is still meant"}, []string{"paused by"}},
		"NoJSON": {"what can't be read is refused once", with(paused, commanded("promote")), []string{"Refused", "at step 1"}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestEvidence: only a run that has completed with a pass opens anything.
func TestEvidence(t *testing.T) {
	step := inSteps(weightStep(25), analyzeStep(v1alpha1.OnInconclusiveAbort), weightStep(50))
	at := func(phase, verdict v1alpha1.AnalysisPhase, more ...edit) Snapshot {
		return scene(append([]edit{step, canaryOf(1, 1, 25), analysed(1, phase, verdict, metric(v1alpha1.MetricPassing)), settledNow}, more...)...)
	}
	run := func(change func(*v1alpha1.AnalysisRun)) edit { return func(s *Snapshot) { change(&s.Runs[0]) } }
	for name, m := range map[string]moment{
		"Passed":          {"the answer to this step's question", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed), []string{"at step 2"}, nil},
		"Terminated":      {"a stopped run is no verdict", at(v1alpha1.AnalysisTerminated, v1alpha1.AnalysisPassed), []string{"at step 1", "Holding"}, nil},
		"Error":           {"an error is no verdict", at(v1alpha1.AnalysisError, v1alpha1.AnalysisPassed), []string{"at step 1", "Holding"}, nil},
		"Unanswered":      {"no answer is no pass", at(v1alpha1.AnalysisRunning, ""), []string{"at step 1"}, nil},
		"OtherQuestion":   {"an answer to another step", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, run(func(r *v1alpha1.AnalysisRun) { r.Status.Answer.Step = 0 })), []string{"at step 1"}, nil},
		"OlderGeneration": {"an answer from before the question", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, run(func(r *v1alpha1.AnalysisRun) { r.Generation = 2 })), []string{"at step 1"}, nil},
		"OtherRelease":    {"the run of another release", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, run(func(r *v1alpha1.AnalysisRun) { r.Name = "shop-9" })), []string{"at step 1", "stop AnalysisRun shop-9"}, nil},
		"FailedAndInconclusive": {
			"of two verdicts the breach counts", at(v1alpha1.AnalysisFailed, v1alpha1.AnalysisInconclusive), []string{"Aborting", toStable, "as a test says"}, nil,
		},
		"FailedWhilePaused": {"evidence aborts while a person is waited for", scene(canaryOf(1, 1, 25), analysed(1, v1alpha1.AnalysisFailed, ""), settledNow), []string{"Aborting", toStable}, nil},
		"FailedWhilePausedBySpec": {
			"and while spec.paused holds", scene(canaryOf(1, 1, 25), pausedBySpec, analysed(1, v1alpha1.AnalysisFailed, ""), settledNow), []string{"Aborting", toStable}, nil,
		},
		"Late":            {"an old measurement does not speak for now", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, func(s *Snapshot) { s.Now = s.Now.Add(time.Hour) }), []string{"at step 1", "has not been measured since"}, nil},
		"StoppedAtTheEnd": {"a run does not outlive its release", scene(analysed(0, v1alpha1.AnalysisRunning, ""), settledNow, func(s *Snapshot) { s.Rollout.Status.CanaryRevision = "" }), []string{"stop AnalysisRun"}, nil},
		"StoppedByAbort":  {"nor an abort", scene(canaryOf(2, 2, 50), analysed(2, v1alpha1.AnalysisRunning, ""), latched(v1alpha1.ReasonAbortedByCommand), settledNow), []string{"stop AnalysisRun", toStable}, nil},
		"StoppedByNewer":  {"a newer revision has a run of its own", scene(canaryOf(2, 2, 50), analysed(2, v1alpha1.AnalysisRunning, ""), wants("v3"), settledNow), []string{"stop AnalysisRun", "canary v3"}, nil},
		"WithdrawnByPromotion": {
			"a question does not outlive its step", at(v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, says(v1alpha1.VerbPromote)), []string{"at step 2", "withdraw the question"}, nil,
		},
	} {
		t.Run(name, m.check)
	}
}

// switched is a blue-green release of v2 beside v1, whose active Service stands for one of them.
func switched(active string, step, previewPods int32) edit {
	return func(s *Snapshot) {
		canaryOf(step, previewPods, 0)(s)
		s.Rollout.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{ActiveService: "stable", PreviewService: "canary", AutoPromote: ptr.To(false)}}
		s.Traffic = traffic.Observed{}
		s.StableService = service("stable", active, 4)
	}
}

// TestSwitch: the active Service stands for who can serve, and goes back when told.
func TestSwitch(t *testing.T) {
	// bring up, wait for the promotion, grow, switch
	atSwitch := int32(3)
	dead := func(s *Snapshot) {
		canaryPods(4, 0)(s)
		s.StableService.Ready, s.CanaryService.Ready = map[string]int32{}, map[string]int32{}
	}
	for name, m := range map[string]moment{
		"Whole":            {"every pod is ready and listed", scene(switched("v1", atSwitch, 4), settledNow), []string{"point Service stable at revision v2"}, nil},
		"PodsMissing":      {"not with one pod fewer", scene(switched("v1", atSwitch, 4), canaryPods(4, 3), settledNow), nil, []string{"point Service stable"}},
		"EndpointsMissing": {"not before the EndpointSlices say so", scene(switched("v1", atSwitch, 4), endpoints(3), settledNow), nil, []string{"point Service stable"}},
		"Unpromoted":       {"not before it is allowed", scene(switched("v1", 1, 4), settledNow), []string{"wait for the promotion"}, []string{"point Service stable"}},
		"AbortAfterSwitch": {"the old revision is still there", scene(switched("v2", atSwitch, 4), says(v1alpha1.VerbAbort), settledNow), []string{"abort Accepted", "point Service stable at revision v1"}, []string{"scale shop-v1"}},
		"CrashAfterSwitch": {"an abort does not wait for the pods that crashed", scene(switched("v2", atSwitch, 4), dead, latched(v1alpha1.ReasonAnalysisFailed), settledNow), []string{"point Service stable at revision v1"}, nil},
		"DesertedNotHeld":  {"nobody serves behind the active Service, but the old revision could", scene(switched("v2", atSwitch, 4), dead, settledNow), []string{"point Service stable at revision v1"}, nil},
		"OldPodsStay":      {"they are the way back", scene(switched("v2", atSwitch, 4), settledNow), nil, []string{"scale shop-v1"}},
		"PreviewFollows": {"after the promotion the preview selects somebody, too", scene(switched("v2", 0, 4), func(s *Snapshot) {
			s.Rollout.Status.StableRevision, s.Rollout.Status.CanaryRevision, s.Rollout.Status.CurrentStep = "v2", "", nil
			s.CanaryService = service("canary", "v1", 4)
		}, settledNow), []string{"point Service canary at revision v2"}, nil},
		"FirstWithoutPods":  {"a first revision without pods gets no Service", scene(switched("", 0, 0), func(s *Snapshot) { s.Rollout.Status = v1alpha1.RolloutStatus{CanaryRevision: "v2", Release: 1} }), nil, []string{"point Service"}},
		"PreviewUnderAbort": {"testers keep the preview until the abort is through", scene(switched("v1", 1, 4), latched(v1alpha1.ReasonAbortedByCommand), settledNow), []string{"point Service canary at revision v1"}, []string{"point Service stable", "scale shop-v2"}},
	} {
		t.Run(name, m.check)
	}
}

// TestDecideIsTotal: whatever is missing, there is an answer with a sentence, and nothing is taken away.
func TestDecideIsTotal(t *testing.T) {
	gone := func(s *Snapshot) {
		s.Template, s.Target, s.Selector = nil, "", nil
		s.Problems = []Problem{{Field: "spec.workloadRef.name", Message: "Deployment shop does not exist; create it"}}
	}
	unread := func(s *Snapshot) { s.Traffic = traffic.Observed{} }
	for name, m := range map[string]moment{
		"Nothing":           {"a Rollout without anything", Snapshot{Now: noon, Rollout: &v1alpha1.Rollout{}}, []string{"Pending"}, []string{"scale", "delete"}},
		"NoSteps":           {"a canary without steps", scene(inSteps(), wants("v2"), settledNow), []string{"canary v2"}, nil},
		"NoPods":            {"the ReplicaSet in flight is gone", scene(canaryOf(1, 1, 25), func(s *Snapshot) { s.Revisions = s.Revisions[:1] }, endpoints(0), settledNow), []string{"create revision v2", toStable}, nil},
		"WorkloadGone":      {"its Deployment was deleted in mid-flight", scene(canaryOf(1, 1, 25), gone, settledNow), []string{"create it"}, []string{"scale", "shift", "delete"}},
		"RouteGone":         {"a route that can't be read is left alone", scene(canaryOf(1, 1, 25), unread, problem, settledNow), []string{"mend it"}, []string{"scale", "shift"}},
		"AbortWithoutRoute": {"the abort stands until the route is back", scene(canaryOf(1, 1, 25), unread, problem, latched(v1alpha1.ReasonAbortedByCommand)), []string{"Aborting"}, []string{"scale shop-v2"}},
		"RunGone":           {"somebody deleted the run of an analyze step", scene(inSteps(weightStep(25), analyzeStep("")), canaryOf(1, 1, 25), analysed(1, "", ""), settledNow), []string{"at step 1", "start AnalysisRun"}, nil},
		"StatusOfAnother":   {"a step beyond the plan is a promotion", scene(canaryOf(99, 1, 25), settledNow), []string{"scale shop-v2 from 1 to 4"}, []string{toCanary}},
		"DeletedTwice": {"everything is gone and nothing is left to give back", scene(unread, func(s *Snapshot) {
			s.Revisions, s.StableService, s.CanaryService = nil, Service{}, Service{}
			s.Rollout.DeletionTimestamp = &metav1.Time{Time: noon}
		}), []string{"let the Rollout go"}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestEveryWaitSaysWhy: each wait has its sentence, and a second look at the same world changes nothing.
func TestEveryWaitSaysWhy(t *testing.T) {
	for name, s := range gateCases() {
		t.Run(name, func(t *testing.T) {
			p := Decide(s)
			if p.Status.Message == "" {
				t.Error("no sentence")
			}
			s.Rollout = s.Rollout.DeepCopy()
			s.Rollout.Status = p.Status
			again := Decide(s)
			if diff := cmp.Diff(p.Status, again.Status); diff != "" && len(p.Actions) == 0 {
				t.Errorf("a second look at the same world (-first +second):\n%s", diff)
			}
		})
	}
}
