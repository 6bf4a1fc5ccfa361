// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/routers"
)

// unconfirmed says why the data plane is not known to serve what the object
// says: the first reason found, parents in the object's order. It is empty when
// every parent has accepted the newest generation in full.
func unconfirmed(v view, r routers.Route) string {
	if len(v.parents) == 0 {
		return fmt.Sprintf("no gateway controller has reported on %s; check that its parentRefs name a Gateway that exists and allows routes from namespace %s", r, r.Namespace)
	}
	for _, p := range v.parents {
		for _, want := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			if why := lacking(v, r, p, string(want)); why != "" {
				return why
			}
		}
		if c := meta.FindStatusCondition(p.Conditions, string(gatewayv1.RouteConditionPartiallyInvalid)); c != nil && c.Status == metav1.ConditionTrue {
			return fmt.Sprintf("%s serves only part of %s: %s", parent(p, r), r, stated(c))
		}
	}
	return ""
}

// lacking says why a parent doesn't vouch for one condition of the newest generation.
func lacking(v view, r routers.Route, p gatewayv1.RouteParentStatus, condition string) string {
	c := meta.FindStatusCondition(p.Conditions, condition)
	switch {
	case c == nil:
		return fmt.Sprintf("gateway controller %s has not reported %s for %s of %s", p.ControllerName, condition, parent(p, r), r)
	case c.ObservedGeneration != v.generation:
		return fmt.Sprintf("gateway controller %s has not yet observed generation %d of %s for %s (condition %s is of generation %d)",
			p.ControllerName, v.generation, r, parent(p, r), condition, c.ObservedGeneration)
	case c.Status == metav1.ConditionTrue:
		return ""
	case c.Reason == string(gatewayv1.RouteReasonBackendNotFound):
		return fmt.Sprintf("%s can't find a Service that %s refers to, %s; create the Service or correct the backendRef", parent(p, r), r, stated(c))
	default:
		return fmt.Sprintf("%s does not take %s: condition %s is %s, %s", parent(p, r), r, condition, c.Status, stated(c))
	}
}

// parent names who a status entry speaks for, such as Gateway infra/public listener https.
func parent(p gatewayv1.RouteParentStatus, r routers.Route) string {
	ref := p.ParentRef
	name := fmt.Sprintf("%s %s/%s",
		ptr.Deref(ref.Kind, "Gateway"), ptr.Deref(ref.Namespace, gatewayv1.Namespace(r.Namespace)), ref.Name)
	if ref.SectionName != nil {
		name += " listener " + string(*ref.SectionName)
	}
	return name
}

// stated is the controller's own account: reason and message.
func stated(c *metav1.Condition) string {
	if message := strings.TrimRight(strings.TrimSpace(c.Message), "."); message != "" {
		return fmt.Sprintf("reason %s (%s)", c.Reason, message)
	}
	return "reason " + c.Reason
}
