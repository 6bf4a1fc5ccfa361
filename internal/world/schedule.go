// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// Schedules plays random schedules, one for each seed.
type Schedules struct {
	catalogue  Catalogue
	plain, all [][]v1alpha1.Step
	// decide is the planner; nil for the real one.
	decide func(plan.Snapshot) plan.Plan
}

// NewSchedules prepares what all schedules share.
func NewSchedules() (Schedules, error) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}
	template := &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "v1"}}},
	}
	c, err := NewCatalogue(template, selector,
		Variant{"v1", Behaviour{}}, Variant{"v2", Behaviour{}}, Variant{"v3", Behaviour{}},
		Variant{"v4-slow", Behaviour{Health: Slow}}, Variant{"v5-bad", Behaviour{Bad: true}},
		Variant{"v6-bad-late", Behaviour{Bad: true, BadFrom: 2}},
		Variant{"v7-broken", Behaviour{Health: Broken}}, Variant{"v8-crashing", Behaviour{Health: Crashing}})
	if err != nil {
		return Schedules{}, fmt.Errorf("identify templates: %w", err)
	}
	s := Schedules{catalogue: c}
	s.plain, s.all = plans()
	return s, nil
}

// Outcome is what became of one schedule.
type Outcome struct {
	Seed uint64
	// Err is the first broken law, a [*BrokenLaw].
	Err error
	// Transcript of what happened, if it was asked for.
	Transcript []string
	// Events that happened, and Checked the judgements of each law.
	Events  int
	Checked [len(lawNames)]int
	// Aborts in the schedule. Slowest is the longest time from an abort to 0 %,
	// SlowestCalm the same of those that no fault disturbed.
	Aborts               int
	Slowest, SlowestCalm time.Duration
}

// Play plays the schedule of a seed.
func (s Schedules) Play(seed uint64, transcript bool) Outcome {
	w, h := s.draw(seed, transcript)
	err := s.play(w, h)
	return Outcome{
		Seed: seed, Err: err, Transcript: w.lines, Events: w.happened, Checked: w.laws.checked,
		Aborts: w.laws.abort.aborts, Slowest: w.laws.abort.slowest, SlowestCalm: w.laws.abort.slowestCalm,
	}
}

func (s Schedules) play(w *World, h *people) error {
	until := w.draw(Span{30 * time.Second, 5 * time.Minute})
	faults, users := w.draw(Span{10 * time.Second, 3 * time.Minute}), w.draw(Span{10 * time.Second, time.Minute})
	quiet := w.chance(25) // people only, so that times can be promised
	if quiet {
		w.mischief.percent = 0
	}
	for w.now < until {
		next := w.now + w.draw(Span{0, min(users, faults)})
		if err := w.run(min(next, until)); err != nil {
			return err
		}
		if quiet || w.chance(int(100*faults/(faults+users))) {
			h.some()
		} else {
			w.mischief.some()
		}
	}
	w.mischief.percent, w.mischief.over = 0, true
	h.hpa.load = 0
	h.leave()
	return caretaker{h}.rest()
}

// draw makes the world of a seed and the people in it.
func (s Schedules) draw(seed uint64, transcript bool) (*World, *people) {
	rng := rand.New(rand.NewPCG(seed, 0))
	dice, sticky := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	roles, refusals := rand.New(rand.NewPCG(seed, 3)), rand.New(rand.NewPCG(seed, 4))
	strategy := func() v1alpha1.Strategy {
		return perhapsMarked(roles, perhapsSticky(sticky, perhapsControlled(dice, strategyOf(rng, s.plain, s.all))))
	}
	r := rolloutOf(rng, strategy())
	setup := Setup{
		Rollout: r, Catalogue: s.catalogue, Lags: lagsOf(rng), Routes: 1 + rng.IntN(4)/3,
		Services: [...]string{stableName, canaryName, callerName}, Seed: seed, Transcript: transcript, Decide: s.decide,
		Silent: rand.New(rand.NewPCG(seed, 2)).IntN(8) == 0, // dice of its own, as with baselines
		AnyPod: rand.New(rand.NewPCG(seed, 7)).IntN(2) == 0,
	}
	ripens := rand.New(rand.NewPCG(seed, 5))
	switch rng.IntN(7) {
	case 0:
		setup.Workload, setup.MinReady = *r.Spec.Replicas, pick[int32](ripens, 0, 0, 5)
	case 1:
		setup.Bare = plan.MakesServices(r)
	}
	w := New(setup)
	w.logf("%d replicas, %s", *r.Spec.Replicas, strategyName(r.Spec.Strategy))
	if setup.Silent {
		w.logf("no data plane reports what it serves")
	}
	if setup.AnyPod {
		w.logf("any ready pod may be the one that ends when there are to be fewer")
	}
	w.mischief.restarts = Span{time.Second, time.Minute}
	if rng.IntN(4) > 0 {
		w.mischief.percent = rng.IntN(15)
	}
	if refusals.IntN(8) == 0 {
		w.mischief.refuseSome(refusals)
	}
	h := newPeople(w)
	h.ripens, h.replans = ripens, rand.New(rand.NewPCG(seed, 6))
	h.stranger.deletes = rng.IntN(2) == 0
	for range 4 {
		h.strategies = append(h.strategies, strategy())
	}
	if rng.IntN(6) == 0 {
		h.hpa.load = 1 + 5*rng.Float64()
		h.hpa.begin()
	}
	return w, h
}

func rolloutOf(rng *rand.Rand, strategy v1alpha1.Strategy) *v1alpha1.Rollout {
	return &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: callerName, Namespace: "test"},
		Spec: v1alpha1.RolloutSpec{
			Replicas:                new(1 + rng.Int32N(8)),
			MinReadySeconds:         pick[int32](rng, 0, 0, 5),
			ProgressDeadlineSeconds: new(pick[int32](rng, 60, 300, 600)),
			OnDeadline:              pick(rng, v1alpha1.OnDeadlineAbort, v1alpha1.OnDeadlineAbort, v1alpha1.OnDeadlineDegrade),
			RevisionHistoryLimit:    new(pick[int32](rng, 0, 2, 10)),
			RollbackWindow:          pick(rng, nil, nil, &v1alpha1.RollbackWindow{Revisions: 2}),
			Strategy:                strategy,
		},
	}
}

// settle is convergence.settle where nothing is said of it.
const settle = 2 * time.Second

// lagsOf draws a cluster: from one that is swift to one whose every part is as late as it may be.
func lagsOf(rng *rand.Rand) Lags {
	upTo := func(most ...time.Duration) Span { return Span{0, pick(rng, most...)} }
	return Lags{
		Notice: upTo(100*time.Millisecond, time.Second, 10*time.Second),
		Read:   upTo(10*time.Millisecond, 500*time.Millisecond),
		Write:  upTo(10*time.Millisecond, 200*time.Millisecond, time.Second),
		Sync:   upTo(100*time.Millisecond, time.Second, 5*time.Second),
		Start:  Span{time.Second, pick(rng, 2*time.Second, 10*time.Second, 40*time.Second)},
		List:   upTo(100*time.Millisecond, time.Second, 10*time.Second),
		Accept: upTo(100*time.Millisecond, time.Second, 5*time.Second),
		Serve:  upTo(100*time.Millisecond, settle, settle), Learn: upTo(100*time.Millisecond, settle, settle),
		Measure: Span{10 * time.Second, 30 * time.Second},
	}
}
