// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// restBound is within what everything has come to rest once faults and people are gone.
	restBound = 3 * time.Hour
	// restEvents bounds the events until then: more is a livelock.
	restEvents = 10000
)

// caretaker lets a world come to rest. Whoever waits for a person meets one who promotes.
type caretaker struct{ h *people }

// rest lets a world without faults and people come to rest, and judges where it does.
func (c caretaker) rest() error {
	w := c.h.w
	deadline, events := w.now+restBound, w.happened+restEvents
	for waits, helped := w.now, 0; ; {
		more, err := w.step()
		switch {
		case err != nil:
			return err
		case w.now > deadline || w.happened > events:
			return w.laws.fails(0, "no rest after %s and %d events: %s", restBound, restEvents, w.standing())
		case !c.wanted():
			waits = w.now
		case (w.now-waits > patience || !more) && helped < 30:
			helped++
			waits = w.now
			c.help(helped)
			continue
		}
		if !more {
			return w.laws.rest.judge()
		}
	}
}

// patience is how long somebody is waited for before a person comes.
const patience = 6 * time.Minute

// help does what a person does who is waited for: promote, and when that does not help, abort.
func (c caretaker) help(times int) {
	if times > 12 {
		c.h.say(v1alpha1.VerbAbort)
		return
	}
	c.h.say(v1alpha1.VerbPromote)
}

// wanted reports whether a person is waited for.
func (c caretaker) wanted() bool {
	r := c.h.w.live.rollout
	if r == nil {
		return false
	}
	overdue := r.Status.Phase == v1alpha1.PhaseDegraded && r.Status.Abort == nil
	return overdue || r.Status.Phase == v1alpha1.PhasePaused || r.Status.Phase == v1alpha1.PhaseHolding
}
