// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// What the shell waits before it tries again: after a lost race, and first and
// longest after an error.
const (
	conflictPause = 200 * time.Millisecond
	firstBackoff  = 5 * time.Millisecond
	lastBackoff   = 30 * time.Second
)

// controller is one process of ours with its caches and its one work queue
// entry. It does what controllers/rollout/reconciler.go does: it notices by the
// cache, decides by live reads, writes the status before anything else, then
// carries the actions out in order and stops at the first error.
type controller struct {
	w     *World
	cache objects
	// stale marks the kinds that a change is under way to.
	stale [kinds]bool
	// queued, busy: the key waits for a pass, or is in one; again: it changed during the pass.
	queued, busy, again bool
	wakeAt              time.Duration
	// readAt is when the pass under way read what it decides from.
	readAt   time.Duration
	failures int
	dead     bool
	// skew is by how much its clock is wrong.
	skew time.Duration
	// gate is the last answer of a gate, kept in its memory alone; asking while one is awaited.
	gate   *plan.GateAnswer
	asking bool
}

// lead starts a controller; its first pass comes from the first listing.
func (w *World) lead() *controller {
	c := &controller{w: w, cache: w.live}
	w.leaders = append(w.leaders, c)
	c.enqueue()
	return c
}

// later makes an appointment that a killed controller does not keep.
func (c *controller) later(s Span, name string, do func()) {
	c.w.in(s, name, func() {
		if !c.dead {
			do()
		}
	})
}

// notice brings a change of a kind into the cache, after a while.
func (c *controller) notice(k kind) {
	if c.stale[k] || c.dead {
		return
	}
	c.stale[k] = true
	c.later(c.w.lags.Notice, "cache hears of "+k.String(), func() {
		c.stale[k] = false
		c.cache.take(k, &c.w.live)
		c.enqueue()
	})
}

func (c *controller) enqueue() {
	if c.queued {
		return
	}
	if c.busy {
		c.again = true
		return
	}
	c.queued = true
	c.later(Exactly(time.Millisecond), "pass begins", c.begin)
}

func (c *controller) now() time.Time { return c.w.time().Add(c.skew) }

// begin decides on the cache; what has consequences is decided once more on live reads.
func (c *controller) begin() {
	c.queued, c.busy, c.again = false, true, false
	p := &pass{c: c, read: c.cache, began: c.w.now}
	c.readAt = c.w.now
	if p.read.rollout == nil {
		c.end(p, nil)
		return
	}
	p.decide()
	if consequential(p.read.rollout, p.plan) {
		c.later(c.w.lags.Read, "live read", p.readFirst)
		return
	}
	p.sign()
}

// end ends a pass and has the next one come when it must.
func (c *controller) end(p *pass, err error) {
	if c.dead {
		return
	}
	c.busy = false
	switch {
	case errors.Is(err, errConflict):
		c.wake(conflictPause)
	case err != nil:
		c.failures++
		c.wake(min(firstBackoff<<min(c.failures, 20), lastBackoff))
	default:
		c.failures = 0
		p.clear()
		c.wake(p.plan.Wake)
	}
	if c.again {
		c.enqueue()
	}
}

// wake has the key come back after a while, as a work queue does: of two times the earlier holds.
func (c *controller) wake(d time.Duration) {
	at := c.w.now + d
	if d <= 0 || c.wakeAt > c.w.now && c.wakeAt <= at {
		return
	}
	c.wakeAt = at
	c.later(Exactly(d), "wake-up", func() {
		if c.wakeAt == at {
			c.wakeAt = 0
		}
		c.enqueue()
	})
}

// ask asks a gate, which allows three times of four, later or sooner.
func (c *controller) ask(a plan.AskGate) {
	if c.asking {
		return
	}
	c.asking = true
	attempts := 1
	if c.gate != nil && c.gate.Release == a.Release && c.gate.Step == a.Step {
		attempts = c.gate.Attempts + 1
	}
	c.later(Span{10 * time.Millisecond, 10 * time.Second}, "gate answers", func() {
		c.asking = false
		c.gate = &plan.GateAnswer{Release: a.Release, Step: a.Step, Allowed: c.w.chance(75), At: c.now(), Attempts: attempts}
		c.enqueue()
	})
}
