// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// replicaSet renders the ReplicaSet of the wanted template.
func replicaSet(s plan.Snapshot, a plan.CreateRevision) *appsv1.ReplicaSet {
	template := *s.Template.DeepCopy()
	template.Labels = with(template.Labels, v1alpha1.RevisionLabel, a.Hash)
	selector := s.Selector.DeepCopy()
	selector.MatchLabels = with(selector.MatchLabels, v1alpha1.RevisionLabel, a.Hash)
	meta := owned(s.Rollout, names.ReplicaSet(s.Rollout.Name, a.Hash), a.Hash)
	meta.Annotations = map[string]string{v1alpha1.RevisionNumberAnnotation: strconv.FormatInt(a.Number, 10)}
	return &appsv1.ReplicaSet{
		ObjectMeta: meta,
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &a.Replicas, MinReadySeconds: s.Rollout.Spec.MinReadySeconds,
			Selector: selector, Template: template,
		},
	}
}

// analysisRun renders the AnalysisRun of a release.
func analysisRun(s plan.Snapshot, a plan.StartRun) *v1alpha1.AnalysisRun {
	return &v1alpha1.AnalysisRun{ObjectMeta: owned(s.Rollout, a.Name, a.Revision), Spec: a.Spec}
}

// owned is the metadata of every object that belongs to one revision of a Rollout.
func owned(ro *v1alpha1.Rollout, name, revision string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: ro.Namespace, Name: name,
		Labels:          map[string]string{v1alpha1.RolloutLabel: ro.Name, v1alpha1.RevisionLabel: revision},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(ro, v1alpha1.GroupVersion.WithKind("Rollout"))},
	}
}

func with(labels map[string]string, key, value string) map[string]string {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}
