// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

const (
	// RevisionLabel marks every pod, ReplicaSet and AnalysisRun with the hash
	// of the revision it belongs to. Services are narrowed by it.
	RevisionLabel = "sluice.dev/revision"
	// RolloutLabel names the Rollout that owns a ReplicaSet, an AnalysisRun or a
	// Job. On the Job of an AnalysisRun without a Rollout it is empty.
	RolloutLabel = "sluice.dev/rollout"
	// RevisionNumberAnnotation counts a Rollout's revisions, from 1, on their ReplicaSets.
	RevisionNumberAnnotation = "sluice.dev/revision-number"
	// RoleAnnotation says, on a ReplicaSet, which metadata its pods carry for their
	// role, and which they are being given just now, as JSON.
	RoleAnnotation = "sluice.dev/role-metadata"
	// ConfigAnnotation lists, on a ReplicaSet, the copies of ConfigMaps and Secrets that its pods use.
	ConfigAnnotation = "sluice.dev/config"
	// CommandAnnotation carries a person's or a pipeline's wish as a JSON [Command].
	CommandAnnotation = "sluice.dev/command"
	// WorkloadReplicasAnnotation remembers, on a referenced workload, the
	// replicas it had before a Rollout took over its traffic.
	WorkloadReplicasAnnotation = "sluice.dev/replicas-before-adoption"
	// WorkloadScaledToAnnotation remembers, on a referenced workload, the replicas
	// that a Rollout gave it last, which tells a person's hand from its own.
	WorkloadScaledToAnnotation = "sluice.dev/scaled-to"
	// BesideAnnotation says, on a steered route, what it carries apart from shares:
	// matches and a mirror. It comes and goes with them.
	BesideAnnotation = "sluice.dev/beside"
	// FeaturesAnnotation lists, on a parent of routes (a Gateway, or a Service in a
	// mesh), optional features of the Gateway API that its data plane has and
	// nothing reports, with commas between. Whoever runs the data plane writes it.
	FeaturesAnnotation = "sluice.dev/supported-features"
	// ManagedAnnotation says, on a route that is the controller's own, what it was made from.
	ManagedAnnotation = "sluice.dev/managed-spec"
	// Finalizer keeps a Rollout until its routes, Services and workload are handed back.
	Finalizer = "sluice.dev/release"
	// FieldOwner is the one server-side-apply field owner of the controller.
	FieldOwner = "sluice"
)
