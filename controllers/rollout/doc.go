// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rollout is the shell around the planner: it observes one Rollout and
// all that belongs to it, lets [plan.Decide] think, reports the status and
// carries the actions out. It decides nothing.
//
// Three rules make that safe, each proven necessary by simulation (see
// docs/design): the status is written before anything is done, locked to the
// version it was decided from; whatever leads to an effect is decided on live
// reads; and nothing an action achieved is remembered: the next pass sees it.
//
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts/status,verbs=patch
// +kubebuilder:rbac:groups=sluice.dev,resources=rollouts/finalizers,verbs=update
// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=sluice.dev,resources=analysistemplates;clusteranalysistemplates,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;patch
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch
package rollout
