// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/util/intstr"
)

// CanaryStrategy shifts traffic to a new revision step by step: by the weights
// of routes, or without routes by the number of pods.
//
// +kubebuilder:validation:XValidation:rule="has(self.stableService) == has(self.canaryService)",message="spec.strategy.canary: set both stableService and canaryService, or neither to have them created from service"
// +kubebuilder:validation:XValidation:rule="!has(self.stableService) || !has(self.canaryService) || self.stableService != self.canaryService",message="spec.strategy.canary.canaryService: must be another Service than stableService; create a second Service with the same selector and ports"
// +kubebuilder:validation:XValidation:rule="!(has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0) || has(self.stableService) || has(self.service)",message="spec.strategy.canary.stableService: required with routes; name stableService and canaryService, or service to have both created"
// +kubebuilder:validation:XValidation:rule="!has(self.stableService) || (has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0)",message="spec.strategy.canary.routes: routes or managedRoutes are required with stableService; name the route that sends traffic to it, or name only service to shift by the number of pods"
// +kubebuilder:validation:XValidation:rule="!(has(self.steps) && self.steps.size() > 0 && has(self.ramp))",message="spec.strategy.canary: set at most one of steps and ramp; remove the other"
// +kubebuilder:validation:XValidation:rule="has(self.analysis) || !has(self.steps) || !self.steps.exists(s, has(s.analyze))",message="spec.strategy.canary.analysis: required when a step says analyze; add metrics or templates"
// +kubebuilder:validation:XValidation:rule="(has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0) || !has(self.steps) || !self.steps.exists(s, has(s.setScale))",message="spec.strategy.canary.steps: setScale needs routes; add routes, or remove the step"
// +kubebuilder:validation:XValidation:rule="(has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0) || !has(self.steps) || !self.steps.exists(s, has(s.matchRoute) || has(s.mirror))",message="spec.strategy.canary.steps: matchRoute and mirror need routes; add routes, or remove the step"
// +kubebuilder:validation:XValidation:rule="(has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0) || !has(self.steps) || !self.steps.exists(s, has(s.baseline))",message="spec.strategy.canary.steps: baseline needs routes, since its share is a third destination; add routes, or remove the step"
// +kubebuilder:validation:XValidation:rule="!has(self.steps) || !self.steps.exists(s, has(s.matchRoute) || has(s.mirror)) || (!has(self.routes) || self.routes.all(r, !(r.kind in ['TCPRoute', 'TLSRoute']))) && (!has(self.managedRoutes) || self.managedRoutes.all(r, !(r.kind in ['TCPRoute', 'TLSRoute'])))",message="spec.strategy.canary.steps: a TCPRoute or TLSRoute sees connections, not requests, so it can't carry matchRoute or mirror; remove the step, or steer an HTTPRoute or GRPCRoute"
// +kubebuilder:validation:XValidation:rule="(has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0) || !has(self.scaleStable) || self.scaleStable == 'Full'",message="spec.strategy.canary.scaleStable: Dynamic needs routes; without routes the number of stable pods is the weight"
// +kubebuilder:validation:XValidation:rule="!has(self.stickiness) || (has(self.routes) && self.routes.size() > 0 || has(self.managedRoutes) && self.managedRoutes.size() > 0)",message="spec.strategy.canary.stickiness: needs routes, which read and hand out the cookie; add routes, or remove stickiness"
// +kubebuilder:validation:XValidation:rule="!has(self.stickiness) || (!has(self.routes) || self.routes.all(r, !(r.kind in ['GRPCRoute', 'TCPRoute', 'TLSRoute']))) && (!has(self.managedRoutes) || self.managedRoutes.all(r, !(r.kind in ['GRPCRoute', 'TCPRoute', 'TLSRoute'])))",message="spec.strategy.canary.stickiness: a GRPCRoute, TCPRoute or TLSRoute has no users with cookies; steer an HTTPRoute or VirtualService, or remove stickiness"
// +kubebuilder:validation:XValidation:rule="!has(self.stickiness) || !has(self.steps) || self.steps.filter(s, has(s.setWeight)).map(s, s.setWeight).isSorted()",message="spec.strategy.canary.steps: with stickiness users who met the canary stay, so that its weight can't fall; let each setWeight be at least the one before, or remove stickiness"
// +kubebuilder:validation:XValidation:rule="!has(self.stickiness) || !has(self.ramp) || self.ramp.weights.isSorted()",message="spec.strategy.canary.ramp.weights: with stickiness users who met the canary stay, so that its weight can't fall; list them from the least to the greatest, or remove stickiness"
// +kubebuilder:validation:XValidation:rule="!has(self.stickiness) || (!has(self.steps) || self.steps.filter(s, has(s.setWeight) && s.setWeight > 0 && s.setWeight < 100).size() <= 12) && (!has(self.ramp) || self.ramp.weights.filter(w, w < 100).size() <= 12)",message="spec.strategy.canary.stickiness: each weight between 0 and 100 takes a rule of the route, so at most 12 are possible; leave some out, or remove stickiness"
type CanaryStrategy struct {
	// service is the Service that callers use. With routes, and without
	// stableService and canaryService, both are created from it as
	// <rollout>-stable and <rollout>-canary. Without routes its ready pods are the split.
	// +optional
	// +kubebuilder:validation:MinLength=1
	Service string `json:"service,omitempty"`

	// stableService is the Service that routes send the stable share to. The
	// controller narrows its selector to the stable revision.
	// +optional
	// +kubebuilder:validation:MinLength=1
	StableService string `json:"stableService,omitempty"`

	// canaryService is the Service that routes send the canary's share to. The
	// controller narrows its selector to the canary revision.
	// +optional
	// +kubebuilder:validation:MinLength=1
	CanaryService string `json:"canaryService,omitempty"`

	// routes are the objects whose weights are steered. Each must already
	// refer to both Services. Without routes a weight is reached by the number
	// of pods, as closely as maxSurge allows.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Routes []RouteRef `json:"routes,omitempty"`

	// managedRoutes are routes that the controller creates, owns and steers, so
	// that no other tool has a copy to put back. They are deleted with the
	// Rollout; a Deployment that gets its pods back keeps them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	ManagedRoutes []ManagedRoute `json:"managedRoutes,omitempty"`

	// stickiness keeps a user on the version first met, by a cookie. As the
	// weight grows, users of stable are drawn again for the canary; nobody goes
	// back before an abort, which takes everybody back at once.
	// +optional
	Stickiness *Stickiness `json:"stickiness,omitempty"`

	// maxSurge bounds the pods beyond spec.replicas while pods are replaced
	// without routes, as a number or a percentage rounded up; at least 1 in
	// effect when maxUnavailable is 0. Default 25%.
	// +optional
	// +kubebuilder:default="25%"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 1000000 : self.matches('^[0-9]{1,3}%$')",message="maxSurge: must be a number of pods from 0 to 1000000, or a percentage such as 25%"
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`

	// maxUnavailable bounds the pods below spec.replicas meanwhile, as a number
	// or a percentage rounded down. Default 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 1000000 : self.matches('^[0-9]{1,3}%$')",message="maxUnavailable: must be a number of pods from 0 to 1000000, or a percentage such as 25%"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// scaleStable is what happens to the stable revision's pods as its share
	// leaves: Full keeps all of them for an instant way back; Dynamic removes
	// what the confirmed share does not need, and grows back before traffic
	// returns. Default Full.
	// +optional
	// +kubebuilder:default=Full
	ScaleStable ScaleStable `json:"scaleStable,omitempty"`

	// scaleDownDelaySeconds is how long a revision keeps its pods after its
	// traffic has left, so that a way back stays instant. Default 30.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	ScaleDownDelaySeconds *int32 `json:"scaleDownDelaySeconds,omitempty"`

	// abortScaleDownDelaySeconds is the same for a canary that was aborted.
	// Default 30; 0 removes its pods at once; null keeps them until another revision is wanted.
	// +optional
	// +nullable
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	AbortScaleDownDelaySeconds *int32 `json:"abortScaleDownDelaySeconds,omitempty"`

	// convergence says how long a written weight takes to reach the data plane.
	// +optional
	Convergence *Convergence `json:"convergence,omitempty"`

	// stableMetadata is put on the stable revision's pods, in place, while they are stable.
	// +optional
	StableMetadata *PodMetadata `json:"stableMetadata,omitempty"`

	// canaryMetadata is put on the canary's pods, in place, while they are the canary.
	// +optional
	CanaryMetadata *PodMetadata `json:"canaryMetadata,omitempty"`

	// antiAffinity keeps the pods of different revisions on different nodes.
	// +optional
	AntiAffinity *AntiAffinity `json:"antiAffinity,omitempty"`

	// analysis watches the canary from its first traffic to its promotion and aborts it when it fails.
	// +optional
	Analysis *Analysis `json:"analysis,omitempty"`

	// steps are walked in order; after the last one the canary is promoted.
	// Without steps a revision is promoted as soon as it is available.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Steps []Step `json:"steps,omitempty"`

	// ramp is a shorthand for steps: a setWeight and an analyze of at most
	// every for each weight; without analysis a pause instead of the analyze.
	// +optional
	Ramp *Ramp `json:"ramp,omitempty"`
}

// Stickiness is the cookie that tells which version a user has met. Routes read
// it and hand it out; pods see it and need not know it.
type Stickiness struct {
	// cookie is its name. Default sluice-<name of the Rollout>: Rollouts behind one
	// host name need cookies of different names.
	// +optional
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9_-]*$`
	// +kubebuilder:validation:MaxLength=64
	Cookie string `json:"cookie,omitempty"`
	// maxAge is how long a user is known after the latest answer; after that the
	// next request is a draw like any other. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="stickiness.maxAge: must be at least 1s"
	MaxAge *Duration `json:"maxAge,omitempty"`
}

// Ramp is a shorthand for steps.
type Ramp struct {
	// weights of the canary in percent, in order.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=100
	Weights []int32 `json:"weights"`
	// every is the longest time to analyze, or the time to pause, at each weight.
	Every Duration `json:"every"`
}

// ScaleStable says what happens to stable's pods as its share leaves.
//
// +kubebuilder:validation:Enum=Full;Dynamic
type ScaleStable string

const (
	// ScaleStableFull keeps spec.replicas stable pods until promotion.
	ScaleStableFull ScaleStable = "Full"
	// ScaleStableDynamic keeps what the stable share may need.
	ScaleStableDynamic ScaleStable = "Dynamic"
)

// PodMetadata is put on pods in place; no pod is restarted for it.
type PodMetadata struct {
	// labels to set. They must not be part of spec.selector.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Labels map[string]string `json:"labels,omitempty"`
	// annotations to set.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Annotations map[string]string `json:"annotations,omitempty"`
}

// AntiAffinity keeps the pods of different revisions of a Rollout apart.
//
// +kubebuilder:validation:XValidation:rule="has(self.required) != has(self.preferred)",message="antiAffinity: set exactly one of required and preferred"
type AntiAffinity struct {
	// required leaves a pod pending rather than beside one of another revision.
	// +optional
	Required *RequiredAntiAffinity `json:"required,omitempty"`
	// preferred only weighs against it.
	// +optional
	Preferred *PreferredAntiAffinity `json:"preferred,omitempty"`
}

// RequiredAntiAffinity is a rule that must hold.
type RequiredAntiAffinity struct {
	// topologyKey is the node label that tells places apart. Default kubernetes.io/hostname.
	// +optional
	// +kubebuilder:default="kubernetes.io/hostname"
	TopologyKey string `json:"topologyKey,omitempty"`
}

// PreferredAntiAffinity is a rule that should hold.
type PreferredAntiAffinity struct {
	// topologyKey is the node label that tells places apart. Default kubernetes.io/hostname.
	// +optional
	// +kubebuilder:default="kubernetes.io/hostname"
	TopologyKey string `json:"topologyKey,omitempty"`
	// weight against other preferences, 1 to 100. Default 100.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight,omitempty"`
}

// Convergence bounds the wait between writing a weight and trusting it.
type Convergence struct {
	// settle is waited after a route object reports a weight as accepted,
	// because acceptance precedes the data plane's own update. Default 2s.
	// +optional
	// +kubebuilder:default="2s"
	Settle *Duration `json:"settle,omitempty"`
	// timeout after which an unconfirmed weight is reported as a problem. No pods are removed for that. Default 2m.
	// +optional
	// +kubebuilder:default="2m"
	Timeout *Duration `json:"timeout,omitempty"`
}
