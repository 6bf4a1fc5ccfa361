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

// cursor is what the status remembers of a release: where it is, and what people
// have said about it. It is all that a decision takes from the one before, but for
// the times of [remember].
type cursor struct {
	// stable and canary are the revisions in these roles; no canary while nothing is
	// in flight, no stable before the first promotion.
	stable, canary string
	// release counts the releases of the Rollout.
	release   int64
	startedAt time.Time
	// step is the index of the current step, or their number when all are done, and
	// since when it is the current one.
	step  int32
	since time.Time
	// plan identifies the steps that it came by, was is its position among them, and weight
	// the share that they ask for. They are edited while they are others by now, see [planUpTo].
	plan, was string
	weight    int32
	edited    bool
	// finished: all steps were done before, however many there are by now.
	finished bool
	// waiting is since when the step has waited for the cluster without a pause, or since
	// one pod more was available than ever before; zero while it does not wait. soFar is
	// the number of these, nil where it is not known.
	waiting time.Time
	soFar   *int32
	// abort is latched for its revision until another release begins.
	abort     *v1alpha1.AbortStatus
	history   []v1alpha1.Outcome
	command   *v1alpha1.CommandStatus
	bindings  *v1alpha1.Bindings
	paused    *v1alpha1.PersonStatus
	undo      *v1alpha1.UndoStatus
	skipped   *v1alpha1.PersonStatus
	approvals []v1alpha1.Approval
	restart   restart
}

// cursorOf reads the cursor back from a status.
func cursorOf(s v1alpha1.RolloutStatus) cursor {
	c := cursor{
		stable: s.StableRevision, canary: s.CanaryRevision, release: s.Release,
		abort: s.Abort, history: s.History, command: s.LastCommand, bindings: s.Bindings,
		paused: s.Paused, undo: s.Undo, skipped: s.AnalysisSkipped, approvals: s.Approvals,
		restart: restart{asked: s.RestartAt, done: s.RestartedAt}, soFar: s.AvailableSoFar,
	}
	if s.StartedAt != nil {
		c.startedAt, c.since = s.StartedAt.Time, s.StartedAt.Time
	}
	if s.WaitingSince != nil {
		c.waiting = s.WaitingSince.Time
	}
	if s.CurrentStep != nil {
		c.step, c.since = s.CurrentStep.Index, s.CurrentStep.Since.Time
		c.plan, c.was, c.weight = s.CurrentStep.Plan, s.CurrentStep.Position, s.CurrentStep.Weight
		if s.CurrentStep.WaitingSince != nil {
			c.waiting = s.CurrentStep.WaitingSince.Time
		}
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
	// rebinding: nothing carries traffic beside stable, and what the strategy no longer names is given back.
	rebinding
)

// String names the mode as the documentation does.
func (m mode) String() string {
	return [...]string{"Resting", "Initial", "Forward", "Returning", "Rebinding"}[m]
}

// mode derives what the release is doing.
func (c cursor) mode(f facts) mode {
	switch {
	case f.rebinding && carriesNothing(c, f):
		return rebinding
	case c.canary == "":
		return resting
	case c.stable == "":
		return initial
	case headsBack(c, f):
		return returning
	default:
		return forward
	}
}

// headsBack: the revision in flight is on its way back to stable, or has been.
func headsBack(c cursor, f facts) bool { return c.aborted() || f.Target == c.stable }

// carriesNothing: no canary carries traffic that a change of the bindings would have
// to move. None is in flight beside stable, or its traffic is known to be back, or
// nobody is sent to it by routes any more.
func carriesNothing(c cursor, f facts) bool {
	return c.canary == "" || c.stable == "" || headsBack(c, f) && (onStable(c, f) || handedOver(c, f) || routesLeft(f))
}

// aborted reports whether the revision in flight is the one that was aborted.
func (c cursor) aborted() bool { return c.abort != nil && c.abort.Revision == c.canary }

// takenBackFor reports whether the revision in flight was aborted for a reason.
func (c cursor) takenBackFor(reason string) bool { return c.aborted() && c.abort.Reason == reason }

// current gives the step that the cursor is at; false while promoting and when nothing is in flight.
func (c cursor) current(f facts) (Step, bool) {
	if c.canary == "" || c.stable == "" || c.done(f) {
		return Step{}, false
	}
	return f.strategy.steps[c.step], true
}

// done reports whether all steps are.
func (c cursor) done(f facts) bool { return c.finished || int(c.step) >= len(f.strategy.steps) }

// promoting reports whether all traffic goes to the revision in flight for good:
// all steps are done, or the last one asks for just that and nobody judges it.
func (c cursor) promoting(f facts) bool {
	last := len(f.strategy.steps) - 1
	return !c.edited && (c.done(f) || int(c.step) == last && f.strategy.lastPromotes())
}

// begin puts a revision in flight, at the first step. One that was promoted
// lately enough needs none.
func (c cursor) begin(revision string, f facts) cursor {
	fast := promotedLately(c, f, revision)
	c.canary, c.release, c.startedAt = revision, c.release+1, stamp(f.Now)
	c.abort, c.skipped, c.approvals = nil, nil, nil
	if fast {
		return c.at(int32(len(f.strategy.steps)), f.Now)
	}
	return c.at(0, f.Now)
}

func (c cursor) at(step int32, now time.Time) cursor {
	c.step, c.since, c.waiting = step, stamp(now), time.Time{}
	c.plan, c.was, c.weight, c.edited, c.finished = "", "", 0, false, false
	return c
}

// end ends the release: nothing is in flight any more.
func (c cursor) end(facts) cursor {
	c.canary, c.abort, c.skipped, c.approvals = "", nil, nil, nil
	return c.at(0, time.Time{})
}

// record adds the outcome of the release in flight to the history.
func (c cursor) record(f facts, cause v1alpha1.OutcomeCause) cursor {
	outcome := v1alpha1.Outcome{
		Revision: c.canary, Cause: cause, Images: f.revisions.of(c.canary).Images, Approvals: c.approvals,
		StartedAt: metav1.NewTime(c.startedAt), EndedAt: stamped(f.Now),
	}
	c.history = append([]v1alpha1.Outcome{outcome}, c.history...)
	c.history = slices.Clip(c.history[:min(len(c.history), maxHistory)])
	return c
}

// latch aborts the revision in flight, for as long as its release is the latest.
func (c cursor) latch(f facts, reason, message, by string) cursor {
	c = c.record(f, v1alpha1.CauseAborted)
	c.abort = &v1alpha1.AbortStatus{Revision: c.canary, Reason: reason, Message: message, At: stamped(f.Now), By: by}
	c.waiting = time.Time{}
	return c
}

// position says where the cursor is, as people count.
func (c cursor) position(f facts) string {
	switch {
	case c.edited:
		return c.was
	case c.done(f):
		return "promoting"
	}
	return fmt.Sprintf("%d/%d", c.step+1, len(f.strategy.steps))
}

// promotedLately reports whether a revision is among the latest promoted ones
// that spec.rollbackWindow lets a release go back to without steps.
func promotedLately(c cursor, f facts, revision string) bool {
	window := f.Rollout.Spec.RollbackWindow
	if window == nil {
		return false
	}
	left := window.Revisions
	for _, o := range c.history {
		if o.Cause != v1alpha1.CausePromoted || o.Revision == c.stable {
			continue
		}
		if left == 0 {
			return false
		}
		if o.Revision == revision {
			return f.revisions.of(revision).Name != ""
		}
		left--
	}
	return false
}
