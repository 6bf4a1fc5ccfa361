// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// Objects is what a Tree is built from. Objects that belong to another Rollout
// are ignored, so a caller may hand in everything that a selector gave.
type Objects struct {
	// Now is the time of reading.
	Now time.Time
	// Rollout to show. Required.
	Rollout *v1alpha1.Rollout
	// Workload is the Deployment that spec.workloadRef names; nil without one, or when it can't be read.
	Workload *appsv1.Deployment
	// ReplicaSets of the Rollout's revisions, in any order.
	ReplicaSets []appsv1.ReplicaSet
	// Pods of the ReplicaSets, in any order.
	Pods []corev1.Pod
	// Runs are the AnalysisRuns of the Rollout, in any order.
	Runs []v1alpha1.AnalysisRun
}

// Tree is a Rollout and everything below it.
type Tree struct {
	// At is the time that the tree shows.
	At metav1.Time `json:"at"`
	// Namespace of the Rollout.
	Namespace string `json:"namespace"`
	// Name of the Rollout.
	Name string `json:"name"`
	// Created is when the Rollout was created.
	Created metav1.Time `json:"created"`
	// Strategy in force, such as Canary.
	Strategy string `json:"strategy"`
	// Phase is the one word that says where the Rollout is; empty until the controller has seen it.
	Phase v1alpha1.RolloutPhase `json:"phase,omitempty"`
	// Message says in words what is happening and what is waited for.
	Message string `json:"message,omitempty"`
	// Stale says why the rest does not speak of what is wanted now; empty when it does.
	Stale string `json:"stale,omitempty"`
	// Desired is the number of pods that carry the whole traffic.
	Desired int32 `json:"desired"`
	// Ready is the number of ready pods of all revisions.
	Ready int32 `json:"ready"`
	// Release counts the releases, from 1; 0 before the first.
	Release int64 `json:"release,omitempty"`
	// StartedAt is when the current or last release started.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// Workload is the workload that lends its pod template; nil when the template is inline.
	Workload *Workload `json:"workload,omitempty"`
	// Traffic is the split between Services; nil until the routes were read.
	Traffic *Traffic `json:"traffic,omitempty"`
	// Revisions are in the order canary, stable, retired; newest first within a role.
	Revisions []Revision `json:"revisions,omitempty"`
	// Steps of the plan that the user wrote.
	Steps []Step `json:"steps,omitempty"`
	// Analysis of the current or last release; nil when there is none.
	Analysis *Analysis `json:"analysis,omitempty"`
	// Abort is the latch of an aborted revision; nil when there is none.
	Abort *v1alpha1.AbortStatus `json:"abort,omitempty"`
	// LastCommand is the command handled last; nil when there was none.
	LastCommand *v1alpha1.CommandStatus `json:"lastCommand,omitempty"`
	// Conditions that are not as they should be, in the order of the status.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Workload is the Deployment whose template a Rollout uses, and what is left of its own pods.
type Workload struct {
	// Kind of the workload.
	Kind string `json:"kind"`
	// Name of the workload.
	Name string `json:"name"`
	// Found is false when the workload does not exist or can't be read.
	Found bool `json:"found"`
	// Desired is the number of pods that the workload itself wants.
	Desired int32 `json:"desired"`
	// Ready is the number of its own ready pods.
	Ready int32 `json:"ready"`
}

// Traffic is the split between Services, or between the pods of revisions.
type Traffic struct {
	// Shares sum to 100.
	Shares []Share `json:"shares"`
	// Since is when the requested split last changed.
	Since *metav1.Time `json:"since,omitempty"`
	// ConfirmedBy is what the confirmed weights rest on; empty while they are unknown.
	ConfirmedBy v1alpha1.Evidence `json:"confirmedBy,omitempty"`
	// Observed is how requests were shared out, where an analysis counts them and no data plane reports.
	Observed *v1alpha1.ObservedTraffic `json:"observed,omitempty"`
	// Message says why requested and confirmed differ; empty when they do not.
	Message string `json:"message,omitempty"`
}

// Share is what one Service gets, or the pods of one revision.
type Share struct {
	// Service that routes send the share to; empty where the number of pods makes the shares.
	Service string `json:"service"`
	// Revision behind the Service; empty while it is not narrowed to one.
	Revision string `json:"revision,omitempty"`
	// Requested is the written weight in percent.
	Requested int32 `json:"requested"`
	// Confirmed is the weight that the data plane accepted, in percent; nil while unknown.
	Confirmed *int32 `json:"confirmed,omitempty"`
}

// Revision is one pod template and the pods made from it.
type Revision struct {
	// Hash identifies the pod template.
	Hash string `json:"hash"`
	// Number counts the Rollout's revisions, from 1; 0 when unknown.
	Number int64 `json:"number,omitempty"`
	// Role of the revision now.
	Role v1alpha1.RevisionRole `json:"role"`
	// ReplicaSet behind the revision; empty when there is none.
	ReplicaSet string `json:"replicaSet,omitempty"`
	// Images of the containers.
	Images []string `json:"images,omitempty"`
	// Requested is the written weight in percent; nil while unknown.
	Requested *int32 `json:"requested,omitempty"`
	// Confirmed is the weight that the data plane accepted, in percent; nil while unknown.
	Confirmed *int32 `json:"confirmed,omitempty"`
	// Desired is the number of pods wanted.
	Desired int32 `json:"desired"`
	// Ready is the number of ready pods.
	Ready int32 `json:"ready"`
	// Available is the number of pods ready for minReadySeconds.
	Available int32 `json:"available"`
	// ScaleDownAt is when the pods will be removed; nil when they stay.
	ScaleDownAt *metav1.Time `json:"scaleDownAt,omitempty"`
	// Pods, oldest first.
	Pods []Pod `json:"pods,omitempty"`
}

// Build makes the tree of a Rollout. It changes none of its arguments.
func Build(o Objects) Tree {
	r := o.Rollout
	st := r.Status
	t := Tree{
		At:          metav1.NewTime(o.Now),
		Namespace:   r.Namespace,
		Name:        r.Name,
		Created:     r.CreationTimestamp,
		Strategy:    strategyOf(r),
		Phase:       st.Phase,
		Message:     st.Message,
		Stale:       stale(r),
		Desired:     desired(r),
		Ready:       st.ReadyReplicas,
		Release:     st.Release,
		StartedAt:   st.StartedAt.DeepCopy(),
		Workload:    workload(r, o.Workload),
		Traffic:     trafficOf(st.Traffic),
		Steps:       steps(r),
		Analysis:    analysis(r, o.Runs),
		Abort:       st.Abort.DeepCopy(),
		LastCommand: st.LastCommand.DeepCopy(),
		Conditions:  deviations(st),
	}
	t.Revisions = revisions(o, t.Traffic)
	return t
}

func workload(r *v1alpha1.Rollout, d *appsv1.Deployment) *Workload {
	ref := r.Spec.WorkloadRef
	if ref == nil {
		return nil
	}
	w := &Workload{Kind: ref.Kind, Name: ref.Name}
	if d == nil || d.Name != ref.Name {
		return w
	}
	w.Found, w.Desired, w.Ready = true, 1, d.Status.ReadyReplicas
	if d.Spec.Replicas != nil {
		w.Desired = *d.Spec.Replicas
	}
	return w
}

func strategyOf(r *v1alpha1.Rollout) string {
	if r.Status.Strategy == "" {
		return plan.WantedBindings(r).Strategy
	}
	return r.Status.Strategy
}

func desired(r *v1alpha1.Rollout) int32 {
	if r.Spec.Replicas == nil {
		return 1
	}
	return *r.Spec.Replicas
}
