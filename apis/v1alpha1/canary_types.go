// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CanaryStrategy shifts traffic to a new revision step by step.
//
// +kubebuilder:validation:XValidation:rule="self.stableService != self.canaryService",message="spec.strategy.canary.canaryService: must be another Service than stableService; create a second Service with the same selector and ports"
// +kubebuilder:validation:XValidation:rule="has(self.analysis) || !has(self.steps) || !self.steps.exists(s, has(s.analyze))",message="spec.strategy.canary.analysis: required when a step says analyze; add metrics or templates"
type CanaryStrategy struct {
	// stableService is the Service that routes send the stable share to. The
	// controller narrows its selector to the stable revision.
	// +required
	// +kubebuilder:validation:MinLength=1
	StableService string `json:"stableService"`

	// canaryService is the Service that routes send the canary's share to. The
	// controller narrows its selector to the canary revision.
	// +required
	// +kubebuilder:validation:MinLength=1
	CanaryService string `json:"canaryService"`

	// routes are the objects whose weights are steered. Each must already
	// refer to both Services.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Routes []RouteRef `json:"routes"`

	// scaleDownDelaySeconds is how long a revision keeps its pods after its
	// traffic has left, so that a way back stays instant. Default 30.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	ScaleDownDelaySeconds *int32 `json:"scaleDownDelaySeconds,omitempty"`

	// abortScaleDownDelaySeconds is the same for a canary that was aborted. Default 30; 0 removes its pods at once.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	AbortScaleDownDelaySeconds *int32 `json:"abortScaleDownDelaySeconds,omitempty"`

	// convergence says how long a written weight takes to reach the data plane.
	// +optional
	Convergence *Convergence `json:"convergence,omitempty"`

	// analysis watches the canary from its first traffic to its promotion and aborts it when it fails.
	// +optional
	Analysis *Analysis `json:"analysis,omitempty"`

	// steps are walked in order; after the last one the canary is promoted.
	// Without steps a revision is promoted as soon as it is available.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Steps []Step `json:"steps,omitempty"`
}

// Convergence bounds the wait between writing a weight and trusting it.
type Convergence struct {
	// settle is waited after a route object reports a weight as accepted,
	// because acceptance precedes the data plane's own update. Default 2s.
	// +optional
	// +kubebuilder:default="2s"
	Settle *metav1.Duration `json:"settle,omitempty"`
	// timeout after which an unconfirmed weight is reported as a problem. It never removes capacity. Default 2m.
	// +optional
	// +kubebuilder:default="2m"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Step is one entry of the plan the user wrote. Exactly one field is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.setWeight), has(self.pause), has(self.analyze)].filter(x, x).size() == 1",message="a step holds exactly one of setWeight, pause and analyze; split it into several steps"
type Step struct {
	// setWeight is the canary's share of traffic in percent, 0 to 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	SetWeight *int32 `json:"setWeight,omitempty"`
	// pause waits for a time, or until promoted.
	// +optional
	Pause *Pause `json:"pause,omitempty"`
	// analyze waits until the analysis passes.
	// +optional
	Analyze *Analyze `json:"analyze,omitempty"`
}

// Pause is a wait.
type Pause struct {
	// for is how long to wait. Without it the pause lasts until somebody promotes.
	// +optional
	For *metav1.Duration `json:"for,omitempty"`
}

// Analyze asks the running analysis whether the next step is affordable.
type Analyze struct {
	// minDuration is the least time to watch even when everything passes. Default 0.
	// +optional
	MinDuration *metav1.Duration `json:"minDuration,omitempty"`
	// maxDuration after which the question is Inconclusive. Default 15m.
	// +optional
	// +kubebuilder:default="15m"
	MaxDuration *metav1.Duration `json:"maxDuration,omitempty"`
	// onInconclusive is what happens after maxDuration. Hold waits for a
	// person, or for the analysis to pass after all; Abort returns to stable.
	// Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnInconclusive OnInconclusive `json:"onInconclusive,omitempty"`
}

// OnInconclusive says what an unanswered question leads to.
//
// +kubebuilder:validation:Enum=Hold;Abort
type OnInconclusive string

const (
	// OnInconclusiveHold waits for a person, or for the analysis to pass after all.
	OnInconclusiveHold OnInconclusive = "Hold"
	// OnInconclusiveAbort returns all traffic to stable.
	OnInconclusiveAbort OnInconclusive = "Abort"
)
