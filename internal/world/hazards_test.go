// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// stage is a world in which a test lets things happen in an order of its own.
// The laws are checked after every event.
type stage struct {
	t *testing.T
	*World
	h *people
}

// hazard is a whole course of events that went wrong elsewhere.
type hazard struct {
	reason string
	// strategy of the Rollout; its replicas are 4.
	strategy v1alpha1.Strategy
	// also changes the setup.
	also func(*Setup)
	// play lets the hazard happen; v1 is stable when it begins. The world comes to rest afterwards.
	play func(*stage)
	// ends is the image that is stable in the end.
	ends string
}

// either is the end of a hazard where every end is right, as long as it is one.
const either = "either"

func (hz hazard) run(t *testing.T) {
	t.Helper()
	all, err := NewSchedules()
	if err != nil {
		t.Fatal(err)
	}
	n, deadline := int32(4), int32(60)
	setup := Setup{
		Rollout: &v1alpha1.Rollout{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "test"},
			Spec:       v1alpha1.RolloutSpec{Replicas: &n, ProgressDeadlineSeconds: &deadline, Strategy: hz.strategy},
		},
		Catalogue: all.catalogue, Lags: slowPlane(), Services: [...]string{stableName, canaryName, callerName}, Transcript: true,
	}
	if hz.also != nil {
		hz.also(&setup)
	}
	w := New(setup)
	w.mischief.restarts = Exactly(3 * time.Second)
	s := &stage{t, w, newPeople(w)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(hz.reason + "\n" + strings.Join(w.lines, "\n"))
		}
	})
	s.until("v1 is stable", func() bool { return s.phase(v1alpha1.PhaseHealthy) })
	hz.play(s)
	s.mischief.percent, s.mischief.script, s.mischief.over = 0, nil, true
	if err := (caretaker{s.h}).rest(); err != nil {
		t.Fatal(err)
	}
	if ro := s.live.rollout; ro != nil && hz.ends != either && s.name(ro.Status.StableRevision) != hz.ends {
		t.Errorf("%s is stable in the end, want %s", s.name(ro.Status.StableRevision), hz.ends)
	}
}

// slowPlane is a data plane that takes as long as convergence.settle allows.
func slowPlane() Lags {
	l := Calm()
	l.Serve, l.Learn = Span{0, 1900 * time.Millisecond}, Span{0, 1900 * time.Millisecond}
	l.Measure = Exactly(5 * time.Second)
	return l
}

// until lets events happen until something is so; that takes at most an hour.
func (s *stage) until(what string, so func() bool) {
	s.t.Helper()
	for !so() {
		more, err := s.step()
		switch {
		case err != nil:
			s.t.Fatal(err)
		case !more || s.now > time.Hour:
			s.t.Fatalf("%s: never", what)
		}
	}
	s.logf("test: %s", what)
}

// pass lets a time pass.
func (s *stage) pass(d time.Duration) {
	s.t.Helper()
	if err := s.World.run(s.now + d); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) status() v1alpha1.RolloutStatus { return s.live.rollout.Status }

func (s *stage) phase(p v1alpha1.RolloutPhase) bool { return s.status().Phase == p }

// wants asks for an image and waits until its release has begun.
func (s *stage) wants(image string) {
	s.t.Helper()
	s.h.want(image)
	s.until(image+" is in flight", func() bool { return s.name(s.status().CanaryRevision) == image })
}

// serves waits until the data plane serves an image a share.
func (s *stage) serves(image string, share int32) {
	s.t.Helper()
	s.until(image+" is served", func() bool { return s.plane.share(s.catalogue.entries[image].hash) == share })
}

func (s *stage) atStep(n int32) {
	s.t.Helper()
	s.until("at the step", func() bool { return stepOf(s.status()) == n })
}

func (s *stage) pods(image string) int32 {
	r, _ := s.live.set(s.catalogue.entries[image].hash)
	return r.Replicas
}

// canaryBy is a canary by routes with these steps and, where one analyses, an analysis.
func canaryBy(steps ...v1alpha1.Step) v1alpha1.Strategy {
	c := &v1alpha1.CanaryStrategy{StableService: stableName, CanaryService: canaryName, Routes: routeRefs(), Steps: steps}
	for _, s := range steps {
		if s.Analyze != nil {
			c.Analysis = analysis()
		}
	}
	return v1alpha1.Strategy{Canary: c}
}

func dynamicStable(s v1alpha1.Strategy) v1alpha1.Strategy {
	s.Canary.ScaleStable = v1alpha1.ScaleStableDynamic
	return s
}

func blueGreen(change func(*v1alpha1.BlueGreenStrategy)) v1alpha1.Strategy {
	b := &v1alpha1.BlueGreenStrategy{ActiveService: stableName, PreviewService: canaryName}
	change(b)
	return v1alpha1.Strategy{BlueGreen: b}
}

func forever() v1alpha1.Step { return v1alpha1.Step{Pause: &v1alpha1.Pause{}} }

// supersededAt has V3 arrive while V2 holds a share.
func supersededAt(share int32) hazard {
	return hazard{
		"a newer revision arrives in mid-flight", canaryBy(weight(share), forever()), nil,
		func(s *stage) { s.wants("v2"); s.serves("v2", share); s.wants("v3") }, "v3",
	}
}

func TestNewerRevision(t *testing.T) {
	minutes := 3 * time.Minute
	for name, hz := range map[string]hazard{
		"At5":  supersededAt(5),
		"At20": supersededAt(20),
		"At50": supersededAt(50),
		"At99": supersededAt(99),
		"WhileStableIsShrunk": {
			"stable was shrunk to its share and takes everything", dynamicStable(canaryBy(weight(75), forever())), nil,
			func(s *stage) {
				s.wants("v2")
				s.until("stable has shrunk", func() bool { return s.pods("v1") < 4 })
				s.wants("v3")
			}, "v3",
		},
		"WhileAnalysed": {
			"its run is another one", canaryBy(weight(25), analyzeFor(minutes, ""), weight(50)), nil,
			func(s *stage) {
				s.wants("v2")
				s.until("analysed", func() bool { return s.status().Analysis != nil })
				first := s.status().Analysis.Run
				s.wants("v3")
				s.until("analysed anew", func() bool { return s.status().Analysis != nil && s.status().Analysis.Run != first })
				if i := s.live.run(first); i >= 0 && !s.live.runs[i].Spec.Stop {
					s.t.Error("the run of the superseded release goes on")
				}
			}, "v3",
		},
		"WhilePromoted": {
			"both slots are on their way from one to the other", canaryBy(weight(50)), nil,
			func(s *stage) {
				s.wants("v2")
				s.until("stable's Service has moved", func() bool {
					return s.live.services[stableService].Selects == s.catalogue.entries["v2"].hash
				})
				s.h.want("v3")
			}, "v3",
		},
		"AfterAbort": {
			"what was aborted does not bind the next one", canaryBy(weight(50), forever()), nil,
			func(s *stage) {
				s.wants("v2")
				s.serves("v2", 50)
				s.h.say(v1alpha1.VerbAbort)
				s.until("aborting", func() bool { return s.phase(v1alpha1.PhaseAborting) })
				s.wants("v3")
			}, "v3",
		},
		"WithReplicas": {
			"template and replicas change in one write", canaryBy(weight(50), forever()), nil,
			func(s *stage) { s.h.rewrite("v2", 7); s.serves("v2", 50) }, "v2",
		},
		"BadTwice": {
			"the deadline counts for the second bad revision, too, and its trace is gone after a good one", canaryBy(weight(50)), nil,
			func(s *stage) {
				s.wants("v7-broken")
				s.until("aborted", func() bool { return s.phase(v1alpha1.PhaseDegraded) })
				s.wants("v8-crashing")
				s.until("aborted again", func() bool { return s.phase(v1alpha1.PhaseDegraded) || s.name(s.status().StableRevision) != "v1" })
				s.wants("v2")
				s.until("healthy", func() bool { return s.phase(v1alpha1.PhaseHealthy) })
				if apimeta.FindStatusCondition(s.status().Conditions, v1alpha1.ConditionStalled) != nil {
					s.t.Error("condition Stalled is still there")
				}
			}, "v2",
		},
	} {
		t.Run(name, hz.run)
	}
}

// TestComingHome has aborts and rollbacks at bad times.
func TestComingHome(t *testing.T) {
	abort := func(s *stage) {
		s.h.say(v1alpha1.VerbAbort)
		s.until("aborted", func() bool { return s.status().Abort != nil })
	}
	for name, hz := range map[string]hazard{
		"AbortWhilePaused": {"a pause", canaryBy(weight(50), forever()), nil, func(s *stage) {
			s.wants("v2")
			s.atStep(1)
			s.h.pause(true)
			abort(s)
			s.serves("v2", 0)
		}, "v1"},
		"AbortBesideAMissingRoute": {"one of two routes was deleted", canaryBy(weight(50), forever()), func(s *Setup) { s.Routes = 2 }, func(s *stage) {
			s.wants("v2")
			s.serves("v2", 50)
			s.laws.harm()
			s.plane.delete(0)
			s.pass(10 * time.Second)
			abort(s)
			s.until("the other one goes back", func() bool { return s.live.routes[1].split.Canary == 0 })
			s.h.gitops.restoreRoutes()
		}, "v1"},
		"AbortOfFullPromotion": {"all steps are skipped and the weight is on its way", canaryBy(weight(5), forever(), weight(50)), nil, func(s *stage) {
			s.wants("v2")
			s.atStep(1)
			s.h.say(v1alpha1.VerbPromoteFull)
			s.serves("v2", 100)
			abort(s)
			s.h.say(v1alpha1.VerbPromoteFull)
			s.serves("v2", 0)
		}, "v1"},
		"AbortOfShrunkStable": {"stable grows before it gets more", dynamicStable(canaryBy(weight(75), forever())), nil, func(s *stage) {
			s.wants("v2")
			s.until("stable has shrunk", func() bool { return s.pods("v1") < 4 })
			abort(s)
		}, "v1"},
		"RollBackOfShrunkStable": {"the same when the template goes back", dynamicStable(canaryBy(weight(75), forever())), nil, func(s *stage) {
			s.wants("v2")
			s.until("stable has shrunk", func() bool { return s.pods("v1") < 4 })
			s.h.want("v1")
		}, "v1"},
		"RollBackAndForth": {"the template comes back before the traffic has left", canaryBy(weight(50), forever()), nil, func(s *stage) {
			s.wants("v2")
			s.serves("v2", 50)
			s.h.want("v1")
			s.until("rolling back", func() bool { return s.phase(v1alpha1.PhaseRollingBack) })
			s.h.want("v2")
			s.until("released again", func() bool { return s.status().Release == 3 })
		}, "v2"},
		"BadAnalysis": {"the evidence comes at the second weight", canaryBy(weight(25), weight(50), analyzeFor(3*time.Minute, ""), weight(75)), nil, func(s *stage) {
			s.wants("v5-bad")
			s.until("aborted", func() bool { return s.phase(v1alpha1.PhaseDegraded) })
		}, "v1"},
		"StuckPromotion": {"no gateway answers while it is promoted, for longer than the deadline", canaryBy(weight(50)), nil, func(s *stage) {
			s.wants("v2")
			s.serves("v2", 100)
			s.plane.stuck = s.now + 3*time.Minute
			s.laws.disturb()
			s.until("over", func() bool { return s.now > s.plane.stuck })
		}, either},
		"SwitchedAndBad": {"the analysis after the switch fails", blueGreen(func(b *v1alpha1.BlueGreenStrategy) {
			b.PostPromotion = &v1alpha1.PostPromotion{Analysis: *analysis()}
		}), nil, func(s *stage) {
			s.wants("v5-bad")
			s.until("aborted", func() bool { return s.phase(v1alpha1.PhaseDegraded) })
			if s.live.services[stableService].Selects != s.catalogue.entries["v1"].hash {
				s.t.Error("the active Service does not stand for v1")
			}
		}, "v1"},
		"SwitchedAndGone": {"all new pods vanish after the switch, and somebody aborts", blueGreen(func(b *v1alpha1.BlueGreenStrategy) {
			b.PostPromotion = &v1alpha1.PostPromotion{Analysis: *analysis()}
		}), nil, func(s *stage) {
			s.wants("v2")
			s.until("switched", func() bool { return s.live.services[stableService].Selects == s.catalogue.entries["v2"].hash })
			for _, p := range s.World.pods.set(s.catalogue.entries["v2"].hash).pods {
				s.kubelet.crash(p, time.Minute)
			}
			abort(s)
		}, "v1"},
	} {
		t.Run(name, hz.run)
	}
}
