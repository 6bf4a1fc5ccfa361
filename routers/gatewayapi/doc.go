// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gatewayapi steers the routes of the Gateway API: HTTPRoute and
// GRPCRoute, TCPRoute and TLSRoute, below a Gateway or, in a mesh, a Service.
//
// It writes the weight of those backendRefs that name one of the two Services,
// in the rules that the reference chooses. A matchRoute step adds rules before
// the user's, whose names begin with "sluice.dev."; a mirror step adds a filter
// as the last of each rule steered; stickiness adds rules behind the user's and
// a filter, or an entry in one, to both backends. What is carried beside the weights is noted
// in annotation sluice.dev/beside, which comes and goes with it. Rules and
// backendRefs are atomic lists, of which server-side apply can't own a part; so
// all of this is one JSON patch that holds only for the version it was computed
// from. Everything else in the route stays as it is, byte for byte.
//
// A rule may have further backends. They keep their weights, and the two
// Services share what they had together; a percentage is always one of the two
// Services' common share.
//
// The data plane's answer is the route's status: each of the route's parents must have
// accepted the newest generation with all references resolved. The Gateway API
// has no word for "programmed into every proxy", so the planner waits a little
// longer than this.
//
// What a data plane does with a filter or a match that it does not know is not in
// the status. So a step that takes an optional feature is refused unless the
// GatewayClass of each parent lists it, or annotation sluice.dev/supported-features
// of the parent; see features.go.
//
// A route under managedRoutes is the controller's own, hence create and delete;
// no other is ever created or deleted.
//
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes;grpcroutes;tcproutes;tlsroutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways;gatewayclasses;listenersets,verbs=get
package gatewayapi
