// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// kind is what differs between the route kinds of the Gateway API.
type kind struct {
	// name of the kind, such as HTTPRoute.
	name string
	// features are what its rules can hold beside weights.
	features traffic.Features
	// headersOnly: requests can't be told apart by cookies and query parameters.
	headersOnly bool
	// empty makes an object to read into.
	empty func() client.Object
}

// requestKinds steer requests, which have headers and can be copied.
func requestKinds() []kind {
	of := traffic.Features{Matches: true, Mirror: true, Baseline: true}
	http := of
	http.Sticky = true // calls by gRPC keep no cookies
	return []kind{
		{name: "HTTPRoute", features: http, empty: func() client.Object { return &gatewayv1.HTTPRoute{} }},
		{name: "GRPCRoute", features: of, headersOnly: true, empty: func() client.Object { return &gatewayv1.GRPCRoute{} }},
	}
}

// streamKinds steer connections, of which nothing is known but where they go.
func streamKinds() []kind {
	of := traffic.Features{Baseline: true}
	return []kind{
		{name: "TCPRoute", features: of, empty: func() client.Object { return &gatewayv1.TCPRoute{} }},
		{name: "TLSRoute", features: of, empty: func() client.Object { return &gatewayv1.TLSRoute{} }},
	}
}
