// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"reflect"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// What the shell waits before it tries again: after a lost race, and first and
// longest after an error.
const (
	conflictPause = 200 * time.Millisecond
	firstBackoff  = 5 * time.Millisecond
	lastBackoff   = 30 * time.Second
)

// The answers that a write can get.
var (
	errConflict = errors.New("conflict")
	errRefused  = errors.New("refused by the API server")
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
	failures            int
	dead                bool
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

// pass is one reconcile under way.
type pass struct {
	c *controller
	// read is what it decided from.
	read objects
	plan plan.Plan
	gate *plan.GateAnswer
	pods []plan.Pod
	// wrote counts what it wrote; harmless passes write nothing.
	wrote int
	// now is the time that it decided at.
	now time.Time
	// began is when it read.
	began time.Duration
}

// begin decides on the cache; what has consequences is decided once more on live reads.
func (c *controller) begin() {
	c.queued, c.busy, c.again = false, true, false
	p := &pass{c: c, read: c.cache, began: c.w.now}
	if p.read.rollout == nil {
		c.end(p, nil)
		return
	}
	c.decide(p)
	if consequential(p.read.rollout, p.plan) {
		c.later(c.w.lags.Read, "live read", func() { c.readFirst(p) })
		return
	}
	c.sign(p)
}

// decide plans on what the pass has read. Pods are always read live.
func (c *controller) decide(p *pass) {
	p.now = c.now()
	p.gate, p.pods = c.gate, nil
	s := p.snapshot()
	if _, wanted := plan.RestartWanted(s); wanted {
		p.pods = c.w.pods.list(p.read.rollout.Status.StableRevision)
		s.Pods = p.pods
	}
	p.plan = plan.Decide(s)
}

func (p *pass) snapshot() plan.Snapshot {
	s := p.read.snapshot(p.now, p.c.w.catalogue)
	s.Gate, s.Pods = p.gate, p.pods
	return s
}

// consequential is the shell's: such a plan is made once more from live reads.
func consequential(ro *v1alpha1.Rollout, p plan.Plan) bool {
	old := ro.Status
	return len(p.Actions) > 0 ||
		old.StableRevision != p.Status.StableRevision || old.CanaryRevision != p.Status.CanaryRevision ||
		old.Release != p.Status.Release || !reflect.DeepEqual(old.Bindings, p.Status.Bindings) || !reflect.DeepEqual(old.Undo, p.Status.Undo) || stepOf(old) != stepOf(p.Status) || (old.Abort == nil) != (p.Status.Abort == nil)
}

func stepOf(s v1alpha1.RolloutStatus) int32 {
	if s.CurrentStep == nil {
		return -1
	}
	return s.CurrentStep.Index
}

// readFirst reads the one half of the objects, readSecond the other: a live
// reading is many requests, and the world moves between them.
func (c *controller) readFirst(p *pass) {
	if c.w.mischief.unreadable() {
		c.end(p, errRefused)
		return
	}
	p.began = c.w.now
	for _, k := range []kind{rollouts, workloads, replicaSets} {
		p.read.take(k, &c.w.live)
	}
	c.later(c.w.lags.Read, "live read", func() { c.readSecond(p) })
}

func (c *controller) readSecond(p *pass) {
	for _, k := range []kind{services, routes, runs, jobs} {
		p.read.take(k, &c.w.live)
	}
	if p.read.rollout == nil {
		c.end(p, nil)
		return
	}
	c.decide(p)
	c.sign(p)
}

// sign writes the status, locked to the version it was decided from.
func (c *controller) sign(p *pass) {
	if reflect.DeepEqual(p.read.rollout.Status, p.plan.Status) {
		c.act(p, 0)
		return
	}
	c.later(c.w.lags.Write, "status write", func() {
		if err := c.attempt(p, "status", func() error { return c.store(p, p.read.version, p.plan.Status) }); err != nil {
			c.end(p, err)
			return
		}
		c.act(p, 0)
	})
}

func (c *controller) store(p *pass, version int64, s v1alpha1.RolloutStatus) error {
	switch {
	case c.w.live.rollout == nil:
		return nil // ignored as not found
	case c.w.live.version != version:
		return errConflict
	}
	old := c.w.live.rollout.Status
	c.w.editRollout(false, func(r *v1alpha1.Rollout) { r.Status = s })
	if old.Phase != s.Phase || old.Message != s.Message {
		c.w.logf("   %s: %s", s.Phase, s.Message)
	}
	c.w.laws.signed(p, &old, &s)
	return nil
}

// act carries out the i-th action and those after it.
func (c *controller) act(p *pass, i int) {
	if i == len(p.plan.Actions) {
		c.w.laws.done(p)
		c.end(p, nil)
		return
	}
	writes := effects(c.w, p, p.plan.Actions[i])
	var write func(n int)
	write = func(n int) {
		if n == len(writes) {
			c.act(p, i+1)
			return
		}
		c.later(c.w.lags.Write, "write", func() {
			if err := c.attempt(p, p.plan.Actions[i].String(), writes[n]); err != nil {
				c.fail(p, err)
				return
			}
			write(n + 1)
		})
	}
	write(0)
}

// attempt is one write: what befalls it is the mischief's to say.
func (c *controller) attempt(p *pass, what string, write func() error) error {
	fate := c.w.mischief.fate()
	switch fate {
	case killedBefore:
		c.w.logf("controller killed before: %s", what)
		c.w.mischief.kill(c)
		return errRefused
	case conflicts:
		c.w.logf("conflict: %s", what)
		return errConflict
	case refused:
		c.w.logf("refused: %s", what)
		return errRefused
	case done, answerLost, killedAfter:
	}
	p.wrote++
	if err := write(); err != nil {
		c.w.logf("%v: %s", err, what)
		return err
	}
	switch fate {
	case killedAfter:
		c.w.logf("controller killed after: %s", what)
		c.w.mischief.kill(c)
		return errRefused
	case answerLost:
		c.w.logf("answer lost: %s", what)
		return errRefused
	case done, conflicts, refused, killedBefore:
	}
	return nil
}

// fail reports an error that is not a lost race, as condition Applied, and ends the pass.
func (c *controller) fail(p *pass, err error) {
	if c.dead || errors.Is(err, errConflict) || c.w.live.rollout == nil {
		c.end(p, err)
		return
	}
	s := c.w.live.rollout.Status
	s.Conditions = append([]metav1.Condition(nil), s.Conditions...)
	apimeta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonApplyFailed,
		Message: err.Error(), ObservedGeneration: c.w.live.rollout.Generation, LastTransitionTime: metav1.NewTime(c.now()),
	})
	c.w.editRollout(false, func(r *v1alpha1.Rollout) { r.Status = s })
	c.end(p, err)
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
		c.clear(p)
		c.wake(p.plan.Wake)
	}
	if c.again {
		c.enqueue()
	}
}

// clear removes the Applied condition after a pass that carried out all it wanted.
func (c *controller) clear(p *pass) {
	if c.w.live.rollout == nil || apimeta.FindStatusCondition(p.plan.Status.Conditions, v1alpha1.ConditionApplied) == nil {
		return
	}
	s := c.w.live.rollout.Status
	s.Conditions = append([]metav1.Condition(nil), s.Conditions...)
	apimeta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionApplied)
	c.w.editRollout(false, func(r *v1alpha1.Rollout) { r.Status = s })
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

// String names a kind as watches do.
func (k kind) String() string {
	return [...]string{"Rollouts", "Deployments", "ReplicaSets", "Services", "routes", "AnalysisRuns", "Jobs"}[k]
}
