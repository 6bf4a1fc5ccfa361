// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestAbortBesideRefusedWrites has one kind of write be refused each time. An
// abort has to come as soon as without that: law 4's clock knows no excuse here.
func TestAbortBesideRefusedWrites(t *testing.T) {
	marked := canaryBy(weight(50), forever())
	marked.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}}
	marked.Canary.CanaryMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "canary"}}
	beside := func(kind string, meanwhile func(*stage)) func(*stage) {
		return func(s *stage) {
			s.wants("v2")
			s.serves("v2", 50)
			refusals := 0
			s.mischief.refuses = func(what string) bool {
				if !strings.Contains(what, kind) {
					return false
				}
				refusals++
				return true
			}
			meanwhile(s)
			s.h.say(v1alpha1.VerbAbort)
			s.serves("v2", 0)
			s.pass(time.Minute)
			if refusals == 0 {
				s.t.Errorf("nothing was refused that has %q in it", kind)
			}
			s.mischief.refuses = nil
		}
	}
	nothing := func(*stage) {}
	for name, hz := range map[string]hazard{
		"Metadata": {"a pod webhook is down, and the canary's metadata stays on its pods", marked, nil, beside("metadata", nothing), "v1"},
		"MetadataBefore": {"it was down before the abort", marked, nil, beside("metadata", func(s *stage) {
			s.editRollout(true, func(r *v1alpha1.Rollout) {
				r.Spec.Strategy.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "other"}}
			})
			s.pass(30 * time.Second)
		}), "v1"},
		"Run": {"the run of the release can't be stopped", canaryBy(weight(50), analyzeFor(30*time.Minute, ""), forever()), nil, beside("stop AnalysisRun", nothing), "v1"},
		"Capacity": {"more pods are asked for, and no ReplicaSet may grow", canaryBy(weight(50), forever()), nil, beside("from 4 to 5", func(s *stage) {
			s.h.scale(5)
		}), "v1"},
	} {
		t.Run(name, hz.run)
	}
}

// TestWhatFailsHoldsUpNoClock has a release beside metadata that is refused for
// good, so that retries are as rare as they get: what waits for its time waits no longer.
func TestWhatFailsHoldsUpNoClock(t *testing.T) {
	took := func(refused bool) (d time.Duration) {
		marked := canaryBy(weight(20), pauseFor(40*time.Second), weight(60), pauseFor(41*time.Second))
		marked.Canary.CanaryMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "canary"}}
		marked.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}}
		hazard{"a pod webhook is down", marked, nil, func(s *stage) {
			if refused {
				s.mischief.refuses = func(what string) bool { return strings.Contains(what, "metadata") }
			}
			s.editRollout(true, func(r *v1alpha1.Rollout) { // so that there is something to refuse
				r.Spec.Strategy.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "other"}}
			})
			s.pass(5 * time.Minute) // until it is tried every 15 s only
			began := s.now
			s.wants("v2")
			s.until("v2 is stable", func() bool { return s.name(s.status().StableRevision) == "v2" })
			d = s.now - began
			s.mischief.refuses = nil
		}, "v2"}.run(t)
		return d
	}
	if calm, beside := took(false), took(true); beside > calm+5*time.Second {
		t.Errorf("the release took %s beside a write that was refused each time, %s without", beside, calm)
	}
}

// TestRefusalBesideALostRace has each pass meet a refusal first and a lost race
// after it: people hear of the refusal.
func TestRefusalBesideALostRace(t *testing.T) {
	hazard{"no ReplicaSet of stable may grow, and somebody always scales the canary's first", canaryBy(weight(50), forever()), nil, func(s *stage) {
		s.wants("v2")
		s.serves("v2", 50)
		races := 0
		what := ""
		s.mischief.refuses = func(write string) bool {
			what = write
			return strings.Contains(write, "from 4 to 6")
		}
		s.mischief.script = func(int) fate {
			if strings.Contains(what, "from 2 to 3") {
				races++
				return conflicts
			}
			return done
		}
		s.h.scale(6)
		s.until("the refusal is told", func() bool {
			return races > 0 && apimeta.IsStatusConditionFalse(s.status().Conditions, v1alpha1.ConditionApplied)
		})
		s.mischief.refuses, s.mischief.script = nil, nil
	}, "v2"}.run(t)
}

// TestLostRaceAfterAWriteToARoute: one of two routes was written to before the
// race for the other was lost, and somebody writes it back before the next look. That
// must not pass for never having been written, which only its edition tells.
func TestLostRaceAfterAWriteToARoute(t *testing.T) {
	hazard{"somebody else writes the second route at the same moment", canaryBy(weight(25), forever()), twoRoutes, func(s *stage) {
		lost := false
		s.mischief.script = func(int) fate {
			if lost || s.live.routes[0].split.Canary == s.live.routes[1].split.Canary {
				return done
			}
			lost = true
			return conflicts
		}
		s.h.want("v2")
		s.until("the race is lost", func() bool { return lost })
		before := s.status().Traffic.Edition
		for i := range s.live.routes {
			s.plane.write(i, traffic.CanaryAt(0))
		}
		s.mischief.script = nil
		s.until("the edition is another one", func() bool { return s.status().Traffic.Edition != before })
		s.serves("v2", 25)
	}, "v2"}.run(t)
}
