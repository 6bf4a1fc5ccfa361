// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// BlueGreenStrategy brings a new revision up in full beside the active one,
// tests it unseen, and switches all traffic at once. The old one stays for an
// instant way back.
//
// +kubebuilder:validation:XValidation:rule="!has(self.previewService) || self.activeService != self.previewService",message="spec.strategy.blueGreen.previewService: must be another Service than activeService; create a second Service with the same selector and ports"
// +kubebuilder:validation:XValidation:rule="!has(self.routes) || self.routes.size() == 0 || has(self.previewService)",message="spec.strategy.blueGreen.previewService: required with routes, which switch between the two Services"
// +kubebuilder:validation:XValidation:rule="!has(self.prePromotion) || !has(self.prePromotion.analysis) || has(self.previewService)",message="spec.strategy.blueGreen.previewService: required with prePromotion.analysis, which watches the pods behind it"
type BlueGreenStrategy struct {
	// activeService is the Service that callers use. The controller points it
	// at the active revision, or with routes leaves it to them.
	// +required
	// +kubebuilder:validation:MinLength=1
	ActiveService string `json:"activeService"`

	// previewService shows the new revision before anybody else sees it. After
	// the promotion it stands for the active revision, never for nothing.
	// +optional
	// +kubebuilder:validation:MinLength=1
	PreviewService string `json:"previewService,omitempty"`

	// routes switch by weight instead of by activeService's selector. Each must
	// already refer to both Services.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Routes []RouteRef `json:"routes,omitempty"`

	// previewReplicas is the number of pods to test with; before the switch
	// they grow to spec.replicas. Default: spec.replicas.
	// +optional
	// +kubebuilder:validation:Minimum=1
	PreviewReplicas *int32 `json:"previewReplicas,omitempty"`

	// prePromotion is what must succeed before the switch.
	// +optional
	PrePromotion *PrePromotion `json:"prePromotion,omitempty"`

	// autoPromote switches without asking. False waits for a promote. Default true.
	// +optional
	// +kubebuilder:default=true
	AutoPromote *bool `json:"autoPromote,omitempty"`

	// autoPromoteAfter is waited before an automatic switch. Default 0s.
	// +optional
	AutoPromoteAfter *Duration `json:"autoPromoteAfter,omitempty"`

	// postPromotion is watched after the switch; failing switches straight back.
	// +optional
	PostPromotion *PostPromotion `json:"postPromotion,omitempty"`

	// scaleDownDelaySeconds is how long the old revision keeps its pods after the promotion. Default 300.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	ScaleDownDelaySeconds *int32 `json:"scaleDownDelaySeconds,omitempty"`

	// abortScaleDownDelaySeconds is how long an aborted preview keeps its pods.
	// Default 30; 0 removes them at once; null keeps them until another revision is wanted.
	// +optional
	// +nullable
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	AbortScaleDownDelaySeconds *int32 `json:"abortScaleDownDelaySeconds,omitempty"`

	// convergence says how long a switch takes to reach the data plane.
	// +optional
	Convergence *Convergence `json:"convergence,omitempty"`

	// activeMetadata is put on the active revision's pods, in place.
	// +optional
	ActiveMetadata *PodMetadata `json:"activeMetadata,omitempty"`

	// previewMetadata is put on the preview's pods, in place, until they are active.
	// +optional
	PreviewMetadata *PodMetadata `json:"previewMetadata,omitempty"`

	// antiAffinity keeps the pods of different revisions on different nodes.
	// +optional
	AntiAffinity *AntiAffinity `json:"antiAffinity,omitempty"`
}

// PrePromotion is the quality gate in front of the switch.
type PrePromotion struct {
	// jobs run one after the other against the preview. Failure aborts.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Jobs []JobStep `json:"jobs,omitempty"`
	// analysis of the preview. There is no stable pod with like traffic to
	// compare it with: objectives are judged as they are.
	// +optional
	Analysis *Analysis `json:"analysis,omitempty"`
	// analyze bounds the analysis in time.
	// +optional
	Analyze *Analyze `json:"analyze,omitempty"`
}

// PostPromotion watches the new revision with all traffic.
type PostPromotion struct {
	// analysis of the new revision.
	Analysis Analysis `json:"analysis"`
	// analyze bounds the analysis in time.
	// +optional
	Analyze *Analyze `json:"analyze,omitempty"`
}
