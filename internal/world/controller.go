// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// What the shell waits before it tries again: after a lost race, and first and
// longest after an error.
const (
	conflictPause = 200 * time.Millisecond
	firstBackoff  = 5 * time.Millisecond
	lastBackoff   = 15 * time.Second
	// ownPatience is how long the cache may be behind the controller's own writes.
	ownPatience = time.Second
)

// controller is one process of ours with its caches and its one work queue
// entry. It does what controllers/rollout/reconciler.go does: it notices by a
// cache that is not behind its own writes, decides by live reads of what the plan
// hangs on, writes a status worth it before anything else, then carries the
// actions out in order, but for what needs one that failed.
type controller struct {
	w     *World
	cache objects
	// stale marks the kinds that a change is under way to: since when, and whether there is any.
	stale [kinds]marked
	// queued, busy: the key waits for a pass, or is in one; again: it changed during the pass.
	queued, busy, again bool
	wakeAt              time.Duration
	// readAt is as of when the pass under way knows what it decides from.
	readAt   time.Duration
	failures int
	dead     bool
	// former: another has taken the lead. Fenced, it writes nothing any more.
	former, fenced bool
	// skew is by how much its clock is wrong.
	skew time.Duration
	// unseen are its own writes that its cache has not seen yet, by kind: since when, and whether there are any.
	unseen [kinds]marked
	// outrun are EndpointSlices that it read live and its cache has not heard of, passed
	// by the Rollout and rerouted by routes in the same way, see kube.Memory.Live.
	outrun, passed, rerouted marked
	// watched is when its first pass began, by its own clock.
	watched time.Time
	// known: it has read everything live once; signed: it has stored a status.
	known, signed bool
	draft         draft
	// gate is the last answer of a gate, kept in its memory alone; asking while one is awaited.
	gate   *plan.GateAnswer
	asking bool
}

// marked is something that may be so, since a time.
type marked struct {
	any   bool
	since time.Duration
}

// lead starts a controller; its first pass comes from the first listing.
func (w *World) lead() *controller {
	c := &controller{w: w, cache: w.live}
	w.leaders = append(w.leaders, c)
	leads(w.laws.court)
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
	if c.stale[k].any || c.dead {
		return
	}
	c.stale[k] = marked{true, c.w.now}
	c.later(c.w.lags.Notice, "cache hears of "+k.String(), func() {
		c.stale[k].any, c.unseen[k].any = false, false
		c.outrun.any, c.passed.any, c.rerouted.any = c.outrun.any && k != services, c.passed.any && k != rollouts, c.rerouted.any && k != routes
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

// asOf is the time of which its cache knows everything.
func (c *controller) asOf() time.Duration {
	at := c.w.now
	for _, s := range c.stale {
		if s.any {
			at = min(at, s.since)
		}
	}
	return at
}

func (c *controller) now() time.Time { return c.w.time().Add(c.skew) }

// begin decides on the cache, once that has seen what the controller wrote
// itself. When it never seems to, those kinds are read live.
func (c *controller) begin() {
	c.queued, c.busy, c.again = false, true, false
	c.readAt = c.asOf()
	p := &pass{c: c, read: c.cache, stored: c.cache.rollout, began: c.readAt}
	var old plan.Kinds
	for k, own := range append(c.unseen[:], c.outrun, c.passed, c.rerouted) {
		switch {
		case !own.any:
			continue
		case c.w.now-own.since < ownPatience:
			c.end(p, errBehind)
			return
		default:
			old |= awaited[k]
		}
	}
	if old != 0 && p.stored != nil {
		p.readLive(old)
		return
	}
	p.decide()
}

// own makes a write; answered ones are remembered until the cache has seen them.
func (c *controller) own(answered bool, write func() error) error {
	if answered {
		c.w.writing = c
		defer func() { c.w.writing = nil }()
	}
	return write()
}

// rewrite stores a status whatever it was decided from. The API server tells nobody of a write that changes nothing.
func (c *controller) rewrite(s v1alpha1.RolloutStatus) {
	if c.former && c.fenced || plan.Same(&c.w.live.rollout.Status, &s) {
		return
	}
	_ = c.own(true, func() error {
		c.w.editRollout(false, func(r *v1alpha1.Rollout) { r.Status = s })
		return nil
	})
}

// end ends a pass and has the next one come when it must.
func (c *controller) end(p *pass, err error) {
	if c.dead {
		return
	}
	c.busy = false
	if err != nil && !errors.Is(err, errBehind) {
		c.known = false
	}
	switch {
	case errors.Is(err, errConflict), errors.Is(err, errBehind):
		c.wake(conflictPause)
	case err != nil:
		c.failures++
		c.wake(min(firstBackoff<<min(c.failures, 20), lastBackoff))
	default:
		c.failures = 0
		clearFailure(p)
		c.wake(p.plan.Wake)
		c.wake(p.unwritten)
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

// draft is a status that is not worth a write of its own yet, gone on from a stored one.
type draft struct {
	// stored is nil while nothing is held.
	stored *v1alpha1.Rollout
	now    v1alpha1.RolloutStatus
	since  time.Time
}

// from reports whether what is held goes on from a stored status.
func (d *draft) from(stored *v1alpha1.Rollout) bool {
	return d.stored != nil && (d.stored == stored || plan.Same(&d.stored.Status, &stored.Status))
}

// latest gives a Rollout with the status that it would have by now.
func (d *draft) latest(stored *v1alpha1.Rollout) *v1alpha1.Rollout {
	if !d.from(stored) {
		return stored
	}
	ro := *stored
	ro.Status = d.now
	return &ro
}

// hold keeps a status for as long as it may stay unwritten, and says how long that still is.
func (d *draft) hold(stored *v1alpha1.Rollout, p plan.Plan, now time.Time) time.Duration {
	worth := plan.Worth(stored.Status, p.Status)
	if worth <= 0 {
		return 0
	}
	since := now
	if d.from(stored) {
		since = d.since
	}
	left := since.Add(worth).Sub(now)
	if left > 0 {
		*d = draft{stored, p.Status, since}
	}
	return max(left, 0)
}

// saw remembers traffic whatever becomes of the pass, see [plan.Remember].
func (d *draft) saw(stored, ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus, at time.Time) {
	remembered, other := plan.Remember(ro.Status, now)
	if !other {
		return
	}
	since := at
	if d.from(stored) {
		since = d.since
	}
	*d = draft{stored, remembered, since}
}

func (d *draft) drop() { *d = draft{} }
