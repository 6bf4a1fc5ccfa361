// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// createBaseline creates fresh pods of the stable revision. The wanted template
// is another one by then, so what is copied is the stable ReplicaSet.
func createBaseline(ctx context.Context, w writer, s plan.Snapshot, a plan.CreateBaseline) error {
	stable := named(&appsv1.ReplicaSet{}, s.Rollout, a.From)
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(stable), stable); err != nil {
		return fmt.Errorf("copy ReplicaSet %s: %w", a.From, err)
	}
	rs := baselineSet(s.Rollout, stable, a)
	rs.OwnerReferences = owners(s)
	return createReplicaSet(ctx, w, s.Rollout, rs)
}

// baselineSet renders the ReplicaSet of a baseline: what the stable one runs,
// under a label of its own and without what its pods carry for being stable.
func baselineSet(ro *v1alpha1.Rollout, stable *appsv1.ReplicaSet, a plan.CreateBaseline) *appsv1.ReplicaSet {
	of := stable.Labels[v1alpha1.RevisionLabel]
	template := *stable.Spec.Template.DeepCopy()
	mark := plan.ReadMark(stable.Annotations[v1alpha1.RoleAnnotation]).All()
	without(template.Labels, mark.Labels)
	without(template.Annotations, mark.Annotations)
	template.Labels = with(template.Labels, v1alpha1.RevisionLabel, a.Hash)
	apartLike(template.Spec.Affinity, of, a.Hash)
	selector := stable.Spec.Selector.DeepCopy()
	selector.MatchLabels = with(selector.MatchLabels, v1alpha1.RevisionLabel, a.Hash)
	return &appsv1.ReplicaSet{
		ObjectMeta: owned(ro, names.ReplicaSet(ro.Name, a.Hash), a.Hash),
		Spec: appsv1.ReplicaSetSpec{
			Replicas: ptr.To(a.Replicas), MinReadySeconds: stable.Spec.MinReadySeconds, Selector: selector, Template: template,
		},
	}
}

func without(all, some map[string]string) {
	maps.DeleteFunc(all, func(key, _ string) bool { _, is := some[key]; return is })
}

// apartLike has the rule that kept one revision's pods away from all others keep
// another's away from all others.
func apartLike(affinity *corev1.Affinity, before, now string) {
	if affinity == nil || affinity.PodAntiAffinity == nil {
		return
	}
	var terms []*metav1.LabelSelector
	for _, t := range affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
		terms = append(terms, t.LabelSelector)
	}
	for _, t := range affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		terms = append(terms, t.PodAffinityTerm.LabelSelector)
	}
	for _, t := range terms {
		if t == nil {
			continue
		}
		for i := range t.MatchExpressions {
			e := &t.MatchExpressions[i]
			if e.Key == v1alpha1.RevisionLabel && e.Operator == metav1.LabelSelectorOpNotIn && slices.Equal(e.Values, []string{before}) {
				e.Values = []string{now}
			}
		}
	}
}
