// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/view"
)

// part is one kind of object below a Rollout: how to choose and how to read it.
type part struct {
	what   string
	object client.Object
	chosen cache.ByObject
	read   func(ctx context.Context, from client.Reader, into *view.Objects) error
}

// parts lists the kinds below a Rollout.
func (c *cluster) parts(r *v1alpha1.Rollout) ([]part, error) {
	revisioned, err := labels.NewRequirement(v1alpha1.RevisionLabel, selection.Exists, nil)
	if err != nil {
		return nil, fmt.Errorf("select pods by label %s: %w", v1alpha1.RevisionLabel, err)
	}
	owned := labels.SelectorFromSet(labels.Set{v1alpha1.RolloutLabel: r.Name})
	anyRevision := labels.NewSelector().Add(*revisioned)
	out := []part{
		c.list("ReplicaSets", &appsv1.ReplicaSet{}, owned, func() (client.ObjectList, func(*view.Objects)) {
			l := &appsv1.ReplicaSetList{}
			return l, func(o *view.Objects) { o.ReplicaSets = l.Items }
		}),
		c.list("Pods", &corev1.Pod{}, anyRevision, func() (client.ObjectList, func(*view.Objects)) {
			l := &corev1.PodList{}
			return l, func(o *view.Objects) { o.Pods = l.Items }
		}),
		c.list("AnalysisRuns", &v1alpha1.AnalysisRun{}, owned, func() (client.ObjectList, func(*view.Objects)) {
			l := &v1alpha1.AnalysisRunList{}
			return l, func(o *view.Objects) { o.Runs = l.Items }
		}),
	}
	if r.Spec.WorkloadRef != nil {
		out = append(out, c.workload(r.Spec.WorkloadRef.Name))
	}
	return out, nil
}

func (c *cluster) list(
	what string, object client.Object, selector labels.Selector, fresh func() (client.ObjectList, func(*view.Objects)),
) part {
	return part{what: what, object: object, chosen: cache.ByObject{Label: selector},
		read: func(ctx context.Context, from client.Reader, into *view.Objects) error {
			l, put := fresh()
			if err := from.List(ctx, l, client.InNamespace(c.namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
				return err //nolint:wrapcheck // gather names the kind
			}
			put(into)
			return nil
		}}
}

func (c *cluster) workload(name string) part {
	return part{what: "Deployments", object: &appsv1.Deployment{}, chosen: named(name),
		read: func(ctx context.Context, from client.Reader, into *view.Objects) error {
			var d appsv1.Deployment
			err := from.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &d)
			if apierrors.IsNotFound(err) {
				return nil // shown as not found
			}
			into.Workload = &d
			return err //nolint:wrapcheck // gather names the kind
		}}
}

func named(name string) cache.ByObject {
	return cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
}

// gather reads a Rollout and its parts.
func (c *cluster) gather(ctx context.Context, from client.Reader, name string, parts []part) (view.Objects, error) {
	var r v1alpha1.Rollout
	if err := from.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &r); err != nil {
		return view.Objects{}, err //nolint:wrapcheck // callers tell a deleted Rollout from a failure
	}
	o := view.Objects{Rollout: &r}
	for _, p := range parts {
		if err := p.read(ctx, from, &o); err != nil {
			return view.Objects{}, c.explain(fmt.Sprintf("read %s of namespace %s", p.what, c.namespace), err)
		}
	}
	return o, nil
}

// allowed drops the parts that the user may not read and says so: the rest is still worth seeing.
func (s *session) allowed(ctx context.Context, c *cluster, parts []part) []part {
	var out []part
	for _, p := range parts {
		if err := p.read(ctx, c.client, &view.Objects{}); apierrors.IsForbidden(err) {
			fmt.Fprintf(s.Err, "warning: %s are not shown: %v\n", p.what, err)
			continue
		}
		out = append(out, p)
	}
	return out
}
