// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
)

// Reconciler drives Rollouts. Its fields are set once, by SetUp.
//
// It reads in four ways:
//
//	reader   from         what it guarantees                       what reads by it
//	client   the cache    nothing; but only it has the indexes     which Rollouts share a Service or route
//	cached   the cache    not older than what this process wrote,  all that a plan does not hang on
//	                      or saw by noted; else kube.ErrBehind,
//	                      and after a second the API server
//	live     API server   the state of now                         what a plan hangs on; pods and tracked
//	                                                               configuration, which are not cached;
//	                                                               what a write is rendered from
//	noted    API server   the state of now, and cached will not    what a plan hangs on of Rollouts, routes
//	                      show an older one afterwards             and EndpointSlices
//
// These three kinds are noted because decisions compare what is so with what was so
// before: since when a status, a split or a number of endpoints is there. Were a cache
// to show an older state after a newer one, what had gone would seem to have come back.
type Reconciler struct {
	// client also writes, and remembers what it wrote for the sake of cached.
	client   client.Client
	cached   client.Reader
	live     client.Reader
	noted    client.Reader
	routers  *routers.Registry
	recorder recorder
	clock    clock.PassiveClock
	metrics  *metrics
	gates    *gates
	drafts   *drafts
	known    *known
	vet      plan.Vet
	retries  *kube.Retries
	writer   writer
}

// nextPart is the wait before the next pass goes on with what this one has begun. It
// goes on for ever where something else undoes that, so it is no hurry.
const nextPart = time.Second

// Reconcile takes one Rollout one pass further.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, p, err := r.decide(ctx, req.NamespacedName)
	if err != nil {
		if s.unread != nil { // a deadline that passes meanwhile waits for nothing that can't be read
			r.retries.NoLaterThan(req, p.Wake)
		}
		return again(client.IgnoreNotFound(err))
	}
	unwritten, err := r.report(ctx, s, p)
	if err != nil {
		r.known.drop(s.stored.UID)
		return again(err)
	}
	done := r.apply(ctx, s.Snapshot, p.Actions)
	if err := done.err(); err != nil {
		r.known.drop(s.stored.UID)
		// What waits for its time must not wait for what failed: an abort goes on.
		r.retries.NoLaterThan(req, done.retry(p.Wake))
		return again(r.reportFailure(ctx, req.NamespacedName, p, err))
	}
	wake := sooner(plan.LateWake(s.Snapshot), sooner(p.Wake, unwritten))
	if done.unfinished {
		wake = sooner(wake, nextPart)
	}
	return ctrl.Result{RequeueAfter: wake}, r.clearFailure(ctx, s.stored, p)
}

// decide plans on what the cache says, reads live what the plan hangs on, and plans
// again, until a plan hangs on nothing that was not read live. Everything is read live
// before this process first writes for a Rollout, because its cache may not have heard
// of the last writes of the process before. So it is after a write that failed: then
// either the cache is old, or the write went through and only its answer was lost.
// A plan that lacks part of what new things hang on counts only where it can't wait.
func (r *Reconciler) decide(ctx context.Context, key types.NamespacedName) (s seen, p plan.Plan, err error) {
	// Only now: each look compares routes with what the pass before has seen, not with the look before.
	defer func() {
		if s.stored != nil {
			r.drafts.saw(s.stored, s.before, p.Status, s.Now)
		}
	}()
	var live plan.Kinds
	for {
		now, err := r.observe(ctx, key, live, s.compared(), p.Status)
		if err != nil {
			return s, p, err
		}
		s, p = now, plan.Decide(now.Snapshot)
		wanted := plan.HangsOn(s.Snapshot, p)
		if !r.known.has(s.stored.UID) && writes(s, p) {
			wanted = plan.AllKinds
		}
		if live.Has(wanted) {
			if live.Has(plan.AllKinds) {
				r.known.add(s.stored.UID)
			}
			if s.unread != nil && p.CanWait() {
				return s, p, s.unread
			}
			return s, p, nil
		}
		live |= wanted
	}
}

// writes reports whether a plan is one that writes something, now or later.
func writes(s seen, p plan.Plan) bool {
	return len(p.Actions) > 0 || !plan.Same(&s.stored.Status, &p.Status)
}

// sooner is the earlier of two waits; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// again ends a pass that lost a race silently: whoever won it has changed the
// world, and the pass is repeated on what it is now.
func again(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	}
	if errors.Is(err, kube.ErrBehind) { // the event that brings the rest wakes it, but for a lost one
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	}
	return ctrl.Result{}, err
}
