// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// RouteRef points at an object whose weights the controller steers. The router
// is found by apiVersion and kind.
type RouteRef struct {
	// apiVersion of the route, such as gateway.networking.k8s.io/v1.
	// +kubebuilder:validation:MinLength=1
	APIVersion string `json:"apiVersion"`
	// kind of the route, such as HTTPRoute.
	// +kubebuilder:validation:MinLength=1
	Kind string `json:"kind"`
	// name of the route, in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// rules names the rules to steer. Default: every rule that refers to stableService or canaryService.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Rules []string `json:"rules,omitempty"`
}
