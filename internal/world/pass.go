// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// The answers that a write can get.
var (
	errConflict = errors.New("conflict")
	errRefused  = errors.New("refused by the API server")
	// errLost: it may have been written all the same.
	errLost = errors.New("no answer")
	// errBehind: the cache has not seen yet what the controller itself wrote.
	errBehind = errors.New("the cache is behind")
)

// pass is one reconcile under way.
type pass struct {
	c *controller
	// read is what it decided from; its Rollout has the status that it would have by now.
	read objects
	// stored is the Rollout as it is stored.
	stored *v1alpha1.Rollout
	// before is what the pass before has seen of it.
	before *v1alpha1.Rollout
	// live are the kinds that were read from the API server.
	live plan.Kinds
	plan plan.Plan
	gate *plan.GateAnswer
	pods []plan.Pod
	// wrote counts what it wrote; harmless passes write nothing.
	wrote int
	// failed are the errors of those that others go on without.
	failed []error
	// unwritten is for how long the status that was decided on may stay so.
	unwritten time.Duration
	// now is the time that it decided at.
	now time.Time
	// looked: it has decided once at least.
	looked bool
	// began is as of when it knows what it read.
	began time.Duration
}

func (p *pass) snapshot() plan.Snapshot {
	s := p.read.snapshot(p.now, p.c.w.catalogue)
	s.Gate, s.Pods, s.Watched = p.gate, p.pods, p.c.watched
	return s
}

// decide plans on what the pass has read, and has read live what the plan hangs
// on. Pods are always read live.
func (p *pass) decide() {
	if p.stored == nil {
		p.c.end(p, nil)
		return
	}
	p.now = p.c.now()
	if p.c.watched.IsZero() {
		p.c.watched = p.now
	}
	compared := p.before
	p.before = p.c.draft.latest(p.stored)
	p.read.rollout = p.before
	if p.looked {
		p.read.rollout = plan.Glimpsed(p.before, compared.Status, p.plan.Status)
	}
	p.gate, p.pods = p.c.gate, nil
	s := p.snapshot()
	if plan.PodsWanted(s) {
		p.pods = p.c.w.pods.list(p.read.rollout.Status.StableRevision)
		s.Pods = p.pods
	}
	p.plan = p.c.w.decide(s)
	p.looked = true
	wanted := plan.HangsOn(s, p.plan)
	if !p.c.known && (len(p.plan.Actions) > 0 || !plan.Same(&p.stored.Status, &p.plan.Status)) {
		wanted = plan.AllKinds
	}
	if !p.live.Has(wanted) {
		p.readLive(wanted)
		return
	}
	p.c.known = p.c.known || p.live.Has(plan.AllKinds)
	p.saw()
	p.sign()
}

// saw remembers traffic as the last look has seen it: each look compares
// routes with what the pass before has seen, not with the look before.
func (p *pass) saw() {
	if p.looked {
		p.c.draft.saw(p.stored, p.before, p.plan.Status, p.now)
	}
}

// readLive reads kinds from the API server, in two halves: a live reading is
// many requests, and the world moves between them.
func (p *pass) readLive(wanted plan.Kinds) {
	p.live |= wanted
	p.c.later(p.c.w.lags.Read, "live read", p.readFirst)
}

func (p *pass) readFirst() {
	if p.c.w.mischief.unreadable() {
		p.saw()
		p.c.end(p, errRefused)
		return
	}
	if p.live.Has(plan.AllKinds) {
		p.began, p.c.readAt = p.c.w.now, p.c.w.now
	}
	p.take(rollouts, workloads, replicaSets)
	if p.live.Has(plan.Rollouts) {
		p.stored = p.read.rollout
		if !p.c.passed.any && p.c.cache.version != p.read.version {
			p.c.passed = marked{true, p.c.w.now}
		}
	}
	p.c.later(p.c.w.lags.Read, "live read", p.readSecond)
}

func (p *pass) readSecond() {
	p.take(services, routes, runs, jobs)
	if p.live.Has(plan.Endpoints) && !p.c.outrun.any && !sameEndpoints(&p.c.cache, &p.read) {
		p.c.outrun = marked{true, p.c.w.now}
	}
	if p.live.Has(plan.Routes) && !p.c.rerouted.any && &p.c.cache.routes[0] != &p.read.routes[0] {
		p.c.rerouted = marked{true, p.c.w.now}
	}
	p.decide()
}

// sameEndpoints reports whether all Services list the same pods.
func sameEndpoints(a, b *objects) bool {
	return slices.EqualFunc(a.services[:], b.services[:], func(x, y *plan.Service) bool {
		return x == y || x != nil && y != nil && slices.Equal(x.Listed, y.Listed)
	})
}

// bits name the kinds as the planner does. Services stand for their EndpointSlices too.
var bits = [kinds]plan.Kinds{
	rollouts: plan.Rollouts, workloads: plan.Workloads, replicaSets: plan.ReplicaSets, services: plan.Services | plan.Endpoints,
	routes: plan.Routes, runs: plan.Runs, jobs: plan.Jobs,
}

// awaited are the kinds that a cache may be behind with: what the controller wrote
// itself, and at the end what it read live.
var awaited = append(bits[:], plan.Endpoints, plan.Rollouts, plan.Routes)

// take reads those of some kinds that are to be read live.
func (p *pass) take(some ...kind) {
	for _, k := range some {
		switch half := p.live & bits[k]; {
		case half == bits[k]:
			p.read.take(k, &p.c.w.live)
		case half != 0:
			p.read.takeHalf(&p.c.w.live, half == plan.Endpoints)
		}
	}
}

// sign writes the status, locked to the version it was decided from. Words alone may wait.
func (p *pass) sign() {
	if plan.Same(&p.stored.Status, &p.plan.Status) {
		p.c.draft.drop()
		begin(p)
		return
	}
	if p.c.signed {
		p.unwritten = p.c.draft.hold(p.stored, p.plan, p.now)
	}
	if p.unwritten > 0 {
		begin(p)
		return
	}
	p.c.later(p.c.w.lags.Write, "status write", func() {
		if err := p.attempt(aStatus, func() error { return p.store(p.read.version, p.plan.Status) }); err != nil {
			p.c.end(p, err)
			return
		}
		p.c.signed = true
		p.c.draft.drop()
		begin(p)
	})
}

func stepOf(s v1alpha1.RolloutStatus) int32 {
	if s.CurrentStep == nil {
		return -1
	}
	return s.CurrentStep.Index
}

func (p *pass) store(version int64, s v1alpha1.RolloutStatus) error {
	switch {
	case p.c.w.live.rollout == nil:
		return nil // ignored as not found
	case p.c.w.live.version != version:
		return errConflict
	}
	old := p.c.w.live.rollout.Status
	p.c.w.editRollout(false, func(r *v1alpha1.Rollout) { r.Status = s })
	hears(p.c.w.laws.court, p)
	if old.Phase != s.Phase || old.Message != s.Message {
		p.c.w.logf("   %s: %s", s.Phase, s.Message)
	}
	p.c.w.laws.signed(p, &old, &s)
	return nil
}

// begin carries out what was decided and signed.
func begin(p *pass) {
	acts(p.c.w.laws.court, p)
	p.act(p.plan.Actions)
}

// act carries out what is left of the plan's actions. What one that fails is
// needed for is left out, as the shell does.
func (p *pass) act(left []plan.Action) {
	switch {
	case len(left) == 0 && len(p.failed) > 0:
		p.fail(nil)
		return
	case len(left) == 0:
		p.c.w.laws.done(p)
		p.c.end(p, nil)
		return
	}
	d := deed{p: p, action: left[0], writes: effects(p.c.w, p, left[0]), left: left[1:]}
	d.write(0)
}

// deed is an action that is being carried out: a write for each object. One that
// fails does not keep the others from theirs, but for a lost race.
type deed struct {
	p      *pass
	action plan.Action
	writes []func() error
	left   []plan.Action
	// failed: not everything was written.
	failed bool
}

func (d *deed) write(n int) {
	if n == len(d.writes) {
		d.end()
		return
	}
	c := d.p.c
	c.later(c.w.lags.Write, "write", func() {
		err := d.p.attempt(d.action.String(), d.writes[n])
		switch {
		case err == nil:
		case c.dead || c.former && c.fenced || errors.Is(err, errConflict):
			d.p.fail(err)
			return
		default:
			d.failed = true
			d.p.failed = append(d.p.failed, err)
		}
		d.write(n + 1)
	})
}

func (d *deed) end() {
	if d.failed {
		d.left = plan.Without(d.left, d.action)
	}
	d.p.act(d.left)
}

// attempt is one write: what befalls it is the mischief's to say.
func (p *pass) attempt(what string, write func() error) error {
	if err := p.outlived(what); err != nil {
		return err
	}
	fate := p.c.w.mischief.fate(what)
	switch fate {
	case killedBefore:
		p.c.w.logf("controller killed before: %s", what)
		p.c.w.mischief.kill(p.c)
		return errRefused
	case conflicts:
		p.c.w.logf("conflict: %s", what)
		return errConflict
	case refused:
		p.c.w.logf("refused: %s", what)
		return errRefused
	case done, answerLost, killedAfter:
	}
	p.wrote++
	if err := p.c.own(fate == done, write); err != nil {
		if !errors.Is(err, errConflict) { // a stale cache is nothing to tell
			p.c.w.logf("%v: %s", err, what)
		}
		return err
	}
	switch fate {
	case killedAfter:
		p.c.w.logf("controller killed after: %s", what)
		p.c.w.mischief.kill(p.c)
		return errLost
	case answerLost:
		p.c.w.logf("answer lost: %s", what)
		return errLost
	case done, conflicts, refused, killedBefore:
	}
	return nil
}

// outlived refuses the writes of a former leader. One that its fence lets pass all
// the same may take away what the next leader has just read, and nobody could know.
func (p *pass) outlived(what string) error {
	switch {
	case !p.c.former:
	case p.c.fenced:
		p.c.w.logf("fenced: %s", what)
		return errRefused
	case what != aStatus: // a status is locked to what it was decided from
		p.c.w.laws.harm()
		p.c.w.laws.rest.overrun = p.c.w.laws.rest.overrun || p.c.w.live.rollout == nil
	}
	return nil
}

// aStatus is what a write of the status is called.
const aStatus = "status"

// fail ends a pass that could not do all that was planned. What was refused is
// reported as condition Applied, also where a race was lost after it; that alone is silent.
func (p *pass) fail(lost error) {
	err := errors.Join(p.failed...)
	if len(p.failed) == 0 {
		err = lost
	}
	if p.c.dead || errors.Is(err, errConflict) || p.c.w.live.rollout == nil {
		p.c.end(p, err)
		return
	}
	p.c.wake(p.plan.Wake) // what waits for its time does not wait for what failed
	if errors.Is(lost, errConflict) {
		p.c.wake(conflictPause)
	}
	s, _ := plan.Remember(p.c.w.live.rollout.Status, p.plan.Status)
	p.c.rewrite(plan.Refused(s, p.c.w.live.rollout.Generation, err.Error(), p.c.now()))
	p.c.end(p, err)
}

// clearFailure removes the Applied condition after a pass that carried out all it wanted.
func clearFailure(p *pass) {
	if p.c.w.live.rollout == nil || apimeta.FindStatusCondition(p.plan.Status.Conditions, v1alpha1.ConditionApplied) == nil {
		return
	}
	s, _ := plan.Remember(p.c.w.live.rollout.Status, p.plan.Status)
	p.c.rewrite(plan.Granted(s))
}
