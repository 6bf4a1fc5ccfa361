// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// scaledToZero takes every pod away.
func scaledToZero(s *Snapshot) {
	s.Rollout.Spec.Replicas = ptr.To(int32(0))
	for i := range s.Revisions {
		r := &s.Revisions[i]
		r.Replicas, r.Current, r.Ready, r.Available = 0, 0, 0, 0
	}
	s.StableService.Ready, s.CanaryService.Ready = map[string]int32{}, map[string]int32{}
	s.Traffic = carried(traffic.CanaryAt(0))
}

// TestScaledToZero: without pods there is nobody to carry, so weights are passed;
// but whoever was to say yes has not said it.
func TestScaledToZero(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		step   v1alpha1.Step
		edits  []edit
		passes bool
	}{
		"weight":   {"no pod can carry it", weightStep(25), nil, true},
		"pause":    {"a person was to promote", pauseStep(), nil, false},
		"approval": {"a named person was to", v1alpha1.Step{Approve: &v1alpha1.Approve{}}, nil, false},
		"time":     {"the clock goes on without pods", v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: time.Second}}}, nil, true},
		"job":      {"a migration has to be made before pods come", v1alpha1.Step{Job: &v1alpha1.JobStep{Template: v1alpha1.JobTemplate{}}}, nil, false},
		"gate":     {"the URL has not allowed it", v1alpha1.Step{Gate: &v1alpha1.Gate{URL: "https://example.com"}}, nil, false},
		"unjudged": {"nothing has been measured, nor could it be", analyzeStep(""), []edit{analysed(0, "", "")}, true},
		"judged":   {"what was under judgement is not proven by its pods being gone", analyzeStep(""), []edit{analysed(0, v1alpha1.AnalysisRunning, "")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			edits := append([]edit{canaryOf(0, 1, 25), inSteps(tc.step, pauseStep())}, tc.edits...)
			s := scene(append(edits, scaledToZero, settledNow)...)
			p := Decide(s)
			if passes := p.Status.CurrentStep != nil && p.Status.CurrentStep.Index == 1; passes != tc.passes {
				t.Errorf("%s: step %+v, %s: %s", tc.reason, p.Status.CurrentStep, p.Status.Phase, p.Status.Message)
			}
			if !strings.Contains(p.Status.Message, "(spec.replicas is 0)") {
				t.Errorf("%q does not say why nothing runs", p.Status.Message)
			}
			for _, a := range p.Actions {
				if stop, ok := a.(StopRun); ok {
					t.Errorf("%s, which ends the evidence for good", stop)
				}
			}
		})
	}
}

// TestUnfedAnalysisWaitsForTheCluster: what was scaled up from zero may owe a step
// that asks for no pods the canary of the steps before it. That is said, and bounded.
func TestUnfedAnalysisWaitsForTheCluster(t *testing.T) {
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{}}
	for name, last := range map[string]v1alpha1.Step{"approval": approve, "analyze": analyzeStep("")} {
		t.Run(name, func(t *testing.T) {
			unfed := []edit{canaryOf(1, 1, 0), inSteps(weightStep(25), last), analysed(1, "", ""), canaryPods(1, 0), endpoints(0), settledNow}
			p := Decide(scene(unfed...))
			if !strings.Contains(p.Status.Message, "waiting for pods: 0 of 1 available") || p.Wake == 0 {
				t.Errorf("says %q and looks again in %s", p.Status.Message, p.Wake)
			}
			p = Decide(scene(append(unfed, waitingFor11Minutes)...))
			if a := p.Status.Abort; a == nil || a.Reason != v1alpha1.ReasonDeadlineExceeded {
				t.Errorf("after the deadline: %s: %s", p.Status.Phase, p.Status.Message)
			}
		})
	}
}

// TestRefusalsSayWhatHelps: a command that does not fit names the one that does.
func TestRefusalsSayWhatHelps(t *testing.T) {
	for name, tc := range map[string]struct {
		scene Snapshot
		want  string
	}{
		"promote what was aborted": {scene(canaryOf(1, 1, 0), latched(v1alpha1.ReasonAbortedByCommand), settledNow, says(v1alpha1.VerbPromote)),
			"revision v2 was aborted; retry releases it again, a change of the template another"},
		"abort what was aborted": {scene(canaryOf(1, 1, 0), latched(v1alpha1.ReasonAnalysisFailed), settledNow, says(v1alpha1.VerbAbort)),
			"revision v2 was aborted; retry releases it again, a change of the template another"},
		"abort what is taken back": {scene(canaryOf(1, 1, 25), wants("v1"), settledNow, says(v1alpha1.VerbAbort)),
			"revision v2 is already on its way back to stable; nothing else can be done with it"},
	} {
		if got := Decide(tc.scene).Status.LastCommand; got.Result != v1alpha1.CommandRefused || got.Message != tc.want {
			t.Errorf("%s: %s %q, want it refused with %q", name, got.Result, got.Message, tc.want)
		}
	}
}

// TestAHandOnTheReplicaSetIsTold: what somebody else scaled is known from what was seen before.
func TestAHandOnTheReplicaSetIsTold(t *testing.T) {
	seen := func(replicas int32) edit {
		return func(s *Snapshot) {
			s.Rollout.Status.ObservedGeneration = 1
			s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v1", Role: v1alpha1.RoleStable, Replicas: replicas}}
		}
	}
	sized := func(n int32) edit { return func(s *Snapshot) { s.Revisions[0] = revision("v1", 1, n) } }
	for name, tc := range map[string]struct {
		edits []edit
		want  bool
	}{
		"somebody else's": {[]edit{sized(2), seen(4)}, true},
		"our own":         {[]edit{sized(2), seen(2)}, false},
		"a new size":      {[]edit{sized(2), seen(4), func(s *Snapshot) { s.Rollout.Generation = 2 }}, false},
	} {
		found := false
		for _, a := range Decide(scene(append(tc.edits, settledNow)...)).Actions {
			if scale, ok := a.(ScaleRevision); ok {
				found = true
				if scale.Drift != tc.want {
					t.Errorf("%s: %s is told as somebody else's: %t", name, scale, scale.Drift)
				}
			}
		}
		if !found {
			t.Errorf("%s: nothing is scaled", name)
		}
	}
}

// TestALostStableIsSaid: somebody deleted stable's ReplicaSet in mid-release, and
// the template is not the one that could bring it back.
func TestALostStableIsSaid(t *testing.T) {
	lost := func(s *Snapshot) {
		s.Revisions = s.Revisions[1:]
		s.StableService = service("stable", "v1", 0)
		s.Traffic = carried(traffic.CanaryAt(100))
	}
	for name, tc := range map[string]struct {
		edits []edit
		want  string
	}{
		"forward": {nil, "step 2/3: pause (all traffic, as stable v1 has no ready pod): paused until promoted"},
		"aborted": {[]edit{latched(v1alpha1.ReasonAbortedByCommand)},
			"returning all traffic to v1: v1 has no ReplicaSet any more, and only its template brings it back; write that, or retry v2; aborted because: as a test says"},
	} {
		s := scene(append([]edit{canaryOf(1, 4, 100), lost, settledNow}, tc.edits...)...)
		if got := Decide(s).Status.Message; got != tc.want {
			t.Errorf("%s: says %q, want %q", name, got, tc.want)
		}
	}
}

// TestALostCanaryIsSaid: every pod of the canary is gone while somebody is waited
// for. Its traffic is stable's by then, and who is to promote it has to know.
func TestALostCanaryIsSaid(t *testing.T) {
	gone := []edit{canaryPods(2, 0), endpoints(0), settledNow}
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{}}
	for name, tc := range map[string]struct {
		edits []edit
		want  string
	}{
		"paused":   {append([]edit{canaryOf(1, 2, 25)}, gone...), "step 2/3: pause (no traffic, as canary v2 has no ready pod): paused until promoted"},
		"approved": {append([]edit{canaryOf(1, 2, 25), inSteps(weightStep(25), approve)}, gone...), "step 2/2: approval (no traffic, as canary v2 has no ready pod): waiting for a named person to promote"},
		"matched": {append([]edit{canaryOf(1, 2, 0), inSteps(v1alpha1.Step{MatchRoute: &v1alpha1.MatchRoute{Name: "testers", Match: []v1alpha1.RequestMatch{{}}}}, pauseStep())}, gone...),
			"step 2/2: pause (no traffic, as canary v2 has no ready pod): paused until promoted"},
		"without a weight": {append([]edit{canaryOf(0, 2, 0), inSteps(pauseStep())}, gone...), "step 1/1: pause: paused until promoted"},
		"one of two":       {[]edit{canaryOf(1, 2, 25), canaryPods(2, 1), endpoints(1), settledNow}, "step 2/3: pause: paused until promoted"},
	} {
		if got := Decide(scene(tc.edits...)).Status.Message; got != tc.want {
			t.Errorf("%s: says %q, want %q", name, got, tc.want)
		}
	}
}

// TestWhatIsNotThereIsNotWritten: a Service that somebody deleted is a problem, and no write that fails for ever.
func TestWhatIsNotThereIsNotWritten(t *testing.T) {
	s := scene(canaryOf(1, 1, 0), latched(v1alpha1.ReasonAbortedByCommand), settledNow, func(s *Snapshot) {
		s.CanaryService = Service{Name: "canary", Absent: true}
		s.Problems = []Problem{{Field: "spec.strategy.canary.canaryService", Message: "Service canary does not exist"}}
	})
	p := Decide(s)
	for _, a := range p.Actions {
		if _, ok := a.(SelectRevision); ok {
			t.Errorf("%s, which does not exist", a)
		}
	}
	if want := "before the next release mend spec.strategy.canary.canaryService: Service canary does not exist"; !strings.Contains(p.Status.Message, want) {
		t.Errorf("says %q, want %q in it", p.Status.Message, want)
	}
}

// TestAServiceIsCopiedFromTheOneThatTheSpecNames: Services that were a person's and
// are the controller's to make by now may be deleted before the spec is followed.
func TestAServiceIsCopiedFromTheOneThatTheSpecNames(t *testing.T) {
	s := scene(canaryOf(2, 2, 50), latched(v1alpha1.ReasonStrategyChanged), settledNow, func(s *Snapshot) {
		c := s.Rollout.Spec.Strategy.Canary
		c.StableService, c.CanaryService = "shop-stable", "shop-canary"
		b := WantedBindings(s.Rollout)
		s.Rollout.Status.Bindings = &b
		c.StableService, c.CanaryService, c.Service = "", "", "shop"
		s.StableService, s.CanaryService.Name = Service{Name: "shop-stable", Missing: true}, "shop-canary"
	})
	for name, makes := range map[string]bool{"shop-stable": true, "shop-canary": true, "shop": false, "stable": false} {
		if got := Makes(s.Rollout, name); got != makes {
			t.Errorf("makes Service %s: %t", name, got)
		}
	}
	want := "create Service shop-stable as a copy of shop"
	if p := Decide(s); !slices.ContainsFunc(p.Actions, func(a Action) bool { return a.String() == want }) {
		t.Errorf("want %q: %v", want, p.Actions)
	}
}
