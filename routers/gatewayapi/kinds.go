// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// kind is what differs between the route kinds of the Gateway API.
type kind struct {
	// name of the kind, such as HTTPRoute.
	name string
	// empty makes an object to read into.
	empty func() client.Object
	// view shows an object that empty made.
	view func(client.Object) view
}

// view is what the kinds have in common.
type view struct {
	// generation and version are the object's.
	generation int64
	version    string
	// rules in the order of the object; indexes are those of its JSON.
	rules []rule
	// parents is what the gateway controllers say.
	parents []gatewayv1.RouteParentStatus
}

// rule is one entry of spec.rules.
type rule struct {
	index    int
	name     string
	backends []gatewayv1.BackendRef
}

// kinds lists every kind that is steered.
func kinds() []kind { return []kind{httpRoute()} }

func httpRoute() kind {
	return kind{
		name:  "HTTPRoute",
		empty: func() client.Object { return &gatewayv1.HTTPRoute{} },
		view: func(o client.Object) view {
			route, ok := o.(*gatewayv1.HTTPRoute)
			if !ok {
				return view{}
			}
			v := view{
				generation: route.Generation,
				version:    route.ResourceVersion,
				parents:    route.Status.Parents,
			}
			for i, r := range route.Spec.Rules {
				one := rule{index: i, name: string(ptr.Deref(r.Name, ""))}
				for _, b := range r.BackendRefs {
					one.backends = append(one.backends, b.BackendRef)
				}
				v.rules = append(v.rules, one)
			}
			return v
		},
	}
}
