// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// track puts copies in the place of the ConfigMaps and Secrets that the
// template refers to, so that their content is part of the revision. It reads
// live: they are in no cache. False means that one of them has a problem. The
// revisions must have been observed: copies that they use keep their names.
func track(ctx context.Context, o *observation, t *corev1.PodTemplateSpec) (*corev1.PodTemplateSpec, bool, error) {
	refs := plan.ConfigRefs(t)
	sorted := slices.SortedFunc(maps.Keys(refs), func(a, b plan.ConfigRef) int { return strings.Compare(a.String(), b.String()) })
	before := len(o.found)
	for _, ref := range sorted {
		source, err := readConfig(ctx, o.from.live, o.s.Rollout, ref)
		switch {
		case apierrors.IsNotFound(err) && refs[ref]:
		case apierrors.IsNotFound(err):
			o.problem("spec.trackConfig", "%s, which the pod template refers to, does not exist in namespace %s; create it, or mark the reference as optional", ref, o.s.Rollout.Namespace)
		case apierrors.IsForbidden(err):
			o.problem("spec.trackConfig", "the controller may not read %s; bind ClusterRole sluice-config to its service account in namespace %s, or set spec.trackConfig to false", ref, o.s.Rollout.Namespace)
		case err != nil:
			o.unreadable("spec.trackConfig", ref.String(), err)
		default:
			name, err := copyName(o.s, ref, source)
			if err != nil {
				return nil, false, err
			}
			o.s.Config = append(o.s.Config, plan.ConfigCopy{From: ref, Name: name})
		}
	}
	return plan.WithCopies(t, o.s.Config), len(o.found) == before, nil
}

func readConfig(ctx context.Context, from client.Reader, ro *v1alpha1.Rollout, ref plan.ConfigRef) (client.Object, error) {
	obj := configObject(ref.Kind)
	err := from.Get(ctx, client.ObjectKey{Namespace: ro.Namespace, Name: ref.Name}, obj)
	return obj, err //nolint:wrapcheck // the caller tells the kinds of error apart
}

func configObject(kind string) client.Object {
	if kind == plan.KindSecret {
		return &corev1.Secret{}
	}
	return &corev1.ConfigMap{}
}

// copyName is the name of a Rollout's copy of an object's present content. One that
// a revision uses already keeps the name that it has: another would be another revision.
func copyName(s plan.Snapshot, from plan.ConfigRef, source client.Object) (string, error) {
	own, former, err := copyNames(s, from, source)
	used := plan.ConfigRef{Kind: from.Kind, Name: former}
	if slices.ContainsFunc(s.Revisions, func(r plan.Revision) bool { return slices.Contains(r.Config, used) }) {
		return former, err
	}
	return own, err
}

// copyNames are the names that a copy of an object's present content can have: of the
// Rollout's own, and of one that several shared before there were such.
func copyNames(s plan.Snapshot, from plan.ConfigRef, source client.Object) (own, former string, err error) {
	shared, err := hashConfig(source)
	if err != nil {
		return "", "", err
	}
	hash, err := hashConfig(source, s.Rollout.Name)
	return names.ConfigCopy(s.Rollout.Name, from.Name, hash), names.SharedConfigCopy(from.Name, shared), err
}

// isCopy reports whether a copy of that name has an object's present content.
func isCopy(s plan.Snapshot, name string, from plan.ConfigRef, source client.Object) (bool, error) {
	own, former, err := copyNames(s, from, source)
	return name == own || name == former, err
}

// hashConfig identifies an object's content, and what else is given.
func hashConfig(source client.Object, besides ...any) (hash string, err error) {
	switch o := source.(type) {
	case *corev1.ConfigMap:
		hash, err = plan.HashConfig(append(besides, o.Data, o.BinaryData)...)
	case *corev1.Secret:
		hash, err = plan.HashConfig(append(besides, o.Type, o.Data)...)
	}
	if err != nil {
		return "", fmt.Errorf("identify the content of %s: %w", source.GetName(), err)
	}
	return hash, nil
}

// copies writes the copies of tracked configuration.
type copies struct {
	client client.Client
	live   client.Reader
}

// makeAll makes the copies that a revision refers to, before the revision itself.
func (w copies) makeAll(ctx context.Context, s plan.Snapshot) error {
	for _, c := range s.Config {
		if err := w.make(ctx, s, c); err != nil {
			return err
		}
	}
	return nil
}

// make makes one copy. A source that has changed since it was observed ends the pass.
func (w copies) make(ctx context.Context, s plan.Snapshot, c plan.ConfigCopy) error {
	source, err := readConfig(ctx, w.live, s.Rollout, c.From)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.From, err)
	}
	if same, err := isCopy(s, c.Name, c.From, source); err != nil || !same {
		return apierrors.NewConflict(schema.GroupResource{Resource: c.From.Kind}, c.From.Name, errors.Join(errors.New("its content changed"), err))
	}
	copied := configCopy(s, source, c.Name)
	err = w.client.Create(ctx, copied, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		err = w.take(ctx, s.Rollout, plan.ConfigRef{Kind: c.From.Kind, Name: c.Name}, copied.GetOwnerReferences())
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", c.From, err)
	}
	return nil
}

// take makes sure that an object of a copy's name is a copy of the Rollout's.
func (w copies) take(ctx context.Context, ro *v1alpha1.Rollout, ref plan.ConfigRef, owners []metav1.OwnerReference) error {
	existing, err := readConfig(ctx, w.live, ro, ref)
	switch {
	case err != nil:
		return err
	case leftBehind(existing, ro):
		return adopt(ctx, w.client, existing, owners)
	}
	return unlessOurs(existing, ro, ref.String(), deleteOrRename)
}

// configCopy renders an immutable copy that goes with the Rollout at the latest.
// Its owners are those of the pods that refer to it: one that starts while a
// workload takes over needs it still.
func configCopy(s plan.Snapshot, source client.Object, name string) client.Object {
	meta, immutable := owned(s.Rollout, name, ""), true
	meta.OwnerReferences = owners(s)
	delete(meta.Labels, v1alpha1.RevisionLabel) // several revisions may share it
	if o, ok := source.(*corev1.Secret); ok {
		return &corev1.Secret{ObjectMeta: meta, Type: o.Type, Data: o.Data, Immutable: &immutable}
	}
	o, _ := source.(*corev1.ConfigMap)
	return &corev1.ConfigMap{ObjectMeta: meta, Data: o.Data, BinaryData: o.BinaryData, Immutable: &immutable}
}

// drop deletes copies that nothing uses any more.
func (w copies) drop(ctx context.Context, ro *v1alpha1.Rollout, refs []plan.ConfigRef) error {
	for _, ref := range refs {
		if err := client.IgnoreNotFound(w.client.Delete(ctx, named(configObject(ref.Kind), ro, ref.Name))); err != nil {
			return fmt.Errorf("delete %s: %w", ref, err)
		}
	}
	return nil
}

// leave deletes the copies of a Rollout that goes. Where the controller may not
// read them any more they stay with the workload, which does nobody any harm.
func (w copies) leave(ctx context.Context, s plan.Snapshot, refs []plan.ConfigRef) error {
	for _, ref := range refs {
		existing, err := readConfig(ctx, w.live, s.Rollout, ref)
		if err == nil && ours(s, existing) {
			uid := existing.GetUID()
			err = w.client.Delete(ctx, existing, client.Preconditions{UID: &uid})
		}
		if client.IgnoreNotFound(err) != nil && !apierrors.IsForbidden(err) {
			return fmt.Errorf("delete %s: %w", ref, err)
		}
	}
	return nil
}

// configNote is how a ReplicaSet remembers the copies that it uses.
func configNote(copies []plan.ConfigCopy) string {
	var notes []string
	for _, c := range copies {
		notes = append(notes, c.From.Kind+"/"+c.Name)
	}
	return strings.Join(notes, ",")
}

func readConfigNote(note string) (refs []plan.ConfigRef) {
	for text := range strings.SplitSeq(note, ",") {
		if kind, name, ok := strings.Cut(text, "/"); ok {
			refs = append(refs, plan.ConfigRef{Kind: kind, Name: name})
		}
	}
	return refs
}
