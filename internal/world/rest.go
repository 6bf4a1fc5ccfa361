// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	// restBound is within what everything has come to rest once faults and people are gone.
	restBound = 3 * time.Hour
	// restEvents bounds the events until then: more is a livelock.
	restEvents = 10000
)

func emptyService(name string) *plan.Service {
	return &plan.Service{Name: name, Ready: map[string]int32{}}
}

// rest lets a world without faults and people come to rest, and judges where
// it does. Whoever waits for a person meets one who promotes.
func (h *people) rest() error {
	w := h.w
	deadline, events := w.now+restBound, w.happened+restEvents
	for waits, helped := w.now, 0; ; {
		more, err := w.step()
		switch {
		case err != nil:
			return err
		case w.now > deadline || w.happened > events:
			return w.laws.fails(0, "no rest after %s and %d events: %s", restBound, restEvents, w.standing())
		case !h.wanted():
			waits = w.now
		case (w.now-waits > patience || !more) && helped < 30:
			helped++
			waits = w.now
			h.help(helped)
			continue
		}
		if !more {
			return w.atRest()
		}
	}
}

// patience is how long somebody is waited for before a person comes.
const patience = 6 * time.Minute

// help does what a person does who is waited for: promote, and when that does not help, abort.
func (h *people) help(times int) {
	if times > 12 {
		h.say(v1alpha1.VerbAbort)
		return
	}
	h.say(v1alpha1.VerbPromote)
}

// wanted reports whether a person is waited for.
func (h *people) wanted() bool {
	r := h.w.live.rollout
	if r == nil {
		return false
	}
	overdue := r.Status.Phase == v1alpha1.PhaseDegraded && r.Status.Abort == nil
	return overdue || r.Status.Phase == v1alpha1.PhasePaused || r.Status.Phase == v1alpha1.PhaseHolding
}

// keepsAborted reports whether the pods of an aborted revision stay.
func keepsAborted(r *v1alpha1.Rollout) bool {
	switch s := r.Spec.Strategy; {
	case s.Canary != nil:
		return s.Canary.AbortScaleDownDelaySeconds == nil
	case s.BlueGreen != nil:
		return s.BlueGreen.AbortScaleDownDelaySeconds == nil
	}
	return false
}

// standing says where a release is.
func (w *World) standing() string {
	if w.live.rollout == nil {
		return "the Rollout is gone"
	}
	return fmt.Sprintf("%s: %s", w.live.rollout.Status.Phase, w.live.rollout.Status.Message)
}

// fails notes a broken law and gives it.
func (l *laws) fails(law int, format string, args ...any) error {
	l.breaks(law, format, args...)
	return l.broken
}

// atRest judges a world in which nothing is left to happen.
func (w *World) atRest() error {
	l := &w.laws
	l.checked[0]++
	l.checked[8]++
	r := w.live.rollout
	if r == nil {
		return w.handedBack()
	}
	if r.DeletionTimestamp != nil {
		return l.fails(8, "a deleted Rollout waits for nothing: %s", w.standing())
	}
	s := r.Status
	target := w.catalogue.entries[w.live.image()].hash
	if s.Undo != nil {
		target = s.Undo.To
	}
	switch {
	case s.Phase == v1alpha1.PhaseHealthy && s.StableRevision == target:
	case s.Phase == v1alpha1.PhaseDegraded && s.Abort != nil && s.Abort.Revision == target:
	case s.Phase == v1alpha1.PhaseHealthy:
		return l.fails(0, "healthy with %s, wanted is %s", w.name(s.StableRevision), w.name(target))
	case s.StableRevision == "" || w.broken(s.StableRevision):
		return nil // nothing that could run is there to return to
	case s.Phase == v1alpha1.PhaseDegraded && w.broken(s.CanaryRevision) && r.Spec.OnDeadline == v1alpha1.OnDeadlineDegrade:
		return nil // reported, as asked for
	default:
		return l.fails(8, "nothing will ever wake it, but it waits: %s", w.standing())
	}
	return w.settled(s)
}

func (w *World) broken(hash string) bool { return w.catalogue.byHash[hash].Health == Broken }

// settled judges the objects of a world at rest, and that another pass writes nothing (law 6).
func (w *World) settled(s v1alpha1.RolloutStatus) error {
	l := &w.laws
	for i, r := range w.live.routes {
		if !r.split.Equal(traffic.CanaryAt(0)) {
			return l.fails(0, "at rest route %d says %s", i+1, r.split)
		}
	}
	for _, r := range w.live.sets {
		want := int32(0)
		switch {
		case r.Hash == s.StableRevision:
			want = w.live.replicas()
		case s.Abort != nil && s.Abort.Revision == r.Hash && keepsAborted(w.live.rollout):
			continue
		}
		if r.Replicas != want {
			return l.fails(0, "at rest %s has %d replicas and should have %d", w.name(r.Hash), r.Replicas, want)
		}
	}
	for _, svc := range w.live.services {
		want := ""
		if svc == nil {
			continue
		}
		if bound(w.live.rollout, svc.Name) {
			want = s.StableRevision
		}
		if svc.Selects != want {
			return l.fails(0, "at rest Service %s stands for %q instead of %q", svc.Name, w.name(svc.Selects), w.name(want))
		}
	}
	l.checked[6]++
	before := w.mischief.writes
	for _, c := range w.leaders {
		c.enqueue()
	}
	for {
		if more, err := w.step(); err != nil || !more {
			break
		}
	}
	if n := w.mischief.writes - before; n > 0 {
		return l.fails(6, "a settled Rollout causes %d writes", n)
	}
	return nil
}

// handedBack judges a world whose Rollout was deleted.
func (w *World) handedBack() error {
	for i, r := range w.live.routes {
		if !r.gone && r.split.Canary > 0 {
			return w.laws.fails(0, "deleted, and route %d still says %s", i+1, r.split)
		}
	}
	for _, svc := range w.live.services {
		if svc != nil && svc.Selects != "" {
			return w.laws.fails(0, "deleted, and Service %s still stands for %s", svc.Name, w.name(svc.Selects))
		}
	}
	if d := w.live.workload; d != nil && d.Before != nil {
		return w.laws.fails(0, "deleted, and the Deployment is not handed back")
	}
	return nil
}
