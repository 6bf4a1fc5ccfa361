// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Plan is the answer to a snapshot.
type Plan struct {
	// Status to report before anything is done.
	Status v1alpha1.RolloutStatus
	// Actions to carry out in order; each idempotent, stop at the first error.
	Actions []Action
	// Wake is when to look again at the latest; 0 when only a change of the world can move things.
	Wake time.Duration
}

// Decide says what to report and what to do. It is total: a mistake in the
// spec becomes a condition, never an error.
func Decide(s Snapshot) Plan {
	f := assess(s)
	if s.Rollout.DeletionTimestamp != nil {
		return release(f)
	}
	c := advance(cursorOf(s.Rollout.Status), f)
	d := desire(c, f)
	return Plan{
		Status:  status(c, f, d, explain(c, f)),
		Actions: diff(c, f, d),
		Wake:    wake(c, f, d),
	}
}

// wake is the time until the next thing that only the clock can change.
func wake(c cursor, f facts, d desired) time.Duration {
	var next time.Duration
	consider := func(at time.Time) {
		if left := at.Sub(f.Now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	if !f.acceptedAt.IsZero() {
		consider(f.settlesAt())
	}
	for _, since := range f.servedSince {
		consider(since.Add(f.settle()))
	}
	for _, at := range d.retired {
		consider(at)
	}
	if m := c.mode(f); m == initial || m == forward {
		consider(c.since.Add(f.deadline() + time.Second))
		consider(f.shiftedAt.Add(f.convergenceTimeout() + time.Second))
		if step, ok := c.current(f); ok && step.Pause != nil && step.Pause.For != nil {
			consider(c.since.Add(step.Pause.For.Duration))
		}
	}
	return next
}
