// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "k8s.io/apimachinery/pkg/runtime"

// RouteRef points at an object whose weights the controller steers. The router
// is found by apiVersion and kind.
//
// +kubebuilder:validation:XValidation:rule="!has(self.destinationRule) || self.kind == 'VirtualService'",message="routes.destinationRule: only a VirtualService splits over the subsets of a DestinationRule; remove it"
type RouteRef struct {
	// apiVersion of the route, such as gateway.networking.k8s.io/v1.
	// +kubebuilder:validation:MinLength=1
	APIVersion string `json:"apiVersion"`
	// kind of the route, such as HTTPRoute.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the route, in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// rules names the rules to steer. Of a VirtualService: the name of an http
	// route, tls/<SNI host> or tcp/<port>. Default: every rule that refers to
	// stableService or canaryService.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Rules []string `json:"rules,omitempty"`
	// destinationRule of a VirtualService that splits over subsets of one host
	// instead of two Services: the name of a DestinationRule in the same
	// namespace with the subsets stable and canary. The controller narrows each
	// to a revision by the label sluice.dev/revision.
	// +optional
	// +kubebuilder:validation:MinLength=1
	DestinationRule string `json:"destinationRule,omitempty"`
}

// ManagedRoute is a route that the controller creates and owns.
type ManagedRoute struct {
	// apiVersion of the route, such as gateway.networking.k8s.io/v1.
	// +kubebuilder:validation:MinLength=1
	APIVersion string `json:"apiVersion"`
	// kind of the route, such as HTTPRoute.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the route. No object of this name may exist that is somebody else's.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// labels of the route.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Labels map[string]string `json:"labels,omitempty"`
	// annotations of the route.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Annotations map[string]string `json:"annotations,omitempty"`
	// rules names the rules to steer. Default: every rule that refers to stableService.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Rules []string `json:"rules,omitempty"`
	// spec of the route as its kind defines it, with stableService at weight 100
	// and canaryService at weight 0. The API server's own check of it is shown in condition SpecValid.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Spec runtime.RawExtension `json:"spec"`
}

// Ref points at the route.
func (m ManagedRoute) Ref() RouteRef {
	return RouteRef{APIVersion: m.APIVersion, Kind: m.Kind, Name: m.Name, Rules: m.Rules}
}

// MatchRoute sends some requests to the canary whatever its weight is.
type MatchRoute struct {
	// name of the rule, unique among the steps' rules. A later step with the
	// same name replaces it; one without match ends it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`
	// match lists alternatives: a request that meets any of them goes to the canary.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Match []RequestMatch `json:"match,omitempty"`
}

// RequestMatch is met by a request that meets everything in it.
//
// +kubebuilder:validation:XValidation:rule="has(self.headers) || has(self.cookies) || has(self.queryParams)",message="match: name at least one of headers, cookies and queryParams"
type RequestMatch struct {
	// headers that the request must carry. Names are compared without regard to case.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Headers []ValueMatch `json:"headers,omitempty"`
	// cookies that the request must carry.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Cookies []ValueMatch `json:"cookies,omitempty"`
	// queryParams that the request's URL must carry.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	QueryParams []ValueMatch `json:"queryParams,omitempty"`
}

// ValueMatch compares one named value of a request. Exactly one comparison is set.
//
// +kubebuilder:validation:XValidation:rule="has(self.exact) != has(self.regex)",message="match: set exactly one of exact and regex"
type ValueMatch struct {
	// name of the header, cookie or parameter.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// exact value.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Exact *string `json:"exact,omitempty"`
	// regex that the whole value must match, in RE2 syntax. Its dialect is the data plane's.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Regex *string `json:"regex,omitempty"`
}

// OriginalWeights are what a user wrote into one list of destinations of a route.
type OriginalWeights struct {
	// list is the route, and a digest of what the list leads to.
	List string `json:"list"`
	// stable is the stable slot's weight; absent where the user wrote none.
	// +optional
	Stable *int32 `json:"stable,omitempty"`
	// canary is the canary slot's.
	// +optional
	Canary *int32 `json:"canary,omitempty"`
}
