// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
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

// mark changes the metadata of a role in place: first in the template, for pods
// to come, then on the pods there are, and last the note that all of it is done.
func (w writer) mark(ctx context.Context, s plan.Snapshot, a plan.MarkRevision) error {
	metadata := markPatch(plan.ReadMark(a.Before), plan.ReadMark(a.Mark))
	rs := named(&appsv1.ReplicaSet{}, s.Rollout, a.Name)
	if err := w.mergePatch(ctx, rs, map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": metadata}}}); err != nil {
		return err
	}
	var list corev1.PodList
	revision := client.MatchingLabels{v1alpha1.RevisionLabel: rs.Labels[v1alpha1.RevisionLabel]}
	if err := w.live.List(ctx, &list, client.InNamespace(s.Rollout.Namespace), revision); err != nil {
		return fmt.Errorf("list pods of %s: %w", a.Name, err)
	}
	for i := range list.Items {
		pod := &list.Items[i]
		if !metav1.IsControlledBy(pod, rs) {
			continue
		}
		if err := client.IgnoreNotFound(w.mergePatch(ctx, pod, map[string]any{"metadata": metadata})); err != nil {
			return fmt.Errorf("pod %s: %w", pod.Name, err)
		}
	}
	var note any
	if a.Mark != "" {
		note = a.Mark
	}
	return w.mergePatch(ctx, rs, map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.RoleAnnotation: note}}})
}

// markPatch takes off what only before has and puts on what after has.
func markPatch(before, after plan.Mark) map[string]any {
	merge := func(before, after map[string]string) map[string]any {
		fields := map[string]any{}
		for key := range before {
			fields[key] = nil
		}
		for key, value := range after {
			fields[key] = value
		}
		return fields
	}
	return map[string]any{
		"labels":      merge(before.Labels, after.Labels),
		"annotations": merge(before.Annotations, after.Annotations),
	}
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
