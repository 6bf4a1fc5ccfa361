// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestAStepEndsWithTheClusterAsItAsks: whoever a step waits for may have answered
// while pods or traffic were lost beside it, or while a rescue had changed the split.
func TestAStepEndsWithTheClusterAsItAsks(t *testing.T) {
	pauseFor := func(d time.Duration) v1alpha1.Step {
		return v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: d}}}
	}
	over := inSteps(weightStep(25), pauseFor(time.Second), weightStep(50))
	passed := func(s *Snapshot) {
		inSteps(weightStep(25), analyzeStep(""), weightStep(50))(s)
		analysed(1, v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, metric(v1alpha1.MetricPassing))(s)
	}
	short := func(s *Snapshot) { s.Revisions[1].Ready, s.Revisions[1].Available = 0, 0 }
	elsewhere := func(s *Snapshot) { s.Traffic = carried(traffic.CanaryAt(100)); settledNow(s) }
	deserted := func(s *Snapshot) {
		s.Revisions = []Revision{revision("v1", 1, 4), revision("v2", 2, 4)}
		s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
		s.StableService, s.CanaryService = service("stable", "v1", 0), service("canary", "v2", 4)
		elsewhere(s)
	}
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		step   int32
		waits  bool
	}{
		"Over":            {"the pause is over and all is as it asks", []edit{over}, 2, true},
		"Passed":          {"the analysis has passed and all is as it asks", []edit{passed}, 2, true},
		"PassedShifted":   {"the analysis passed on another split, which was written back a moment ago", []edit{passed, shiftedLately}, 1, true},
		"PassedElsewhere": {"the split is another one still", []edit{passed, elsewhere}, 1, true},
		"OverShifted":     {"so with a pause", []edit{over, shiftedLately}, 1, true},
		"OverShort":       {"the canary has lost its pod", []edit{over, short}, 1, true},
		"UnderWay":        {"a pause under way is no wait for the cluster", []edit{inSteps(weightStep(25), pauseFor(time.Hour), weightStep(50)), short}, 1, false},
		"Deserted":        {"without stable each step asks for everything, and has it", []edit{passed, deserted}, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(scene(slices.Concat([]edit{canaryOf(1, 1, 25), settledNow}, tc.edits)...)).Status
			if at := got.CurrentStep; at.Index != tc.step || (at.WaitingSince != nil) != tc.waits {
				t.Errorf("%s: at step %d, want %d; waits for the cluster since %v: %s", tc.reason, at.Index+1, tc.step+1, at.WaitingSince, got.Message)
			}
		})
	}
}

// TestAFirstRevisionIsOverdue: it has nothing to be taken back to, but whoever waits for it
// learns that it failed.
func TestAFirstRevisionIsOverdue(t *testing.T) {
	late := revision("v1", 1, 4)
	late.Ready, late.Available = 0, 0
	s := scene(func(s *Snapshot) {
		s.Rollout.Status = v1alpha1.RolloutStatus{}
		s.Revisions = []Revision{late}
		s.StableService, s.CanaryService = service("stable", "", 0), service("canary", "", 0)
	})
	for _, look := range []struct {
		after time.Duration
		phase v1alpha1.RolloutPhase
	}{
		{0, v1alpha1.PhaseProgressing}, {9 * time.Minute, v1alpha1.PhaseProgressing}, {11 * time.Minute, v1alpha1.PhaseDegraded},
	} {
		s.Now = noon.Add(look.after)
		s.Rollout.Status = Decide(s).Status
		if now := s.Rollout.Status; now.Phase != look.phase || !strings.Contains(now.Message, "0 of 4 available") {
			t.Errorf("after %s: %s: %s, want %s", look.after, now.Phase, now.Message, look.phase)
		}
	}
}
