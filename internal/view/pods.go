// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// Pod is one pod of a revision.
type Pod struct {
	// Name of the pod.
	Name string `json:"name"`
	// State is the word that says most: the phase, or why a container does not run.
	State string `json:"state"`
	// Ready is the pod's own Ready condition.
	Ready bool `json:"ready"`
	// ReadyContainers counts the containers that are ready.
	ReadyContainers int32 `json:"readyContainers"`
	// Containers counts all containers that should be.
	Containers int32 `json:"containers"`
	// Restarts of all containers together.
	Restarts int32 `json:"restarts"`
	// Created is when the pod was created.
	Created metav1.Time `json:"created"`
	// Node the pod runs on; empty until it is scheduled.
	Node string `json:"node,omitempty"`
	// Message says what keeps the pod from running; empty when nothing does.
	Message string `json:"message,omitempty"`
}

func pods(rs *appsv1.ReplicaSet, all []corev1.Pod) []Pod {
	var out []Pod
	for i := range all {
		p := &all[i]
		if p.Labels[v1alpha1.RevisionLabel] == rs.Labels[v1alpha1.RevisionLabel] && metav1.IsControlledBy(p, rs) {
			out = append(out, pod(p))
		}
	}
	slices.SortFunc(out, func(a, b Pod) int {
		return cmp.Or(a.Created.Compare(b.Created.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func pod(p *corev1.Pod) Pod {
	out := Pod{
		Name: p.Name, Created: p.CreationTimestamp, Node: p.Spec.NodeName,
		Containers: int32(len(p.Spec.Containers)),
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Ready = c.Status == corev1.ConditionTrue
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		out.Restarts += c.RestartCount
		if c.Ready {
			out.ReadyContainers++
		}
	}
	out.State, out.Message = plan.PodState(p)
	return out
}
