// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// Rehearsal is one release, played before it is made.
type Rehearsal struct {
	// Rollout to play, as a person wrote it, with its metrics inline.
	Rollout *v1alpha1.Rollout
	// Template of the new revision, and Selector of its pods.
	Template *corev1.PodTemplateSpec
	Selector *metav1.LabelSelector
	// MinReady is minReadySeconds of the Deployment that the Rollout refers to, if it does.
	MinReady int32
	// BadAt is the step, from 0, at which the new revision begins to fail; -1 for a good one.
	BadAt int32
	// Traffic is requests per second.
	Traffic float64
	// Patience is how long a person who is waited for takes to promote.
	Patience time.Duration
}

// Moment is what a user would see at a time after the template changed.
type Moment struct {
	// At is the time.
	At time.Duration
	// Weight is the canary's share as it is served, in percent.
	Weight int32
	// Stable and Canary are the pods ready.
	Stable, Canary int32
	// Phase and Message as the status shows them.
	Phase   v1alpha1.RolloutPhase
	Message string
}

// Played is a rehearsal that has come to its end.
type Played struct {
	// Moments in order.
	Moments []Moment
	// Promoted, or aborted.
	Promoted bool
	// Decided is when the outcome was certain and all traffic where it belongs.
	Decided time.Duration
	// Left is when the pods of the loser had left; 0 when they stay.
	Left time.Duration
	// BadAt is when the new revision began to fail, and BadServed how many requests it got from then on.
	BadAt     time.Duration
	BadServed float64
	// Worst is the largest share that it got while it failed.
	Worst int32
}

const (
	// before is the image of the revision that is stable when the rehearsal begins.
	before = "before"
	// longest is the simulated time that a rehearsal may take; a plan that takes longer has its own clock.
	longest = 60 * 24 * time.Hour
	// linger is how long the pods of the loser are waited for.
	linger = 24 * time.Hour
)

// Play plays the release. What keeps it from beginning or from ending is an error.
func (r Rehearsal) Play() (Played, error) {
	w, err := r.world()
	if err != nil {
		return Played{}, err
	}
	p := &player{w: w, h: newPeople(w), r: r}
	if err := p.settle(); err != nil {
		return Played{}, err
	}
	return p.play()
}

// world has the former revision wanted. It differs from the new one by its image only.
func (r Rehearsal) world() (*World, error) {
	image := image(r.Template)
	behaviour := Behaviour{Bad: r.BadAt >= 0, BadFrom: r.BadAt}
	catalogue, err := NewCatalogue(r.Template, r.Selector, Variant{Image: before}, Variant{Image: image, Behaviour: behaviour})
	if err != nil {
		return nil, err
	}
	b := plan.WantedBindings(r.Rollout)
	lags := Calm()
	if block := blockOf(r.Rollout); block > 0 {
		lags.Measure = Exactly(block)
	}
	setup := Setup{
		Rollout: r.Rollout, Catalogue: catalogue, Lags: lags, Routes: len(b.Routes), Bare: plan.MakesServices(r.Rollout),
		Services: [...]string{cmp.Or(b.StableService, b.Service, r.Rollout.Name), b.CanaryService, ""},
	}
	if b.Service != "" && b.StableService != "" {
		setup.Services[2] = b.Service
	}
	if r.Rollout.Spec.WorkloadRef != nil {
		setup.Workload, setup.MinReady = max(1, replicasOf(r.Rollout)), r.MinReady
	}
	return New(setup), nil
}

func blockOf(ro *v1alpha1.Rollout) time.Duration {
	for _, a := range plan.Analyses(ro.Spec) {
		if a.Block != nil {
			return a.Block.Duration
		}
	}
	return 0
}

// player plays one rehearsal.
type player struct {
	w *World
	h *people
	r Rehearsal
	// began is when the template changed, hash that of the new revision.
	began  time.Duration
	stable string
	hash   string
	out    Played
	// waited is since when a person is waited for; -1 while nobody is.
	waited time.Duration
	bad    bool
}

// settle brings the former revision up.
func (p *player) settle() error {
	for p.w.live.rollout.Status.Phase != v1alpha1.PhaseHealthy {
		more, err := p.w.step()
		st := p.w.live.rollout.Status
		valid := apimeta.FindStatusCondition(st.Conditions, v1alpha1.ConditionSpecValid)
		switch {
		case err != nil:
			return err
		case valid != nil && valid.Status == metav1.ConditionFalse:
			return fmt.Errorf("%s", valid.Message)
		case !more || p.w.now > longest:
			return fmt.Errorf("the revision before this one never becomes healthy: %s", st.Message)
		}
	}
	p.stable = p.w.live.rollout.Status.StableRevision
	return nil
}

func (p *player) play() (Played, error) {
	p.began, p.waited, p.hash = p.w.now, -1, p.w.catalogue.entries[image(p.r.Template)].hash
	p.h.want(image(p.r.Template))
	p.see()
	for {
		before := p.w.now
		more, err := p.w.step()
		if err != nil {
			return p.out, err
		}
		p.count(p.w.now - before)
		p.see()
		p.person()
		if p.over(more) {
			return p.out, nil
		}
		if !more || p.w.now-p.began > longest {
			return p.out, fmt.Errorf("the release never ends: %s", p.w.live.rollout.Status.Message)
		}
	}
}

// count adds up the requests that the new revision got while it failed. The
// world was for that long as it is before what has just happened; the error is one event's.
func (p *player) count(d time.Duration) {
	if p.r.BadAt < 0 || p.out.Decided > 0 {
		return
	}
	st := p.w.live.rollout.Status
	if !p.bad && st.CanaryRevision == p.hash && stepOf(st) >= p.r.BadAt {
		p.bad, p.out.BadAt = true, p.w.now-p.began
	}
	if p.bad {
		share := p.w.plane.mean(p.hash)
		p.out.BadServed += p.r.Traffic * d.Seconds() * share / 100
		p.out.Worst = max(p.out.Worst, p.w.plane.share(p.hash))
	}
}

// see notes a moment that differs from the one before in what a user reads.
func (p *player) see() {
	st := p.w.live.rollout.Status
	m := Moment{
		At: p.w.now - p.began, Weight: p.w.plane.share(p.hash), Phase: st.Phase, Message: p.words(st.Message),
		Stable: p.ready(p.stable), Canary: p.ready(p.hash),
	}
	if meansOf(p.w.live.rollout) == byReplicas && st.Traffic != nil {
		m.Weight = st.Traffic.CanaryWeight
		if st.StableRevision == p.hash {
			m.Weight = 100
		}
	}
	if n := len(p.out.Moments); n > 0 {
		last := p.out.Moments[n-1]
		last.At = m.At
		if last == m {
			return
		}
	}
	p.out.Moments = append(p.out.Moments, m)
}

func (p *player) ready(hash string) int32 {
	r, _ := p.w.live.set(hash)
	return r.Ready
}

// words says revisions by their role.
func (p *player) words(message string) string {
	fresh := fmt.Sprintf("%s-b%d", p.stable, p.w.live.rollout.Status.Release)
	return times.ReplaceAllString(strings.NewReplacer(fresh, "baseline", p.stable, "old", p.hash, "new").Replace(message), "")
}

// times of day mean nothing in a rehearsal.
var times = regexp.MustCompile(`( until|, at the latest at) ([0-9-]{10} )?[0-9:]{8} UTC(, then [A-Za-z]+)?`)

// person comes when one is waited for: at a pause without an end, and at an approval.
func (p *player) person() {
	st := p.w.live.rollout.Status
	steps := plan.Steps(p.w.live.rollout.Spec)
	index := stepOf(st)
	waited := st.Phase == v1alpha1.PhasePaused && index >= 0 && int(index) < len(steps) &&
		(steps[index].Approve != nil || steps[index].Pause != nil && steps[index].Pause.For == nil)
	switch {
	case !waited:
		p.waited = -1
	case p.waited < 0:
		p.waited = p.w.now
		p.w.in(Exactly(p.r.Patience), "a person comes", func() {
			if p.waited >= 0 && stepOf(p.w.live.rollout.Status) == index {
				p.h.say(v1alpha1.VerbPromote)
			}
		})
	}
}

// over: the outcome is certain, and the loser's pods have left or will stay.
func (p *player) over(more bool) bool {
	st := p.w.live.rollout.Status
	promoted := st.Phase == v1alpha1.PhaseHealthy && st.StableRevision == p.hash
	aborted := st.Phase == v1alpha1.PhaseDegraded && st.Abort != nil
	if !promoted && !aborted {
		return false
	}
	if p.out.Decided == 0 {
		p.out.Promoted, p.out.Decided = promoted, p.w.now-p.began
	}
	loser := p.stable
	if aborted {
		loser = p.hash
	}
	if r, _ := p.w.live.set(loser); r.Current == 0 && r.Replicas == 0 {
		p.out.Left = p.w.now - p.began
		return true
	}
	return !more || p.w.now-p.began-p.out.Decided > linger
}
