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
type Reconciler struct {
	client client.Client
	// cached is fed by watches; it is never behind our own writes.
	cached client.Reader
	live   client.Reader
	// noted reads live, and has cached not fall behind that. Rollouts are read by it,
	// whose status says what was seen before, routes, whose shares a step is left by,
	// and EndpointSlices: which pods took the place of others is told by their numbers
	// in the order in which they were so.
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

// Reconcile takes one Rollout one pass further.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, p, err := r.decide(ctx, req.NamespacedName)
	if err != nil {
		return again(client.IgnoreNotFound(err))
	}
	unwritten, err := r.report(ctx, s, p)
	if err != nil {
		r.known.drop(s.stored.UID)
		return again(err)
	}
	err = r.apply(ctx, s.Snapshot, p.Actions)
	if !apierrors.IsConflict(err) {
		p.Status = r.drafts.shifted(s, p, unwritten > 0)
	}
	if err != nil {
		r.known.drop(s.stored.UID)
		// What waits for its time must not wait for what failed: an abort goes on.
		r.retries.NoLaterThan(req, p.Wake)
		return again(r.reportFailure(ctx, req.NamespacedName, p, err))
	}
	return ctrl.Result{RequeueAfter: sooner(plan.LateWake(s.Snapshot), sooner(p.Wake, unwritten))}, r.clearFailure(ctx, s.stored, p)
}

// decide plans on what the cache says. What the plan hangs on is then read live
// and decided once more, until a plan hangs on nothing that was not. Everything
// is when this process has not written the Rollout yet, since its cache may not
// have heard of the last writes of the process before, and after a write that
// failed, since then the cache is known to be old or an answer to be lost.
func (r *Reconciler) decide(ctx context.Context, key types.NamespacedName) (s seen, p plan.Plan, err error) {
	// Only now: each look compares with what the pass before has seen, not with the look before.
	defer func() {
		if s.stored != nil {
			r.drafts.saw(s.stored, s.Rollout, p.Status, s.Now)
		}
	}()
	var live plan.Kinds
	for {
		now, err := r.observe(ctx, key, live)
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
