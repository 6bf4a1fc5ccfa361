// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// promoted releases v2 up to its promotion.
func promoted(s *stage) {
	s.wants("v2")
	s.until("v2 is stable", func() bool { return s.phase(v1alpha1.PhaseHealthy) && s.name(s.status().StableRevision) == "v2" })
}

// every has each n-th write of the controller meet a fate.
func every(n int, f fate) func(*stage) {
	return func(s *stage) {
		s.mischief.script = func(write int) fate {
			if write%n == 0 {
				return f
			}
			return done
		}
		promoted(s)
	}
}

// killed has the only controller end; another starts after three seconds.
func killed(s *stage) {
	s.logf("controller killed")
	s.mischief.kill(s.leaders[0])
}

// followed has one leader after another take over in the middle of a release,
// while the one before goes on.
func followed(fenced bool) func(*stage) {
	return func(s *stage) {
		s.h.want("v2")
		s.mischief.change(fenced)
		s.pass(2 * time.Second)
		s.mischief.change(fenced)
		promoted(s)
	}
}

func twoRoutes(s *Setup) { s.Routes = 2 }

// patient has the deadline be longer than any delay of a fault.
func patient(s *Setup) { s.Rollout.Spec.ProgressDeadlineSeconds = new(int32(3600)) }

// TestFaults has controllers and their API server fail in the middle of a release.
func TestFaults(t *testing.T) {
	steps := canaryBy(weight(25), pauseFor(5*time.Second), weight(50))
	matched := canaryBy(matchTesters(true), forever(), matchTesters(false), weight(50))
	delayed := canaryBy(weight(50))
	delayed.Canary.ScaleDownDelaySeconds = new(int32(60))
	for name, hz := range map[string]hazard{
		"EverySecondWriteConflicts":   {"whoever wins the race is read anew", steps, nil, every(2, conflicts), "v2"},
		"EverySecondWriteIsRefused":   {"an error is reported and retried, not swallowed", steps, nil, every(2, refused), "v2"},
		"EverySecondAnswerIsLost":     {"what was created is not created twice", steps, nil, every(2, answerLost), "v2"},
		"KilledAtEveryThirdWrite":     {"nothing is kept in memory", steps, nil, every(3, killedAfter), "v2"},
		"KilledBeforeEveryThirdWrite": {"nor between deciding and writing", steps, nil, every(3, killedBefore), "v2"},
		"TwoRoutesWrittenHalf":        {"one route is written, the other refuses", steps, twoRoutes, every(3, refused), "v2"},
		"OldLeaderGoesOn":             {"two processes act for a while, and the fence of the old one holds", steps, nil, followed(true), "v2"},
		"FenceFails":                  {"what an old leader writes all the same does harm for a moment and changes no end", steps, nil, followed(false), "v2"},
		"StaleCaches": {"what is noticed is thirty seconds old", steps, patient, func(s *stage) {
			s.mischief.staleCaches(10 * time.Minute)
			promoted(s)
		}, "v2"},
		"RestartKeepsMatches": {"a match is no controller's memory", matched, nil, func(s *stage) {
			s.wants("v2")
			s.until("matched", func() bool { return s.plane.matches() })
			killed(s)
			for range 60 {
				s.pass(time.Second)
				if len(s.live.routes[0].split.Matches) == 0 {
					s.t.Fatal("the match is gone")
				}
			}
		}, "v2"},
		"RestartKeepsDelays": {"a delay is no controller's memory", delayed, nil, func(s *stage) {
			promoted(s)
			at := s.now
			s.pass(20 * time.Second)
			killed(s)
			s.until("v1 has no pods", func() bool { return s.pods("v1") == 0 })
			if took := s.now - at; took < 50*time.Second || took > 70*time.Second {
				s.t.Errorf("the pods of v1 left after %s, want about 60s", took)
			}
		}, "v2"},
		"PrometheusSilent": {"no data holds, however long", canaryBy(weight(25), analyzeFor(3*time.Minute, ""), weight(50)), nil, func(s *stage) {
			s.wants("v2")
			s.atStep(1)
			s.analyst.silent = s.now + 20*time.Minute
			s.until("silent for long", func() bool { return s.now > s.analyst.silent-time.Minute })
			if got := stepOf(s.status()); got != 1 || !s.phase(v1alpha1.PhaseHolding) {
				s.t.Errorf("at step %d, %s; want to hold at step 1", got, s.status().Phase)
			}
		}, "v2"},
	} {
		t.Run(name, hz.run)
	}
}

// TestOtherHands has people, GitOps and autoscalers change things in the middle of a release.
func TestOtherHands(t *testing.T) {
	steps := canaryBy(weight(25), forever(), weight(50))
	delayed := canaryBy(weight(50))
	delayed.Canary.ScaleDownDelaySeconds = new(int32(60))
	halfway := func(s *stage) {
		s.wants("v2")
		s.atStep(1)
		s.serves("v2", 25)
	}
	for name, hz := range map[string]hazard{
		"ScaledInTheDelay": {"a retired revision keeps its number, then goes", delayed, nil, func(s *stage) {
			promoted(s)
			s.h.scale(6)
			s.until("scaled", func() bool { return s.phase(v1alpha1.PhaseHealthy) && s.pods("v2") == 6 })
			for s.pods("v1") > 0 {
				if got := s.pods("v1"); got != 4 {
					s.t.Fatalf("v1 has %d pods in its delay, want 4", got)
				}
				s.pass(time.Second)
			}
		}, "v2"},
		"ScaledInMidFlight": {"an autoscaler writes 8, then 3", steps, nil, func(s *stage) {
			halfway(s)
			s.h.scale(8)
			s.pass(20 * time.Second)
			s.h.scale(3)
			s.pass(20 * time.Second)
		}, "v2"},
		"ScaledToNothingAndBack": {"nobody serves, then all do", steps, nil, func(s *stage) {
			halfway(s)
			s.h.scale(0)
			s.pass(time.Minute)
			s.h.scale(4)
			s.pass(time.Minute)
		}, "v2"},
		"Autoscaler": {"its formula counts the pods of both revisions, and settles", canaryBy(weight(50), pauseFor(5*time.Minute)), nil, func(s *stage) {
			s.h.hpa.load = 4
			s.wants("v2")
			for range 40 {
				s.pass(15 * time.Second)
				s.h.hpa.look()
				if n := s.live.replicas(); n != 4 {
					s.t.Fatalf("the HPA wants %d replicas for a load of 4 pods", n)
				}
			}
			s.h.hpa.load = 0
		}, "v2"},
		"GitResetsRoutes": {"GitOps writes everything to stable again", steps, nil, func(s *stage) {
			halfway(s)
			s.h.gitops.restoreRoutes()
			s.until("put back", func() bool { return s.live.routes[0].split.Equal(traffic.CanaryAt(25)) })
		}, "v2"},
		"GitResetsServices": {"GitOps widens the Services again", steps, nil, func(s *stage) {
			halfway(s)
			s.h.gitops.restoreServices()
			s.until("narrowed", func() bool { return s.live.services[stableService].Selects == s.catalogue.entries["v1"].hash })
		}, "v2"},
		"StrategyChanged": {"another kind of strategy in mid-flight", steps, nil, func(s *stage) {
			halfway(s)
			s.h.restrategy(blueGreen(func(*v1alpha1.BlueGreenStrategy) {}))
			s.until("taken back", func() bool { return s.status().Strategy == "BlueGreen" })
		}, "v2"},
		"StepsChanged": {"other steps in mid-flight, without the weight that is served: held until somebody agrees", steps, nil, func(s *stage) {
			halfway(s)
			s.editRollout(true, func(r *v1alpha1.Rollout) {
				r.Spec.Strategy = canaryBy(weight(10), weight(40), forever())
			})
			s.until("held", func() bool { return s.phase(v1alpha1.PhaseHolding) })
			s.pass(20 * time.Minute)
			if got := s.live.routes[0].split; !got.Equal(traffic.CanaryAt(25)) || !s.phase(v1alpha1.PhaseHolding) {
				s.t.Fatalf("%s at %s, want it held at the 25 %% that were agreed to", s.status().Phase, got)
			}
			s.h.say(v1alpha1.VerbPromote)
			s.until("follows", func() bool { return s.live.routes[0].split.Equal(traffic.CanaryAt(40)) })
		}, "v2"},
		"RouteDeleted": {"it comes back later", steps, nil, func(s *stage) {
			halfway(s)
			s.laws.harm()
			s.plane.delete(0)
			s.pass(2 * time.Minute)
			s.h.gitops.restoreRoutes()
		}, "v2"},
	} {
		t.Run(name, hz.run)
	}
}

// TestPlansAtTheirEdges has plans whose ends are easily forgotten.
func TestPlansAtTheirEdges(t *testing.T) {
	for name, hz := range map[string]hazard{
		"EndsAtZero":      {"the last weight is 0", canaryBy(weight(50), weight(0)), nil, promoted, "v2"},
		"NoSteps":         {"there are no steps at all", canaryBy(), nil, promoted, "v2"},
		"ScaleThenWeight": {"setScale, then matchWeight", canaryBy(scaleTo(3), weight(25), v1alpha1.Step{SetScale: &v1alpha1.SetScale{MatchWeight: true}}, pauseFor(time.Second), weight(50)), nil, promoted, "v2"},
		"AnalysisSkipped": {"nobody measures, but pods are waited for", canaryBy(weight(25), analyzeFor(3*time.Minute, ""), weight(50)), nil, func(s *stage) {
			s.wants("v4-slow")
			s.h.say(v1alpha1.VerbSkipAnalysis)
			s.until("promoted", func() bool { return s.name(s.status().StableRevision) == "v4-slow" })
		}, "v4-slow"},
		"FirstRelease": {"both Services stand for the first revision", canaryBy(weight(50)), nil, func(s *stage) {
			for _, i := range []int{stableService, canaryService} {
				if got := s.live.services[i].Selects; got != s.catalogue.entries["v1"].hash {
					s.t.Errorf("Service %s stands for %q", slots[i], got)
				}
			}
		}, "v1"},
		"PreviewAfterTheSwitch": {"the preview selects somebody when all is over", blueGreen(func(*v1alpha1.BlueGreenStrategy) {}), nil, func(s *stage) {
			promoted(s)
			s.until("listed", func() bool { return endpointsOf(s.live.services[canaryService].Ready) > 0 })
			if got := s.name(s.live.services[canaryService].Selects); got != "v2" {
				s.t.Errorf("the preview stands for %s", got)
			}
		}, "v2"},
		"BrokenPreview": {"a preview that never gets ready never gets the active Service", blueGreen(func(*v1alpha1.BlueGreenStrategy) {}), nil, func(s *stage) {
			s.wants("v7-broken")
			s.until("aborted", func() bool { return s.phase(v1alpha1.PhaseDegraded) })
		}, "v1"},
		"BrokenCanary": {"pods that never get ready abort by the deadline", canaryBy(weight(50)), nil, func(s *stage) {
			s.wants("v7-broken")
			s.until("aborted", func() bool { return s.phase(v1alpha1.PhaseDegraded) })
		}, "v1"},
		"DeletedInMidFlight": {"the Deployment is back before the Rollout's pods leave", canaryBy(weight(50), forever()), takingOver, func(s *stage) {
			s.wants("v2")
			s.serves("v2", 50)
			s.deletion()
			s.until("gone", func() bool { return s.live.rollout == nil })
			if got := s.live.workload.Available; got != 4 {
				s.t.Errorf("the Deployment has %d available pods", got)
			}
		}, "v2"},
		"DeletedWithoutItsRoute": {"what is gone needs no release", canaryBy(weight(50), forever()), nil, func(s *stage) {
			s.wants("v2")
			s.serves("v2", 50)
			s.laws.harm()
			s.plane.delete(0)
			s.deletion()
			s.until("gone", func() bool { return s.live.rollout == nil })
		}, "v2"},
	} {
		t.Run(name, hz.run)
	}
}

func takingOver(s *Setup) { s.Workload = 4 }

func endpointsOf(ready map[string]int32) int32 {
	var sum int32
	for _, n := range ready {
		sum += n
	}
	return sum
}
