// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// replicaSet renders the ReplicaSet of the wanted template.
func replicaSet(s plan.Snapshot, a plan.CreateRevision) *appsv1.ReplicaSet {
	template := *s.Template.DeepCopy()
	mark := plan.ReadMark(a.Mark)
	for key, value := range mark.Labels {
		template.Labels = with(template.Labels, key, value)
	}
	for key, value := range mark.Annotations {
		template.Annotations = with(template.Annotations, key, value)
	}
	template.Labels = with(template.Labels, v1alpha1.RevisionLabel, a.Hash)
	template.Spec.Affinity = apart(template.Spec.Affinity, antiAffinity(s.Rollout.Spec), s.Selector, a.Hash)
	selector := s.Selector.DeepCopy()
	selector.MatchLabels = with(selector.MatchLabels, v1alpha1.RevisionLabel, a.Hash)
	meta := owned(s.Rollout, names.ReplicaSet(s.Rollout.Name, a.Hash), a.Hash)
	meta.OwnerReferences = owners(s)
	meta.Annotations = map[string]string{v1alpha1.RevisionNumberAnnotation: strconv.FormatInt(a.Number, 10)}
	if a.Mark != "" {
		meta.Annotations[v1alpha1.RoleAnnotation] = a.Mark
	}
	if len(s.Config) > 0 {
		meta.Annotations[v1alpha1.ConfigAnnotation] = configNote(s.Config)
	}
	return &appsv1.ReplicaSet{
		ObjectMeta: meta,
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &a.Replicas, MinReadySeconds: a.MinReadySeconds,
			Selector: selector, Template: template,
		},
	}
}

// analysisRun renders the AnalysisRun of a release.
func analysisRun(s plan.Snapshot, a plan.StartRun) *v1alpha1.AnalysisRun {
	return &v1alpha1.AnalysisRun{ObjectMeta: owned(s.Rollout, a.Name, a.Revision), Spec: a.Spec}
}

// jobOf renders the Job of a job step. It stays until the next release: with a
// time to live it might be gone before its end was read, and be run again.
func jobOf(s plan.Snapshot, a plan.StartJob) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: owned(s.Rollout, a.Name, a.Revision), Spec: *a.Template.Spec.DeepCopy()}
	job.Annotations = a.Template.Annotations
	job.Spec.TTLSecondsAfterFinished = nil
	for key, value := range a.Template.Labels {
		if _, ours := job.Labels[key]; !ours {
			job.Labels[key] = value
		}
	}
	if job.Spec.Template.Spec.RestartPolicy == "" {
		job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
	return job
}

// slotService renders the Service of a slot: the ports and selector of the
// callers' Service, reachable inside the cluster.
func slotService(ro *v1alpha1.Rollout, name string, from *corev1.Service) *corev1.Service {
	svc := &corev1.Service{
		ObjectMeta: owned(ro, name, ""),
		Spec:       corev1.ServiceSpec{Selector: maps.Clone(from.Spec.Selector), SessionAffinity: from.Spec.SessionAffinity},
	}
	delete(svc.Labels, v1alpha1.RevisionLabel)
	delete(svc.Spec.Selector, v1alpha1.RevisionLabel)
	for _, p := range from.Spec.Ports {
		p.NodePort = 0
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
	return svc
}

func antiAffinity(spec v1alpha1.RolloutSpec) *v1alpha1.AntiAffinity {
	switch {
	case spec.Strategy.Canary != nil:
		return spec.Strategy.Canary.AntiAffinity
	case spec.Strategy.BlueGreen != nil:
		return spec.Strategy.BlueGreen.AntiAffinity
	}
	return nil
}

// apart adds the rule that keeps a revision's pods away from those of others.
func apart(affinity *corev1.Affinity, rule *v1alpha1.AntiAffinity, selector *metav1.LabelSelector, hash string) *corev1.Affinity {
	if rule == nil {
		return affinity
	}
	others := selector.DeepCopy()
	others.MatchExpressions = append(others.MatchExpressions, metav1.LabelSelectorRequirement{
		Key: v1alpha1.RevisionLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{hash},
	})
	if affinity == nil {
		affinity = &corev1.Affinity{}
	}
	if affinity.PodAntiAffinity == nil {
		affinity.PodAntiAffinity = &corev1.PodAntiAffinity{}
	}
	anti := affinity.PodAntiAffinity
	switch {
	case rule.Required != nil:
		anti.RequiredDuringSchedulingIgnoredDuringExecution = append(anti.RequiredDuringSchedulingIgnoredDuringExecution,
			corev1.PodAffinityTerm{LabelSelector: others, TopologyKey: cmp.Or(rule.Required.TopologyKey, corev1.LabelHostname)})
	case rule.Preferred != nil:
		anti.PreferredDuringSchedulingIgnoredDuringExecution = append(anti.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.WeightedPodAffinityTerm{
				Weight:          cmp.Or(rule.Preferred.Weight, 100),
				PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: others, TopologyKey: cmp.Or(rule.Preferred.TopologyKey, corev1.LabelHostname)},
			})
	}
	return affinity
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
