// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Row is one Rollout in a list.
type Row struct {
	// Namespace of the Rollout.
	Namespace string `json:"namespace"`
	// Name of the Rollout.
	Name string `json:"name"`
	// Strategy in force, such as Canary.
	Strategy string `json:"strategy"`
	// Phase is the one word that says where the Rollout is; empty until the controller has seen it.
	Phase v1alpha1.RolloutPhase `json:"phase,omitempty"`
	// Step is the position for people, such as 3/8; empty while no release is under way.
	Step string `json:"step,omitempty"`
	// Weight is the canary's requested weight in percent; nil until the routes were read.
	Weight *int32 `json:"weight,omitempty"`
	// Ready is the number of ready pods of all revisions.
	Ready int32 `json:"ready"`
	// Desired is the number of pods that carry the whole traffic.
	Desired int32 `json:"desired"`
	// Image of the wanted revision.
	Image string `json:"image,omitempty"`
	// Message says in words what is happening and what is waited for.
	Message string `json:"message,omitempty"`
	// Created is when the Rollout was created.
	Created metav1.Time `json:"created"`
}

// Rows makes one row for each Rollout, in the order of namespace and name.
func Rows(rollouts []v1alpha1.Rollout) []Row {
	var out []Row
	for i := range rollouts {
		out = append(out, row(&rollouts[i]))
	}
	slices.SortFunc(out, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func row(r *v1alpha1.Rollout) Row {
	st := r.Status
	out := Row{
		Namespace: r.Namespace, Name: r.Name, Strategy: strategyOf(r), Phase: st.Phase,
		Ready: st.ReadyReplicas, Desired: desired(r), Image: st.Image,
		Message: cmp.Or(stale(r), st.Message), Created: r.CreationTimestamp,
	}
	if st.CurrentStep != nil {
		out.Step = st.CurrentStep.Position
	}
	if st.Traffic != nil {
		out.Weight = &st.Traffic.CanaryWeight
	}
	return out
}
