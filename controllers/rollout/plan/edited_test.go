// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// cameBy has the status remember the steps that the cursor came by, which are those of the scene so far.
func cameBy(s *Snapshot) {
	f := assess(*s)
	s.Rollout.Status.CurrentStep = currentStep(cursorOf(s.Rollout.Status), f)
}

func approveStep() v1alpha1.Step { return v1alpha1.Step{Approve: &v1alpha1.Approve{}} }

func pauseFor(d time.Duration) v1alpha1.Step {
	return v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: d}}}
}

// TestAnEditOfStepsPassesNoWait: a release at 25 % waits at the second of four steps
// when they are edited.
func TestAnEditOfStepsPassesNoWait(t *testing.T) {
	w25, w50, w100 := weightStep(25), weightStep(50), weightStep(100)
	at := func(wait v1alpha1.Step, now ...v1alpha1.Step) Snapshot {
		return scene(inSteps(w25, wait, w50, pauseStep()), canaryOf(1, 1, 25), settledNow, cameBy, inSteps(now...))
	}
	const held, stays = "Holding at step 1", "Paused at step 1"
	moves := []string{"shift traffic", "scale shop-v2", "point Service"}
	for name, m := range map[string]moment{
		"Same":           {"nothing was edited", at(pauseStep(), w25, pauseStep(), w50, pauseStep()), []string{stays, "step 2/4: pause"}, moves},
		"Shortened":      {"the cursor points beyond the end, which is no promotion", at(pauseStep(), w25), []string{held, "step 2/4: an edit of spec.strategy.canary.steps", "promote to go on with the promotion, as there are only 1 steps now"}, moves},
		"AllTakenAway":   {"no steps at all promise no promotion either", at(pauseStep()), []string{held, "only 0 steps now"}, moves},
		"ApprovalGone":   {"nor is what nobody approved promoted", at(approveStep(), w25, w100), []string{held, "what is step 2/2 now (weight 100 %)"}, moves},
		"FirstGone":      {"another step moves under the cursor", at(pauseStep(), pauseStep(), w50, pauseStep()), []string{held, "what is step 2/3 now (weight 50 %)"}, moves},
		"OneBefore":      {"and so does one that is put before", at(pauseStep(), weightStep(5), w25, pauseStep(), w50), []string{held, "what is step 2/4 now (weight 25 %)"}, moves},
		"SameUnderIt":    {"a pause under the cursor, but after another weight", at(pauseStep(), w50, pauseStep(), w100), []string{held, "what is step 2/3 now (pause)"}, moves},
		"Lowered":        {"a smaller weight before is held, too: it is for a person to say what was meant", at(pauseStep(), weightStep(5), pauseStep(), w50), []string{held}, moves},
		"OtherKind":      {"a clock is no person", at(pauseStep(), w25, pauseFor(time.Second), w50), []string{held}, moves},
		"OtherPerson":    {"nor is any person a named one", at(approveStep(), w25, pauseStep(), w50), []string{held}, moves},
		"LeftToTheClock": {"a timeout that goes on is a clock", at(pauseStep(), w25, v1alpha1.Step{Pause: &v1alpha1.Pause{Timeout: &v1alpha1.Duration{Duration: time.Second}, OnTimeout: v1alpha1.OnTimeoutPromote}}, w50), []string{held}, moves},
		"Ahead":          {"steps ahead may be edited at will", at(pauseStep(), w25, pauseStep(), weightStep(30), pauseStep(), w100), []string{stays, "step 2/5: pause"}, moves},
		"NothingAhead":   {"or taken away: what is waited for is still waited for", at(pauseStep(), w25, pauseStep()), []string{stays, "step 2/2: pause"}, moves},
		"Patience":       {"how long it waits may be edited", at(pauseStep(), w25, v1alpha1.Step{Pause: &v1alpha1.Pause{Timeout: &v1alpha1.Duration{Duration: time.Hour}}}, w50), []string{stays, "then Hold"}, moves},
		"Shorter":        {"a pause of an hour that is a second by now is over", at(pauseFor(time.Hour), w25, pauseFor(time.Second), w50, pauseStep()), []string{"at step 2"}, nil},
		"NotRemembered":  {"a status of an earlier version knows of no edit", scene(canaryOf(1, 1, 25), settledNow, inSteps(weightStep(5), pauseStep())), []string{stays}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestWhatAnEditHolds: everything stays, by every means and whatever comes meanwhile,
// until somebody says how to go on.
func TestWhatAnEditHolds(t *testing.T) {
	beyond := func(edits ...edit) Snapshot {
		return scene(append([]edit{canaryOf(1, 1, 25), settledNow, cameBy, inSteps(weightStep(100))}, edits...)...)
	}
	hour := func(s *Snapshot) { s.Now = s.Now.Add(time.Hour) }
	for name, m := range map[string]moment{
		"NoDeadline":  {"nobody counts the time", beyond(hour), []string{"Holding at step 1"}, []string{"aborted"}},
		"RouteEdited": {"a stranger's share is put back to the one agreed to", beyond(carries(traffic.CanaryAt(77)), settledNow), []string{"Holding", "shift traffic to stable 75 %, canary 25 %"}, nil},
		"CanaryLost":  {"traffic leaves pods that are gone", beyond(canaryPods(1, 0), endpoints(0)), []string{toStable}, nil},
		"Paused":      {"a pause of everything speaks first", beyond(pausedBySpec), []string{"Paused at step 1", "step 2/3: held by spec.paused"}, []string{toCanary}},
		"Newer":       {"a newer template does not wait for an answer about this one", beyond(wants("v3")), []string{"at step 0", "canary v3", "release 3"}, nil},
		"RolledBack":  {"nor does the way back", beyond(wants("v1")), []string{"RollingBack", toStable}, nil},
		"Abort":       {"nor an abort", beyond(says(v1alpha1.VerbAbort)), []string{"Aborting", toStable}, nil},
		"Failed":      {"nor that of an analysis", beyond(analysed(1, v1alpha1.AnalysisFailed, "")), []string{"Aborting", toStable}, nil},
		"Promote":     {"the new steps from here", beyond(says(v1alpha1.VerbPromote)), []string{"step 2/3 ended by ann, who goes on with the promotion", "scale shop-v2 from 1 to 4", "at step 1"}, []string{"Holding"}},
		"PromoteFull": {"or all of them at once", beyond(says(v1alpha1.VerbPromoteFull)), []string{"promote-full Accepted", "at step 1", "scale shop-v2 from 1 to 4"}, nil},
		"Nobody": {"who goes on has to be known", beyond(func(s *Snapshot) {
			s.Rollout.Annotations = map[string]string{v1alpha1.CommandAnnotation: `{"id":"1","verb":"promote"}`}
		}), []string{"promote Refused: the steps were edited", "Holding"}, []string{"scale shop-v2"}},
		"AcceptedPause": {
			"what is under the cursor now begins, and is not ended at once",
			scene(canaryOf(1, 1, 25), settledNow, cameBy, inSteps(weightStep(50), pauseStep()), says(v1alpha1.VerbPromote)),
			[]string{"who goes on with what is step 2/2 now (pause)", "at step 1", "scale shop-v2 from 1 to 2"}, []string{"Holding", "at step 2"},
		},
		"PutBack":     {"as if nothing had been", beyond(inSteps(weightStep(25), pauseStep(), weightStep(50))), []string{"Paused at step 1", "step 2/3: pause"}, []string{"shift traffic", "scale"}},
		"RunUnderWay": {"its run goes on, since a stopped one could not once they are put back", beyond(analysed(1, v1alpha1.AnalysisRunning, "")), []string{"Holding"}, []string{"stop"}},
		"JobUnderWay": {
			"and so does its Job, which would run twice",
			scene(inSteps(weightStep(25), v1alpha1.Step{Job: &v1alpha1.JobStep{}}), canaryOf(1, 1, 25), settledNow, jobEnded(Job{}), cameBy, inSteps(weightStep(25))),
			[]string{"Holding"}, []string{"delete"},
		},
		"InThePromotion": {
			"when all steps are done an edit says nothing any more", scene(canaryOf(3, 2, 50), settledNow, cameBy, inSteps(weightStep(25))),
			[]string{"promoting revision v2", "scale shop-v2 from 2 to 4"}, nil,
		},
		"PromotionKeptLonger": {
			"nor does one that adds steps: who wants to stop it aborts", scene(canaryOf(3, 2, 50), settledNow, cameBy, inSteps(weightStep(25), weightStep(30), weightStep(35), pauseStep(), weightStep(40))),
			[]string{"at step 3", "promoting revision v2", "scale shop-v2 from 2 to 4"}, nil,
		},
		"ByPods": {
			"where pods are the split none is added or taken",
			scene(byPods("7"), canaryOf(1, 1, 0), func(s *Snapshot) {
				s.Revisions[0], s.CallerService.Ready = revision("v1", 1, 3), map[string]int32{"v1": 3, "v2": 1}
			}, cameBy, inSteps(weightStep(100))), []string{"Holding at step 1"}, []string{"scale"},
		},
	} {
		t.Run(name, m.check)
	}
}

// TestAnEditOfBlueGreenPassesNoWait: its steps are implied, so that taking the wait away
// edits them, too.
func TestAnEditOfBlueGreenPassesNoWait(t *testing.T) {
	byHand := func(s *Snapshot) {
		s.Rollout.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{ActiveService: "stable", PreviewService: "canary", AutoPromote: ptr.To(false)}}
	}
	m := moment{"autoPromote is no word about the revision that waits", scene(byHand, canaryOf(1, 4, 0), settledNow, cameBy, func(s *Snapshot) {
		b := *s.Rollout.Spec.Strategy.BlueGreen
		b.AutoPromote = ptr.To(true)
		s.Rollout.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &b}
	}), []string{"Holding at step 1", "step 2/4: an edit of spec.strategy.blueGreen has"}, []string{"point Service stable"}}
	m.check(t)
}

// TestTheStatusKeepsWhatWasEditedAway: the next look knows as much as this one.
func TestTheStatusKeepsWhatWasEditedAway(t *testing.T) {
	s := scene(canaryOf(1, 1, 25), settledNow, cameBy)
	before := *s.Rollout.Status.CurrentStep
	inSteps(weightStep(100))(&s)
	for range 3 {
		s.Rollout.Status = Decide(s).Status
		if got := *s.Rollout.Status.CurrentStep; got.Plan != before.Plan || got.Weight != 25 || got.Position != "2/3" || got.WaitingSince != nil {
			t.Fatalf("the status remembers %+v, came by %+v", got, before)
		}
	}
	if !strings.Contains(s.Rollout.Status.Message, "promote to go on") {
		t.Errorf("says %q", s.Rollout.Status.Message)
	}
}

// TestAnEditThatLetsTheWeightFall has users told apart anew: those who met the canary at the
// larger weight would not let it.
func TestAnEditThatLetsTheWeightFall(t *testing.T) {
	for name, tc := range map[string]struct {
		now     int32
		redraws bool
	}{"Falls": {5, true}, "Stays": {25, false}, "Rises": {30, false}} {
		t.Run(name, func(t *testing.T) {
			s := scene(canaryOf(1, 1, 25), settledNow, cameBy, inSteps(pauseStep(), weightStep(tc.now)), says(v1alpha1.VerbPromote))
			got := Decide(s).Status.Approvals
			if len(got) != 1 || got[0].By != "ann" || got[0].Redraws != tc.redraws {
				t.Errorf("from 25 %% to %d %%: approvals %+v, want one by ann that redraws: %t", tc.now, got, tc.redraws)
			}
		})
	}
}
