// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers"
)

// Reconciler drives Rollouts. Its fields are set once, by SetUp.
type Reconciler struct {
	client   client.Client
	live     client.Reader
	routers  *routers.Registry
	recorder recorder
	clock    clock.PassiveClock
	metrics  *metrics
	gates    *gates
	writer   writer
}

// Reconcile takes one Rollout one pass further.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s, err := r.observe(ctx, req.NamespacedName, r.client)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	p := plan.Decide(s)
	if consequential(s.Rollout, p) {
		if s, err = r.observe(ctx, req.NamespacedName, r.live); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		p = plan.Decide(s)
	}
	if err := r.report(ctx, s.Rollout, p); err != nil {
		return again(err)
	}
	if err := r.apply(ctx, s, p.Actions); err != nil {
		return again(r.reportFailure(ctx, req.NamespacedName, err))
	}
	return ctrl.Result{RequeueAfter: p.Wake}, r.clearFailure(ctx, s.Rollout, p)
}

// consequential reports whether a plan changes anything but words. Such a plan
// is made once more from live reads before it counts.
func consequential(ro *v1alpha1.Rollout, p plan.Plan) bool {
	old := ro.Status
	return len(p.Actions) > 0 ||
		old.StableRevision != p.Status.StableRevision || old.CanaryRevision != p.Status.CanaryRevision ||
		old.Release != p.Status.Release || !reflect.DeepEqual(old.Bindings, p.Status.Bindings) || !reflect.DeepEqual(old.Undo, p.Status.Undo) || step(old) != step(p.Status) || (old.Abort == nil) != (p.Status.Abort == nil)
}

func step(s v1alpha1.RolloutStatus) int32 {
	if s.CurrentStep == nil {
		return -1
	}
	return s.CurrentStep.Index
}

// again ends a pass that lost a race silently: whoever won it has changed the
// world, and the pass is repeated on what it is now.
func again(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictPause}, nil
	}
	return ctrl.Result{}, err
}
