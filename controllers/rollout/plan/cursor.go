// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// maxHistory bounds status.history.
const maxHistory = 10

// cursor is what the status remembers of a release: where it is.
type cursor struct {
	stable, canary string
	release        int64
	startedAt      time.Time
	step           int32
	since          time.Time
	abort          *v1alpha1.AbortStatus
	history        []v1alpha1.Outcome
	command        *v1alpha1.CommandStatus
}

// cursorOf reads the cursor back from a status.
func cursorOf(s v1alpha1.RolloutStatus) cursor {
	c := cursor{
		stable: s.StableRevision, canary: s.CanaryRevision, release: s.Release,
		abort: s.Abort, history: s.History, command: s.LastCommand,
	}
	if s.StartedAt != nil {
		c.startedAt, c.since = s.StartedAt.Time, s.StartedAt.Time
	}
	if s.CurrentStep != nil {
		c.step, c.since = s.CurrentStep.Index, s.CurrentStep.Since.Time
	}
	return c
}

// mode is what the release is doing, derived anew at every look.
type mode int

const (
	// resting: the stable revision carries all traffic and nothing is in flight.
	resting mode = iota
	// initial: the first revision is brought up; there is nothing to compare it with.
	initial
	// forward: the canary walks its steps, or is being promoted after the last one.
	forward
	// returning: all traffic goes back to stable, after an abort or a rollback.
	returning
)

func (c cursor) mode(f facts) mode {
	switch {
	case c.canary == "":
		return resting
	case c.stable == "":
		return initial
	case c.aborted() || f.Target == c.stable:
		return returning
	default:
		return forward
	}
}

// aborted reports whether the revision in flight is the one that was aborted.
func (c cursor) aborted() bool { return c.abort != nil && c.abort.Revision == c.canary }

// rollingBack reports whether the revision in flight was taken back by its template.
func (c cursor) rollingBack() bool {
	return c.aborted() && c.abort.Reason == v1alpha1.ReasonRollingBack
}

// current gives the step that the cursor is at; false while promoting and when nothing is in flight.
func (c cursor) current(f facts) (v1alpha1.Step, bool) {
	if c.canary == "" || c.stable == "" || int(c.step) >= len(f.strategy.Steps) {
		return v1alpha1.Step{}, false
	}
	return f.strategy.Steps[c.step], true
}

// promoting reports whether all steps are done.
func (c cursor) promoting(f facts) bool { return int(c.step) >= len(f.strategy.Steps) }

// weight is the canary's share that the steps ask for at the cursor, in percent.
func (c cursor) weight(f facts) int32 {
	if c.promoting(f) {
		return 100
	}
	var weight int32
	for _, step := range f.strategy.Steps[:c.step+1] {
		if step.SetWeight != nil {
			weight = *step.SetWeight
		}
	}
	return weight
}

// begin puts a revision in flight, at the first step.
func (c cursor) begin(revision string, now time.Time) cursor {
	c.canary, c.release, c.startedAt = revision, c.release+1, stamp(now)
	c.abort = nil
	return c.at(0, now)
}

func (c cursor) at(step int32, now time.Time) cursor {
	c.step, c.since = step, stamp(now)
	return c
}

func (c cursor) ended(facts) cursor { return c.end() }

// end takes the revision in flight out of it.
func (c cursor) end() cursor {
	c.canary, c.abort, c.step, c.since = "", nil, 0, time.Time{}
	return c
}

// record adds the outcome of the release in flight to the history.
func (c cursor) record(f facts, cause v1alpha1.OutcomeCause) cursor {
	outcome := v1alpha1.Outcome{
		Revision: c.canary, Cause: cause, Images: f.revisions[c.canary].Images,
		StartedAt: metav1.NewTime(c.startedAt), EndedAt: stamped(f.Now),
	}
	c.history = append([]v1alpha1.Outcome{outcome}, c.history...)
	c.history = slices.Clip(c.history[:min(len(c.history), maxHistory)])
	return c
}

// latch aborts the revision in flight.
func (c cursor) latch(f facts, reason, message, by string) cursor {
	c = c.record(f, v1alpha1.CauseAborted)
	c.abort = &v1alpha1.AbortStatus{Revision: c.canary, Reason: reason, Message: message, At: stamped(f.Now), By: by}
	return c
}

// position says where the cursor is, as people count.
func (c cursor) position(f facts) string {
	if c.promoting(f) {
		return "promoting"
	}
	return fmt.Sprintf("%d/%d", c.step+1, len(f.strategy.Steps))
}
