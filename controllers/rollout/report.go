// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
)

// conflictPause lets the cache catch up with whoever won the race.
const conflictPause = 200 * time.Millisecond

// report writes the status that the plan signs, locked to the version it was
// decided from, and then tells of what has changed by it. Nothing is told of a
// status that was not stored.
//
// Words alone may wait; unwritten is for how long they still do.
func (r *Reconciler) report(ctx context.Context, s seen, p plan.Plan) (unwritten time.Duration, err error) {
	ro := s.stored
	if plan.Same(&ro.Status, &p.Status) {
		r.drafts.drop(ro.UID)
		return 0, nil
	}
	if left := r.drafts.hold(ro, p, s.Now); left > 0 {
		return left, nil
	}
	updated := ro.DeepCopy()
	updated.Status = p.Status
	if err := kube.PatchStatusLocked(ctx, r.client, ro, updated); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	r.drafts.sign(ro.UID)
	if ro.Status.Phase != p.Status.Phase || ro.Status.Message != p.Status.Message {
		log.FromContext(ctx).Info("Reported status", "phase", p.Status.Phase, "reason", p.Status.Message)
	}
	r.recorder.transition(ro, p.Status)
	r.metrics.transition(ro, p.Status)
	return 0, nil
}

// reportFailure says what failed and gives the error back for its backoff. A lost
// race is no failure.
func (r *Reconciler) reportFailure(ctx context.Context, key types.NamespacedName, p plan.Plan, failure error) error {
	if apierrors.IsConflict(failure) {
		return failure
	}
	ro := &v1alpha1.Rollout{}
	if err := r.live.Get(ctx, key, ro); err != nil {
		return failure
	}
	updated := ro.DeepCopy()
	seen, _ := plan.Remember(updated.Status, p.Status)
	updated.Status = plan.Refused(seen, ro.Generation, lasting(failure.Error()), r.clock.Now())
	if err := kube.PatchStatusLocked(ctx, r.client, ro, updated); err != nil {
		log.FromContext(ctx).V(1).Info("Could not report a failure", "error", err.Error())
	}
	r.recorder.failure(ro, failure)
	return failure
}

// nearEnd is our end of a connection in the text of an error, another one each time.
var nearEnd = regexp.MustCompile(`\S+:\d+->`)

// lasting is the text of an error without what differs from one time to the next: each
// other text is a write, which wakes the Rollout before its backoff is over.
func lasting(failure string) string { return nearEnd.ReplaceAllString(failure, "") }

// clearFailure says no more of it after a pass that carried out all it wanted.
func (r *Reconciler) clearFailure(ctx context.Context, ro *v1alpha1.Rollout, p plan.Plan) error {
	if meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionApplied) == nil {
		return nil
	}
	current := &v1alpha1.Rollout{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(ro), current); err != nil {
		return client.IgnoreNotFound(err)
	}
	updated := current.DeepCopy()
	seen, _ := plan.Remember(updated.Status, p.Status)
	updated.Status = plan.Granted(seen)
	err := kube.PatchStatusLocked(ctx, r.client, current, updated)
	if apierrors.IsConflict(err) {
		return nil // the next pass does it
	}
	return err
}
