// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// owners are those of an object that carries traffic. The workload is one of
// them beside the Rollout: whatever a Rollout alone owns the garbage collector
// deletes at once when the Rollout is deleted in the foreground, finalizer or not.
// With a second owner it only takes the Rollout off the list.
func owners(s plan.Snapshot) []metav1.OwnerReference {
	all := []metav1.OwnerReference{*metav1.NewControllerRef(s.Rollout, v1alpha1.GroupVersion.WithKind("Rollout"))}
	if w := s.Workload; w != nil && w.UID != "" {
		all = append(all, metav1.OwnerReference{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment", Name: w.Name, UID: w.UID})
	}
	return all
}

// ours reports whether an object is the Rollout's: one that it controls or,
// while it is being deleted, one that the garbage collector has taken it off.
func ours(s plan.Snapshot, obj client.Object) bool {
	if metav1.IsControlledBy(obj, s.Rollout) {
		return true
	}
	_, managed := obj.GetAnnotations()[v1alpha1.ManagedAnnotation]
	return s.Rollout.DeletionTimestamp != nil && s.Workload != nil && metav1.GetControllerOf(obj) == nil &&
		(managed || obj.GetLabels()[v1alpha1.RolloutLabel] == s.Rollout.Name) &&
		slices.ContainsFunc(obj.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == s.Workload.UID })
}

// disown takes the workload off what would outlive the Rollout with it, so that
// all of that goes with the Rollout.
func disown(ctx context.Context, w writer, s plan.Snapshot, a plan.DropFinalizer) error {
	var all []client.Object
	for _, name := range a.Revisions {
		all = append(all, named(&appsv1.ReplicaSet{}, s.Rollout, name))
	}
	for _, name := range a.Services {
		all = append(all, named(&corev1.Service{}, s.Rollout, name))
	}
	for _, ref := range a.Routes {
		all = append(all, empty(s.Rollout, ref))
	}
	for _, obj := range all {
		if err := disownOne(ctx, w, s, obj); err != nil {
			return err
		}
	}
	return copies{w.client, w.live}.leave(ctx, s, a.Config)
}

func disownOne(ctx context.Context, w writer, s plan.Snapshot, obj client.Object) error {
	err := w.live.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	workload := func(r metav1.OwnerReference) bool { return r.UID == s.Workload.UID }
	if err == nil && ours(s, obj) && slices.ContainsFunc(obj.GetOwnerReferences(), workload) {
		obj.SetOwnerReferences(slices.DeleteFunc(obj.GetOwnerReferences(), workload))
		alone := s
		alone.Workload = nil
		err = adopt(ctx, w.client, obj, owners(alone))
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let %s go with the Rollout: %w", obj.GetName(), err)
	}
	return nil
}

// deleteOrRename is the remedy for an object of somebody else's that nobody asked for by that name.
const deleteOrRename = "delete or rename it"

// unlessOurs says of an object that has the name of one that is wanted that it is
// somebody else's, which would be waited for in vain, and what to do; nil when it is the Rollout's.
func unlessOurs(existing client.Object, ro *v1alpha1.Rollout, what, remedy string) error {
	if metav1.IsControlledBy(existing, ro) {
		return nil
	}
	return fmt.Errorf("%s exists and belongs to somebody else; %s", what, remedy)
}

// adopt makes the Rollout the controller of an object that nobody controls: what
// a Rollout of the same name left behind when it was deleted without its dependents.
func adopt(ctx context.Context, c client.Client, existing client.Object, wanted []metav1.OwnerReference) error {
	refs := slices.Clone(existing.GetOwnerReferences())
	for _, ref := range wanted {
		refs = append(slices.DeleteFunc(refs, func(r metav1.OwnerReference) bool { return r.UID == ref.UID }), ref)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": existing.GetUID(), "resourceVersion": existing.GetResourceVersion(), "ownerReferences": refs,
	}})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	return c.Patch(ctx, existing, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
}

// leftBehind reports whether nobody controls an object that a Rollout of this name made.
func leftBehind(existing client.Object, ro *v1alpha1.Rollout) bool {
	return metav1.GetControllerOf(existing) == nil && existing.GetDeletionTimestamp() == nil && existing.GetLabels()[v1alpha1.RolloutLabel] == ro.Name
}

// takeReplicaSet makes sure that the ReplicaSet that has the wanted one's name is the Rollout's.
func takeReplicaSet(ctx context.Context, w writer, ro *v1alpha1.Rollout, wanted *appsv1.ReplicaSet) error {
	existing := &appsv1.ReplicaSet{}
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(wanted), existing); err != nil {
		return err
	}
	if leftBehind(existing, ro) && existing.Labels[v1alpha1.RevisionLabel] == wanted.Labels[v1alpha1.RevisionLabel] &&
		equality.Semantic.DeepEqual(existing.Spec.Selector, wanted.Spec.Selector) {
		return adopt(ctx, w.client, existing, wanted.OwnerReferences)
	}
	return unlessOurs(existing, ro, "ReplicaSet "+wanted.Name, deleteOrRename)
}

// letGo takes our own entry off the set of finalizers. One that came with the
// object, from a backup or a copy, is no field that an apply of ours could give up. What
// is remembered of the Rollout goes with the entry, and stays while that can't be taken off.
func letGo(ctx context.Context, w writer, s plan.Snapshot, a plan.DropFinalizer) error {
	if err := disown(ctx, w, s, a); err != nil {
		return err
	}
	ro, stored := s.Rollout, &v1alpha1.Rollout{}
	err := w.live.Get(ctx, client.ObjectKeyFromObject(ro), stored)
	if apierrors.IsNotFound(err) || err == nil && (stored.UID != ro.UID || !slices.Contains(stored.Finalizers, v1alpha1.Finalizer)) {
		w.forget(ro)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the finalizers: %w", err)
	}
	left := slices.DeleteFunc(slices.Clone(stored.Finalizers), func(name string) bool { return name == v1alpha1.Finalizer })
	err = client.IgnoreNotFound(w.mergePatch(ctx, stored, map[string]any{
		"metadata": map[string]any{"resourceVersion": stored.ResourceVersion, "finalizers": left},
	}))
	if err == nil {
		w.forget(ro)
	}
	return err
}
