// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"
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
	if why := unanswered(v, r); why != "" {
		return why
	}
	for _, p := range v.parents {
		if len(v.wanted) > 0 && !slices.ContainsFunc(v.wanted, func(w gatewayv1.ParentReference) bool { return same(w, p.ParentRef, r) }) {
			continue // what a controller left of a parent that the user took out
		}
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

// unanswered says which of the user's parents no controller has reported for.
func unanswered(v view, r routers.Route) string {
	for _, w := range v.wanted {
		if !slices.ContainsFunc(v.parents, func(p gatewayv1.RouteParentStatus) bool { return same(w, p.ParentRef, r) }) {
			return fmt.Sprintf("no gateway controller has reported on %s for %s; check that it exists and allows routes from namespace %s",
				r, parent(gatewayv1.RouteParentStatus{ParentRef: w}, r), r.Namespace)
		}
	}
	return ""
}

// same reports whether two references mean the same parent, with and without defaults spelt out.
func same(a, b gatewayv1.ParentReference, r routers.Route) bool {
	return ptr.Deref(a.Group, gatewayv1.GroupName) == ptr.Deref(b.Group, gatewayv1.GroupName) &&
		ptr.Deref(a.Kind, "Gateway") == ptr.Deref(b.Kind, "Gateway") &&
		ptr.Deref(a.Namespace, gatewayv1.Namespace(r.Namespace)) == ptr.Deref(b.Namespace, gatewayv1.Namespace(r.Namespace)) &&
		a.Name == b.Name && ptr.Equal(a.SectionName, b.SectionName) && ptr.Equal(a.Port, b.Port)
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
	case c.Reason == string(gatewayv1.RouteReasonRefNotPermitted):
		return fmt.Sprintf("%s may not follow a reference of %s%s, %s; create a ReferenceGrant in the other namespace, from %s of namespace %s to Services",
			parent(p, r), r, foreign(v, r), stated(c), r.Ref.Kind, r.Namespace)
	case c.Reason == string(gatewayv1.RouteReasonBackendNotFound):
		return fmt.Sprintf("%s can't find a Service that %s refers to, %s; create the Service or correct the backendRef", parent(p, r), r, stated(c))
	default:
		return fmt.Sprintf("%s does not take %s: condition %s is %s, %s", parent(p, r), r, condition, c.Status, stated(c))
	}
}

// foreign names a backend of another namespace.
func foreign(v view, r routers.Route) string {
	for _, one := range v.rules {
		for _, b := range one.backends {
			if b.Namespace != nil && string(*b.Namespace) != r.Namespace {
				return fmt.Sprintf(" (%s to %s/%s)", one, *b.Namespace, b.Name)
			}
		}
	}
	return ""
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
