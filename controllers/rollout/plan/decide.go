// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Plan is the answer to a snapshot.
type Plan struct {
	// Status to report before anything is done.
	Status v1alpha1.RolloutStatus
	// Actions to carry out in order. Each is idempotent. When one fails, those that need it are left out, see [Without].
	Actions []Action
	// Wake is when to look again at the latest; 0 when only a change of the world can move things.
	Wake time.Duration
	// Returns: traffic goes back to stable, or the Rollout is let go.
	Returns bool
}

// CanWait reports whether nothing is lost when a plan is dropped, because it was
// made without some of what new things hang on, and is made once more. On the way
// back nothing is new, and what a problem leaves of other plans is there to save callers.
func (p Plan) CanWait() bool { return !p.Returns && len(p.Actions) == 0 }

// Decide says what to report and what to do. It is total: a mistake in the
// spec becomes a condition, never an error.
func Decide(s Snapshot) Plan {
	p := decide(assess(s))
	p.Status.Message += refusal(s.Rollout.Status.Conditions)
	p.Status.Summary = summary(p.Status)
	return p
}

// decide goes through the parts of the planner in their order, see the package's comment.
func decide(f facts) Plan {
	if f.Rollout.DeletionTimestamp != nil {
		return handBack(f)
	}
	c := catchUp(cursorOf(f.Rollout.Status), f)
	f = withTarget(c, f)
	c = handleCommand(c, f)
	f = withTarget(c, f) // the command may have been an undo
	c = advance(c, f)
	f = withoutEvicted(c, withRoles(c, f)) // who has which role may have changed just now
	d := desire(c, f)
	c = d.keepRoom(c, f)
	h := explain(c, f)
	if c.mode(f) == resting || h.reason == v1alpha1.ReasonWaitingForPods {
		h.message += keptText(f, d)
	}
	return Plan{
		Status:  status(c, f, d, h),
		Actions: diff(c, f, d),
		Wake:    wake(c, f, d),
		Returns: c.mode(f) == returning,
	}
}

// catchUp brings what the status remembered up to date with the spec: it notes
// the bindings of a Rollout that has none yet, ends an undo whose template
// has changed, and notes that the steps have.
func catchUp(c cursor, f facts) cursor {
	if c.bindings == nil {
		b := f.bound
		c.bindings = &b
	}
	if c.undo != nil && c.undo.Of != f.written && f.written != "" {
		c.undo = nil
	}
	return withEdits(c, f)
}

// withTarget says which revision is wanted: the template's, or the one that an
// undo has put in its place.
func withTarget(c cursor, f facts) facts {
	f.Target = f.written
	if c.undo != nil && f.revisions.of(c.undo.To).Name != "" {
		f.Target = c.undo.To
	}
	return f
}

const (
	// podPause is how often to look at pods on their way out. Pods are not watched.
	podPause = 5 * time.Second
	// problemPause is how often to look whether somebody has mended a problem whose
	// end no event tells.
	problemPause = 10 * time.Second
	// soon is the wait before objects are read that a decision has named for the first time.
	soon = 10 * time.Millisecond
)

// wake is the time until the next thing that only the clock can change.
func wake(c cursor, f facts, d desired) time.Duration {
	if justRebound(c, f) {
		return soon
	}
	var next time.Duration
	consider := func(at time.Time) {
		if left := at.Sub(f.Now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	wakeForDataPlane(f, consider)
	for _, at := range d.retired {
		consider(at)
	}
	wakeForKept(f, d, consider)
	wakeForRestart(c, f, consider)
	wakeForSilence(f, consider)
	wakeForMode(c, f, consider)
	return next
}

// wakeForMode looks again for the step under way, or for routes that are left for others.
func wakeForMode(c cursor, f facts, consider func(time.Time)) {
	switch m := c.mode(f); {
	case m == initial, m == forward:
		wakeForStep(c, f, consider)
	case routesLeaving(f):
		consider(leftAt(f))
	case m == rebinding && f.means == byRoute:
		consider(f.shiftedAt.Add(f.strategy.timeout))
	}
}

// wakeForSilence looks again at what is not watched, so that no event tells of it.
func wakeForSilence(f facts, consider func(time.Time)) {
	if slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.Terminating }) {
		consider(f.Now.Add(podPause))
	}
	if slices.ContainsFunc(f.Problems, func(p Problem) bool { return p.Unwatched }) {
		consider(f.Now.Add(problemPause))
	}
	if f.Rollout.Spec.TrackConfig || len(ConfigInUse(f.Snapshot)) > 0 {
		consider(f.Now.Add(configPause))
	}
}

func wakeForRestart(c cursor, f facts, consider func(time.Time)) {
	for _, at := range []*metav1.Time{f.Rollout.Spec.RestartAt, c.restart.asked} { // a command's time is rounded up, so it may lie ahead
		if at != nil {
			consider(at.Time)
		}
	}
	if c.restart.pending(f) && f.means == byRoute {
		consider(f.shiftedAt.Add(f.strategy.timeout)) // of a shift that nobody accepts
	}
}

// wakeForDataPlane looks again when the data plane is taken to have followed the
// weights that were written and the endpoints that are listed.
func wakeForDataPlane(f facts, consider func(time.Time)) {
	if !f.acceptedAt.IsZero() {
		consider(f.settlesAt())
	}
	if f.means == byRoute && f.strategy.dynamic {
		consider(unsettledUntil(f))
	}
	for _, l := range f.listed {
		if l.since.IsZero() {
			continue
		}
		consider(l.since.Add(f.strategy.settle))
		if l.ending > 0 {
			consider(l.since.Add(f.strategy.timeout))
		}
	}
}

func wakeForStep(c cursor, f facts, consider func(time.Time)) {
	if !c.waiting.IsZero() {
		consider(c.waiting.Add(f.deadline() + time.Second))
	}
	if f.means == byRoute {
		consider(f.shiftedAt.Add(f.strategy.timeout + time.Second))
	}
	step, ok := c.current(f)
	if !ok {
		return
	}
	if step.Pause != nil && step.Pause.For != nil {
		consider(c.since.Add(step.Pause.For.Duration))
	}
	if timeout, _, bounded := step.patience(); bounded {
		consider(c.since.Add(timeout))
	}
	if step.Gate != nil && c.free(f) {
		consider(gateDue(c, f))
	}
}
