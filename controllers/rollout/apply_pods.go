// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// createService makes the Service of a slot as a copy of the callers' one. It
// is the Rollout's own and goes with it.
func (w writer) createService(ctx context.Context, s plan.Snapshot, a plan.CreateService) error {
	from := &corev1.Service{}
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(named(from, s.Rollout, a.From)), from); err != nil {
		return fmt.Errorf("copy Service %s: %w", a.From, err)
	}
	svc := slotService(s.Rollout, a.Name, from)
	svc.OwnerReferences = owners(s)
	err := w.client.Create(ctx, svc, client.FieldOwner(v1alpha1.FieldOwner))
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	existing := &corev1.Service{}
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(svc), existing); err != nil {
		return err
	}
	return unlessOurs(existing, s.Rollout, "Service "+svc.Name, "rename it, or name the Services of the slots in stableService and canaryService")
}

// errUnfinished: part of an action is carried out, and the next pass goes on with it.
var errUnfinished = errors.New("goes on in the next pass")

// mark changes the metadata of a role in place: first in the template, for pods to
// come, then on so many of the pods there are, and last, when none of them lacks it
// any more, the note that all of it is done.
func (w writer) mark(ctx context.Context, s plan.Snapshot, a plan.MarkRevision) error {
	rs := named(&appsv1.ReplicaSet{}, s.Rollout, a.Name)
	if err := beginMark(ctx, w, rs, a); err != nil {
		return err
	}
	pods, err := controlledPods(ctx, w, rs)
	if err != nil {
		return err
	}
	next, more := a.Next(pods)
	if err := markPods(ctx, w, a, next); err != nil {
		return err
	}
	if more {
		return errUnfinished
	}
	var note any
	if a.Mark != "" {
		note = a.Mark
	}
	return w.mergePatch(ctx, rs, map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.RoleAnnotation: note}}})
}

// beginMark writes the template and notes what is begun, unless a pass before has.
func beginMark(ctx context.Context, w writer, rs *appsv1.ReplicaSet, a plan.MarkRevision) error {
	begun := a.Begun()
	if begun == a.Before {
		return w.live.Get(ctx, client.ObjectKeyFromObject(rs), rs)
	}
	return w.mergePatch(ctx, rs, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{v1alpha1.RoleAnnotation: begun}},
		"spec":     map[string]any{"template": map[string]any{"metadata": a.Metadata()}},
	})
}

func controlledPods(ctx context.Context, w writer, rs *appsv1.ReplicaSet) ([]*corev1.Pod, error) {
	var list corev1.PodList
	revision := client.MatchingLabels{v1alpha1.RevisionLabel: rs.Labels[v1alpha1.RevisionLabel]}
	if err := w.live.List(ctx, &list, client.InNamespace(rs.Namespace), revision); err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", rs.Name, err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; metav1.IsControlledBy(pod, rs) {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// markPods marks each of the pods. One that does not keep it would be marked for ever.
func markPods(ctx context.Context, w writer, a plan.MarkRevision, pods []*corev1.Pod) error {
	metadata := a.Metadata()
	var loses string
	for _, pod := range pods {
		err := w.mergePatch(ctx, pod, map[string]any{"metadata": metadata})
		switch {
		case apierrors.IsNotFound(err): // it has left
		case err != nil:
			return fmt.Errorf("pod %s: %w", pod.Name, err)
		case a.Lacks(pod):
			loses = pod.Name
		}
	}
	if loses != "" {
		return fmt.Errorf("pod %s does not keep the metadata of its role: a webhook or a policy changes it at once; have that leave alone what stableMetadata and canaryMetadata say, or say something else there", loses)
	}
	return nil
}

// evict asks for an eviction. A pod that is gone is what was wanted; a
// PodDisruptionBudget that forbids it now is an error, tried again later.
func (w writer) evict(ctx context.Context, pod *corev1.Pod) error {
	err := w.client.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{})
	if apierrors.IsTooManyRequests(err) {
		return fmt.Errorf("a PodDisruptionBudget forbids the eviction for now: %w", err)
	}
	return client.IgnoreNotFound(err)
}
