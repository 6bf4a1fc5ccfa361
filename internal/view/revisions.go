// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// revisions joins what the status says with the ReplicaSets and pods there
// are. A revision known to one side only is shown all the same: without a
// controller the status lags, and a ReplicaSet may have been deleted by hand.
func revisions(o Objects, t *Traffic) []Revision {
	var out []Revision
	for _, s := range o.Rollout.Status.Revisions {
		out = append(out, Revision{
			Hash: s.Hash, Number: s.Number, Role: s.Role, Images: slices.Clone(s.Images),
			Desired: s.Replicas, Ready: s.ReadyReplicas, Available: s.AvailableReplicas,
			ScaleDownAt: s.ScaleDownAt.DeepCopy(),
		})
	}
	for i := range o.ReplicaSets {
		rs := &o.ReplicaSets[i]
		if !belongs(o.Rollout, rs) {
			continue
		}
		out = join(out, rs, o.Rollout.Status)
		at := slices.IndexFunc(out, func(r Revision) bool { return r.Hash == rs.Labels[v1alpha1.RevisionLabel] })
		out[at].Pods = pods(rs, o.Pods)
	}
	for i := range out {
		out[i].Requested, out[i].Confirmed = t.weights(out[i].Hash)
	}
	slices.SortStableFunc(out, func(a, b Revision) int {
		return cmp.Or(rank(a.Role)-rank(b.Role), cmp.Compare(b.Number, a.Number), cmp.Compare(a.Hash, b.Hash))
	})
	return out
}

func belongs(r *v1alpha1.Rollout, rs *appsv1.ReplicaSet) bool {
	return rs.Namespace == r.Namespace && rs.Labels[v1alpha1.RolloutLabel] == r.Name &&
		rs.Labels[v1alpha1.RevisionLabel] != "" && metav1.IsControlledBy(rs, r)
}

// join adds what a ReplicaSet knows. Its counts are newer than the status, and
// they are what the pods below it add up to.
func join(out []Revision, rs *appsv1.ReplicaSet, st v1alpha1.RolloutStatus) []Revision {
	hash := rs.Labels[v1alpha1.RevisionLabel]
	at := slices.IndexFunc(out, func(r Revision) bool { return r.Hash == hash })
	if at < 0 {
		out = append(out, Revision{Hash: hash, Role: roleOf(hash, st), Number: number(rs)})
		at = len(out) - 1
	}
	r := &out[at]
	r.ReplicaSet = rs.Name
	r.Desired, r.Ready, r.Available = 1, rs.Status.ReadyReplicas, rs.Status.AvailableReplicas
	if rs.Spec.Replicas != nil {
		r.Desired = *rs.Spec.Replicas
	}
	if len(r.Images) == 0 {
		r.Images = images(rs.Spec.Template.Spec)
	}
	return out
}

func roleOf(hash string, st v1alpha1.RolloutStatus) v1alpha1.RevisionRole {
	switch hash {
	case st.CanaryRevision:
		return v1alpha1.RoleCanary
	case st.StableRevision:
		return v1alpha1.RoleStable
	}
	if _, is := plan.BaselineOf(hash); is {
		return v1alpha1.RoleBaseline
	}
	return v1alpha1.RoleRetired
}

func rank(role v1alpha1.RevisionRole) int {
	return slices.Index([]v1alpha1.RevisionRole{v1alpha1.RoleCanary, v1alpha1.RoleBaseline, v1alpha1.RoleStable, v1alpha1.RoleRetired}, role)
}

// number is 0 when the annotation is missing or was damaged.
func number(rs *appsv1.ReplicaSet) int64 {
	n, err := strconv.ParseInt(rs.Annotations[v1alpha1.RevisionNumberAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func images(spec corev1.PodSpec) []string {
	var out []string
	for _, c := range spec.Containers {
		out = append(out, c.Image)
	}
	return out
}
