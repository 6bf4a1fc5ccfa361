// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rollout declares a workload and the way in which a new revision of it reaches users.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=delivery,shortName=ro
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Strategy",type=string,JSONPath=`.status.strategy`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.currentStep.position`
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.traffic.canaryWeight`
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.status.image`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="Stable",type=string,priority=1,JSONPath=`.status.stableRevision`
// +kubebuilder:printcolumn:name="Canary",type=string,priority=1,JSONPath=`.status.canaryRevision`
// +kubebuilder:printcolumn:name="In Full",type=string,priority=1,JSONPath=`.status.message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name: must be at most 63 characters, since it is a label of all that belongs to the Rollout; choose a shorter name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.strategy) || !has(self.spec.strategy.canary) || has(self.spec.strategy.canary.stableService) || ((!has(self.spec.strategy.canary.routes) || self.spec.strategy.canary.routes.size() == 0) && (!has(self.spec.strategy.canary.managedRoutes) || self.spec.strategy.canary.managedRoutes.size() == 0)) || self.metadata.name.matches('^[a-z]([-a-z0-9]{0,54}[a-z0-9])?$')",message="metadata.name: with routes Services <name>-stable and <name>-canary are made of it, and a Service's name begins with a letter, has no dot and at most 63 characters; set spec.strategy.canary.stableService and canaryService, or choose a name of at most 56 letters, digits and dashes"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.strategy) || !has(self.spec.strategy.canary) || !has(self.spec.strategy.canary.steps) || !self.spec.strategy.canary.steps.exists(s, has(s.baseline)) || self.metadata.name.matches('^[a-z]([-a-z0-9]{0,52}[a-z0-9])?$')",message="metadata.name: step baseline makes a Service <name>-baseline of it, and a Service's name begins with a letter, has no dot and at most 63 characters; choose a name of at most 54 letters, digits and dashes, or remove the step"
type Rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user wants.
	// +required
	Spec RolloutSpec `json:"spec"`
	// status is what the controller last saw and decided.
	// +optional
	Status RolloutStatus `json:"status,omitempty"`
}

// RolloutList is a list of Rollouts.
//
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rollout `json:"items"`
}

// RolloutSpec is the desired state of a Rollout.
//
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.workloadRef)",message="spec: set exactly one of template and workloadRef; remove the other"
// +kubebuilder:validation:XValidation:rule="has(self.template) == has(self.selector)",message="spec.selector: required with spec.template and forbidden with spec.workloadRef, whose selector is used"
// +kubebuilder:validation:XValidation:rule="has(oldSelf.selector) == has(self.selector) && (!has(self.selector) || self.selector == oldSelf.selector)",message="spec.selector: immutable; create a Rollout under another name to change it"
type RolloutSpec struct {
	// replicas is the number of pods that carry the whole traffic. The scale
	// subresource (HPA, KEDA, kubectl scale) writes it. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// workloadRef points at an existing Deployment whose pod template is used.
	// Exactly one of workloadRef and template is set.
	// +optional
	WorkloadRef *WorkloadRef `json:"workloadRef,omitempty"`

	// selector chooses the pods of this Rollout; template's labels must match it. Immutable.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// template is the pod template. A change of it is a new revision.
	// +optional
	Template *corev1.PodTemplateSpec `json:"template,omitempty"`

	// minReadySeconds is how long a pod must be ready to count as available;
	// progressDeadlineSeconds has to be longer, unless onDeadline is Degrade.
	// 0, the default, takes what the Deployment of workloadRef says. A change
	// reaches the pods of the stable revision and of the one in flight in place:
	// those that are not ready for that long yet keep their traffic, and the
	// release waits for them.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// revisionHistoryLimit is the number of superseded revisions kept at zero
	// replicas for a way back. Default 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`

	// progressDeadlineSeconds is the longest time that one step may wait for
	// pods or traffic before onDeadline applies. It begins anew whenever
	// more pods of the new revision are available than before. Pauses and analysis
	// do not count. Default 600.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// onDeadline is what happens when the progress deadline passes: Abort
	// returns all traffic to stable, Degrade only reports it. Default Abort.
	// +optional
	// +kubebuilder:default=Abort
	OnDeadline OnDeadline `json:"onDeadline,omitempty"`

	// rollbackWindow lets a release go back to one of the revisions promoted
	// latest without walking the steps: capacity is awaited, nothing else.
	// Default: only the stable revision itself needs no steps.
	// +optional
	RollbackWindow *RollbackWindow `json:"rollbackWindow,omitempty"`

	// paused holds steps and weights where they are, except for the way back to stable. Pods
	// follow spec.replicas upwards as far as the shares given so far need; where they are the
	// split only stable's do. Default false.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// restartAt asks for the replacement of every pod created before this
	// time: one by one, by eviction, with a pod more than usual meanwhile.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	RestartAt *metav1.Time `json:"restartAt,omitempty"`

	// trackConfig makes the content of the ConfigMaps and Secrets that the pod
	// template refers to part of the revision: a change of one is a release, and
	// each revision keeps immutable copies of its own, so that going back
	// restores them too. Changes are noticed within 30 s. The controller needs
	// ClusterRole sluice-config in the namespace. Default false.
	// +optional
	TrackConfig bool `json:"trackConfig,omitempty"`

	// strategy is how a new revision reaches users. Default: a rolling update.
	// +optional
	Strategy Strategy `json:"strategy,omitempty"`
}

// RollbackWindow says which revisions need no steps.
type RollbackWindow struct {
	// revisions promoted latest before the stable one.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Revisions int32 `json:"revisions"`
}

// OnDeadline says what a passed progress deadline leads to.
//
// +kubebuilder:validation:Enum=Abort;Degrade
type OnDeadline string

const (
	// OnDeadlineAbort returns all traffic to stable.
	OnDeadlineAbort OnDeadline = "Abort"
	// OnDeadlineDegrade leaves everything as it is and reports Degraded.
	OnDeadlineDegrade OnDeadline = "Degrade"
)

// WorkloadRef points at the workload whose pod template a Rollout uses.
type WorkloadRef struct {
	// apiVersion of the workload.
	// +kubebuilder:validation:Enum=apps/v1
	APIVersion string `json:"apiVersion"`
	// kind of the workload.
	// +kubebuilder:validation:Enum=Deployment
	Kind string `json:"kind"`
	// name of the workload, in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// scaleDown is when the workload's own pods leave: Progressively as ours
	// become available, OnSuccess once ours carry the traffic, or Never.
	// Default Progressively.
	// +optional
	// +kubebuilder:default=Progressively
	ScaleDown ScaleDown `json:"scaleDown,omitempty"`
}

// ScaleDown says when a referenced workload gives up its own pods.
//
// +kubebuilder:validation:Enum=Progressively;OnSuccess;Never
type ScaleDown string

const (
	// ScaleDownProgressively removes a pod of the workload for each of ours that is available.
	ScaleDownProgressively ScaleDown = "Progressively"
	// ScaleDownOnSuccess removes the workload's pods once ours carry the traffic.
	ScaleDownOnSuccess ScaleDown = "OnSuccess"
	// ScaleDownNever leaves the workload alone.
	ScaleDownNever ScaleDown = "Never"
)

// Strategy is how a new revision reaches users. None is a rolling update: pods
// are replaced within maxSurge 25 % and maxUnavailable 0.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.canary) && has(self.blueGreen))",message="spec.strategy: set at most one of canary and blueGreen; remove the other"
type Strategy struct {
	// canary introduces the revision to a growing share of traffic.
	// +optional
	Canary *CanaryStrategy `json:"canary,omitempty"`
	// blueGreen brings the revision up in full, unseen, and switches at once.
	// +optional
	BlueGreen *BlueGreenStrategy `json:"blueGreen,omitempty"`
}
