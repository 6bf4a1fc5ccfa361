// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
)

// apply carries actions out in order. One that fails keeps those from it that
// need it, and everything when what was decided upon is no longer so. It is the
// only place that writes anything but a Rollout's status. What it achieved is for
// the next pass to see; it tells only what failed.
func (r *Reconciler) apply(ctx context.Context, s plan.Snapshot, actions []plan.Action) applied {
	var done applied
	for len(actions) > 0 {
		a := actions[0]
		actions = actions[1:]
		err := r.writer.write(ctx, s, a)
		if errors.Is(err, errUnfinished) {
			done.unfinished, err = true, nil
		}
		if err != nil {
			if done.failed(ctx, a, err); done.lost != nil {
				return done
			}
			actions = plan.Without(actions, a)
			continue
		}
		log.FromContext(ctx).Info("Carried out action", "action", a.String(), "reason", a.Why())
		r.recorder.action(s.Rollout, a)
		r.metrics.action(s.Rollout, a)
	}
	return done
}

// writer carries out single actions.
type writer struct {
	client  client.Client
	live    client.Reader
	routers *routers.Registry
	managed managed
	gates   *gates
	// forget drops what is remembered of a Rollout that goes.
	forget func(*v1alpha1.Rollout)
}

// write carries out one action.
//
//nolint:gocyclo // one flat switch over a closed set: that it is exhaustive can be seen at a glance
func (w writer) write(ctx context.Context, s plan.Snapshot, a plan.Action) error {
	switch a := a.(type) {
	case plan.HoldFinalizer:
		return w.hold(ctx, s.Rollout)
	case plan.DropFinalizer:
		return letGo(ctx, w, s, a)
	case plan.CreateRevision:
		return w.createRevision(ctx, s, a)
	case plan.CreateBaseline:
		return createBaseline(ctx, w, s, a)
	case plan.ScaleRevision:
		return w.scale(ctx, named(&appsv1.ReplicaSet{}, s.Rollout, a.Name), a.From, a.Replicas)
	case plan.DeleteRevision:
		return w.deleteRevision(ctx, s, a)
	case plan.SelectRevision:
		return w.selectRevision(ctx, named(&corev1.Service{}, s.Rollout, a.Service), a)
	case plan.CopyConfig:
		return copies{w.client, w.live}.make(ctx, s, a.Copy)
	case plan.CreateService:
		return w.createService(ctx, s, a)
	case plan.SetMinReady:
		return w.mergePatch(ctx, named(&appsv1.ReplicaSet{}, s.Rollout, a.Name), map[string]any{"spec": map[string]any{"minReadySeconds": a.Seconds}})
	case plan.MarkRevision:
		return w.mark(ctx, s, a)
	case plan.StartJob:
		return create(ctx, w, s.Rollout, jobOf(s, a))
	case plan.DeleteJob:
		return client.IgnoreNotFound(w.client.Delete(ctx, named(&batchv1.Job{}, s.Rollout, a.Name), client.PropagationPolicy(metav1.DeletePropagationBackground)))
	case plan.AskGate:
		w.gates.ask(ctx, s.Rollout, a)
		return nil
	case plan.EvictPod:
		return w.evict(ctx, named(&corev1.Pod{}, s.Rollout, a.Name))
	case plan.ShiftTraffic:
		return w.shift(ctx, s, a)
	case plan.WriteRoute:
		return w.managed.write(ctx, s, a)
	case plan.DropRoute:
		return w.managed.drop(ctx, s, a)
	case plan.ReleaseTraffic:
		return w.releaseTraffic(ctx, s, a)
	case plan.ScaleWorkload:
		return w.scaleWorkload(ctx, s, a)
	case plan.StartRun:
		return create(ctx, w, s.Rollout, analysisRun(s, a))
	case plan.AskRun:
		return w.patchRun(ctx, s, a.Name, map[string]any{"question": a.Question})
	case plan.RedirectRun:
		return redirectRun(ctx, w.client, s, a)
	case plan.StopRun:
		return client.IgnoreNotFound(w.patchRun(ctx, s, a.Name, map[string]any{"stop": true, "question": nil}))
	case plan.DeleteRun:
		return client.IgnoreNotFound(w.client.Delete(ctx, named(&v1alpha1.AnalysisRun{}, s.Rollout, a.Name)))
	default:
		return fmt.Errorf("unknown action %T", a)
	}
}

// named gives an empty object the name under which it is written.
func named[T client.Object](obj T, ro *v1alpha1.Rollout, name string) T {
	obj.SetNamespace(ro.Namespace)
	obj.SetName(name)
	return obj
}

// mergePatch writes fields by a merge patch.
func (w writer) mergePatch(ctx context.Context, obj client.Object, fields map[string]any) error {
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	return w.client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, raw), client.FieldOwner(v1alpha1.FieldOwner))
}

// hold applies our own entry of the set of finalizers. The uid keeps a Rollout
// that is gone from being created anew.
func (w writer) hold(ctx context.Context, ro *v1alpha1.Rollout) error {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Rollout"))
	obj.SetNamespace(ro.Namespace)
	obj.SetName(ro.Name)
	obj.SetUID(ro.UID)
	obj.SetFinalizers([]string{v1alpha1.Finalizer})
	return kube.Apply(ctx, w.client, client.ApplyConfigurationFromUnstructured(obj))
}

// createRevision creates the ReplicaSet of the wanted template.
func (w writer) createRevision(ctx context.Context, s plan.Snapshot, a plan.CreateRevision) error {
	if err := (copies{w.client, w.live}).makeAll(ctx, s); err != nil {
		return err
	}
	return createReplicaSet(ctx, w, s.Rollout, replicaSet(s, a))
}

// createReplicaSet creates a ReplicaSet. One of that name that is ours already is what was wanted.
func createReplicaSet(ctx context.Context, w writer, ro *v1alpha1.Rollout, rs *appsv1.ReplicaSet) error {
	err := w.client.Create(ctx, rs, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		return takeReplicaSet(ctx, w, ro, rs)
	}
	return err
}

// create creates an object. One of that name that is ours already is what was wanted.
func create(ctx context.Context, w writer, ro *v1alpha1.Rollout, obj client.Object) error {
	err := w.client.Create(ctx, obj, client.FieldOwner(v1alpha1.FieldOwner))
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	gvk, err := w.client.GroupVersionKindFor(obj)
	if err != nil {
		return fmt.Errorf("read %s: %w", obj.GetName(), err)
	}
	existing := &metav1.PartialObjectMetadata{}
	existing.SetGroupVersionKind(gvk)
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(obj), existing); err != nil {
		return err
	}
	return unlessOurs(existing, ro, gvk.Kind+" "+obj.GetName(), deleteOrRename)
}

// deleteRevision deletes a ReplicaSet, after the copies that only it uses: should
// that be interrupted, the ReplicaSet is still there to tell what is left.
func (w writer) deleteRevision(ctx context.Context, s plan.Snapshot, a plan.DeleteRevision) error {
	if err := (copies{w.client, w.live}).drop(ctx, s.Rollout, a.Config); err != nil {
		return err
	}
	return client.IgnoreNotFound(w.client.Delete(ctx, named(&appsv1.ReplicaSet{}, s.Rollout, a.Name)))
}

// scale sets replicas, provided that they are still what was decided upon. The
// API server calls it invalid when they are not; so does many a policy that denies
// the write. Which of both it was the object tells.
func (w writer) scale(ctx context.Context, rs *appsv1.ReplicaSet, from, to int32) error {
	patch := fmt.Sprintf(`[{"op":"test","path":"/spec/replicas","value":%d},{"op":"replace","path":"/spec/replicas","value":%d}]`, from, to)
	err := w.client.Patch(ctx, rs, client.RawPatch(types.JSONPatchType, []byte(patch)), client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsInvalid(err) && scaledSince(ctx, w.live, rs, from) {
		return apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "replicasets"}, rs.Name, err)
	}
	return err
}

// scaledSince reports whether somebody scaled a ReplicaSet meanwhile, or deleted it.
func scaledSince(ctx context.Context, live client.Reader, rs *appsv1.ReplicaSet, from int32) bool {
	now := &appsv1.ReplicaSet{}
	err := live.Get(ctx, client.ObjectKeyFromObject(rs), now)
	return apierrors.IsNotFound(err) || err == nil && ptr.Deref(now.Spec.Replicas, 1) != from
}

// selectRevision sets or removes one key of the selector. The selector is an
// atomic map, so that server-side apply could not own one key of it.
func (w writer) selectRevision(ctx context.Context, svc *corev1.Service, a plan.SelectRevision) error {
	var value any
	if a.Revision != "" {
		value = a.Revision
	}
	return w.mergePatch(ctx, svc, map[string]any{
		"metadata": map[string]any{"resourceVersion": a.Version},
		"spec":     map[string]any{"selector": map[string]any{v1alpha1.RevisionLabel: value}},
	})
}

// shift makes every route carry the split. One that fails does not keep the others from
// it, and one that does not exist is a problem already.
func (w writer) shift(ctx context.Context, s plan.Snapshot, a plan.ShiftTraffic) error {
	if err := a.Split.Validate(); err != nil {
		return err
	}
	var failed failures
	bound := plan.Bindings(s.Rollout)
	for i := range bound.Routes {
		route := routeAt(s, bound, i)
		router, err := w.routers.For(route)
		if err == nil {
			err = router.Apply(ctx, route, a.Split)
		}
		if p := (*routers.Problem)(nil); errors.As(err, &p) && p.Gone {
			continue // the others have to carry the split all the same, and the next look names this one
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", route, err))
		}
	}
	return failed.joined()
}

// releaseTraffic gives every route back. One that fails does not keep the others from it.
func (w writer) releaseTraffic(ctx context.Context, s plan.Snapshot, a plan.ReleaseTraffic) error {
	var failed failures
	bound := plan.Bindings(s.Rollout)
	for i := range bound.Routes {
		route := routeAt(s, bound, i)
		route.Own = a.Own
		router, err := w.routers.For(route)
		if err != nil {
			continue // never steered, so nothing to give back
		}
		if err := router.Release(ctx, route); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", route, err))
		}
	}
	return failed.joined()
}

// scaleWorkload scales the referenced Deployment and remembers that, and at the
// first time what it had; Restore forgets both again.
func (w writer) scaleWorkload(ctx context.Context, s plan.Snapshot, a plan.ScaleWorkload) error {
	var before, now any = strconv.FormatInt(int64(a.From), 10), strconv.FormatInt(int64(a.Replicas), 10)
	switch {
	case a.Restore:
		before, now = nil, nil
	case s.Workload.Before != nil:
		before = strconv.FormatInt(int64(*s.Workload.Before), 10)
	}
	return w.mergePatch(ctx, named(&appsv1.Deployment{}, s.Rollout, a.Name), map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.WorkloadReplicasAnnotation: before, v1alpha1.WorkloadScaledToAnnotation: now}},
		"spec":     map[string]any{"replicas": a.Replicas},
	})
}
