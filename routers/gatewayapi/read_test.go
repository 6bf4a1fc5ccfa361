// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// shop is the route that the tables are about.
func shop() routers.Route {
	return routers.Route{
		Namespace:     "shop",
		Ref:           v1alpha1.RouteRef{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "checkout"},
		Field:         "spec.strategy.canary.routes[0]",
		StableService: "stable",
		CanaryService: "canary", BaselineService: "baseline",
	}
}

// backend is a Service with a weight; a negative one is left out.
func backend(name string, weight int32) gatewayv1.BackendRef {
	b := gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name)}}
	if weight >= 0 {
		b.Weight = ptr.To(weight)
	}
	return b
}

// accepted is a route of generation 7 with these rules, taken by its one parent.
func accepted(rules ...[]gatewayv1.BackendRef) view {
	v := view{generation: 7, version: "1", parents: []gatewayv1.RouteParentStatus{answer()}}
	for i, backends := range rules {
		entries := make([]any, len(backends))
		for n := range backends {
			entries[n] = map[string]any{"name": string(backends[n].Name)}
		}
		v.rules = append(v.rules, rule{index: i, backends: backends, raw: map[string]any{"backendRefs": entries}})
	}
	return v
}

func share(stable, canary int32) []gatewayv1.BackendRef {
	return []gatewayv1.BackendRef{backend("stable", stable), backend("canary", canary)}
}

func TestRead(t *testing.T) {
	exactly := func(canary int32) traffic.Observed {
		s := []traffic.Split{traffic.CanaryAt(canary)}
		return traffic.Observed{Requested: s, Confirmed: s}
	}
	cases := map[string]struct {
		reason string
		view   view
		want   traffic.Observed
		wrong  string
	}{
		"Percent":        {reason: "weights that sum to 100 are percent", view: accepted(share(75, 25)), want: exactly(25)},
		"Defaults":       {reason: "no weight means 1", view: accepted(share(-1, -1)), want: exactly(50)},
		"AnyTotal":       {reason: "weights are relative", view: accepted(share(3, 1)), want: exactly(25)},
		"Nothing":        {reason: "0 is only said when nothing is sent", view: accepted(share(100, 0)), want: exactly(0)},
		"Everything":     {reason: "100 is only said when all is sent", view: accepted(share(0, 1)), want: exactly(100)},
		"OtherBackends":  {reason: "others don't count in our percentage", view: accepted(append(share(150, 50), backend("legacy", 1000))), want: exactly(25)},
		"NearestToShare": {reason: "8 of 150 is how 5 % is written there", view: accepted(append(share(142, 8), backend("legacy", 1))), want: exactly(5)},
		"RulesAgree":     {reason: "equal shares are one split", view: accepted(share(75, 25), share(3, 1)), want: exactly(25)},
		"TraceOfCanary": {
			reason: "a thousandth is not nothing",
			view:   accepted(share(999, 1)),
			want: traffic.Observed{
				Requested: []traffic.Split{traffic.CanaryAt(0), traffic.CanaryAt(1)},
				Confirmed: []traffic.Split{traffic.CanaryAt(0), traffic.CanaryAt(1)},
				Message:   "HTTPRoute shop/checkout: spec.rules[0] gives Service canary weight 1 of 1000",
			},
		},
		"TraceOfStable": {
			reason: "and all but a thousandth is not all",
			view:   accepted(append(share(1, 999), backend("legacy", 1))),
			want: traffic.Observed{
				Requested: []traffic.Split{traffic.CanaryAt(99), traffic.CanaryAt(100)},
				Confirmed: []traffic.Split{traffic.CanaryAt(99), traffic.CanaryAt(100)},
				Message:   "HTTPRoute shop/checkout: spec.rules[0] gives Service canary weight 999 of 1000",
			},
		},
		"RulesDiffer": {
			reason: "each split is listed, and which rule carries it",
			view:   accepted(share(75, 25), share(100, 0)),
			want: traffic.Observed{
				Requested: []traffic.Split{traffic.CanaryAt(0), traffic.CanaryAt(25)},
				Confirmed: []traffic.Split{traffic.CanaryAt(0), traffic.CanaryAt(25)},
				Message:   "HTTPRoute shop/checkout: spec.rules[0] gives Service canary weight 25 of 100, spec.rules[1] gives Service canary weight 0 of 100",
			},
		},
		"ManyDiffer": {
			reason: "a message stays short",
			view:   accepted(share(99, 1), share(98, 2), share(97, 3), share(96, 4), share(95, 5), share(94, 6)),
			want: traffic.Observed{
				Requested: []traffic.Split{traffic.CanaryAt(1), traffic.CanaryAt(2), traffic.CanaryAt(3), traffic.CanaryAt(4), traffic.CanaryAt(5), traffic.CanaryAt(6)},
				Confirmed: []traffic.Split{traffic.CanaryAt(1), traffic.CanaryAt(2), traffic.CanaryAt(3), traffic.CanaryAt(4), traffic.CanaryAt(5), traffic.CanaryAt(6)},
				Message: "HTTPRoute shop/checkout: spec.rules[0] gives Service canary weight 1 of 100, spec.rules[1] gives Service canary weight 2 of 100, " +
					"spec.rules[2] gives Service canary weight 3 of 100, spec.rules[3] gives Service canary weight 4 of 100, and 2 more",
			},
		},
		"Nobody": {reason: "0 and 0 serve nobody", view: accepted(share(0, 0)), wrong: "in spec.rules[0] of HTTPRoute shop/checkout all weights are 0, so nobody is served; give Service stable weight 100"},
		"Coarse": {reason: "said before the first step needs it", view: accepted(append(share(9, 0), backend("legacy", 1))), wrong: "in spec.rules[0] of HTTPRoute shop/checkout the weights of Services stable and canary sum to 9 beside other backends; give your backends weights such that these two sum to at least 100"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ps, err := pairs(tc.view, shop())
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(tc.view, ps, shop())
			if err == nil && len(got.Lists) != len(ps) {
				t.Errorf("%s: %d lists of destinations, want one for each of %d rules", tc.reason, len(got.Lists), len(ps))
			}
			got.Lists = nil // the contract says what they are good for
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
			var problem *routers.Problem
			if tc.wrong == "" && err != nil || tc.wrong != "" && (!errors.As(err, &problem) || problem.Message != tc.wrong) {
				t.Errorf("%s: error %v, want problem %q", tc.reason, err, tc.wrong)
			}
		})
	}
}

// answer is the status of a parent that has taken generation 7, with changes.
func answer(changes ...metav1.Condition) gatewayv1.RouteParentStatus {
	status := gatewayv1.RouteParentStatus{
		ControllerName: "example.com/gateway",
		ParentRef:      gatewayv1.ParentReference{Name: "public", Namespace: ptr.To(gatewayv1.Namespace("infra")), SectionName: ptr.To(gatewayv1.SectionName("https"))},
		Conditions: []metav1.Condition{
			{Type: "Accepted", Status: "True", Reason: "Accepted", ObservedGeneration: 7},
			{Type: "ResolvedRefs", Status: "True", Reason: "ResolvedRefs", ObservedGeneration: 7},
		},
	}
	for _, change := range changes {
		kept := status.Conditions[:0]
		for _, c := range status.Conditions {
			if c.Type != change.Type {
				kept = append(kept, c)
			}
		}
		status.Conditions = kept
		if change.Status != "" {
			status.Conditions = append(status.Conditions, change)
		}
	}
	return status
}

func TestUnconfirmed(t *testing.T) {
	const who = "Gateway infra/public listener https"
	condition := func(kind, status, reason, message string, generation int64) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message, ObservedGeneration: generation}
	}
	mesh := answer(condition("Accepted", "False", "NoMatchingParent", "", 7))
	mesh.ParentRef = gatewayv1.ParentReference{Kind: ptr.To(gatewayv1.Kind("Service")), Name: "checkout"}
	serviceTaken := answer()
	serviceTaken.ParentRef = gatewayv1.ParentReference{Group: ptr.To(gatewayv1.Group("")), Kind: ptr.To(gatewayv1.Kind("Service")), Name: "checkout", Namespace: ptr.To(gatewayv1.Namespace("shop")), Port: ptr.To(gatewayv1.PortNumber(80))}
	cases := map[string]struct {
		reason  string
		parents []gatewayv1.RouteParentStatus
		wanted  []gatewayv1.ParentReference
		want    string
	}{
		"Silent": {
			reason: "a parent that nobody speaks for confirms nothing", parents: []gatewayv1.RouteParentStatus{answer()},
			wanted: []gatewayv1.ParentReference{answer().ParentRef, {Name: "internal"}},
			want:   "no gateway controller has reported on HTTPRoute shop/checkout for Gateway shop/internal; check that it exists and allows routes from namespace shop",
		},
		"LeftOver": {
			reason: "what is left of a parent that was taken out holds nobody up", parents: []gatewayv1.RouteParentStatus{mesh, answer()},
			wanted: []gatewayv1.ParentReference{answer().ParentRef},
		},
		"Mesh": {
			reason: "a Service is a parent too", parents: []gatewayv1.RouteParentStatus{serviceTaken},
			wanted: []gatewayv1.ParentReference{{Group: ptr.To(gatewayv1.Group("")), Kind: ptr.To(gatewayv1.Kind("Service")), Name: "checkout", Port: ptr.To(gatewayv1.PortNumber(80))}},
		},
		"NoGrant": {
			reason: "another namespace has to permit it", parents: []gatewayv1.RouteParentStatus{answer(condition("ResolvedRefs", "False", "RefNotPermitted", "", 7))},
			want: who + " may not follow a reference of HTTPRoute shop/checkout, reason RefNotPermitted; create a ReferenceGrant in the other namespace, from HTTPRoute of namespace shop to Services",
		},
		"Confirmed":  {reason: "both conditions hold for the newest generation", parents: []gatewayv1.RouteParentStatus{answer()}},
		"NoParent":   {reason: "silence confirms nothing", want: "no gateway controller has reported on HTTPRoute shop/checkout; check that its parentRefs name a Gateway that exists and allows routes from namespace shop"},
		"Outdated":   {reason: "an older generation has older weights", parents: []gatewayv1.RouteParentStatus{answer(condition("Accepted", "True", "Accepted", "", 6))}, want: "gateway controller example.com/gateway has not yet observed generation 7 of HTTPRoute shop/checkout for " + who + " (condition Accepted is of generation 6)"},
		"HalfWay":    {reason: "both conditions count", parents: []gatewayv1.RouteParentStatus{answer(condition("ResolvedRefs", "True", "ResolvedRefs", "", 6))}, want: "gateway controller example.com/gateway has not yet observed generation 7 of HTTPRoute shop/checkout for " + who + " (condition ResolvedRefs is of generation 6)"},
		"Missing":    {reason: "a condition not reported is not held", parents: []gatewayv1.RouteParentStatus{answer(metav1.Condition{Type: "ResolvedRefs"})}, want: "gateway controller example.com/gateway has not reported ResolvedRefs for " + who + " of HTTPRoute shop/checkout"},
		"Rejected":   {reason: "the controller's reason is passed on", parents: []gatewayv1.RouteParentStatus{answer(condition("Accepted", "False", "NotAllowedByListeners", "Namespace shop is not allowed.\n", 7))}, want: who + " does not take HTTPRoute shop/checkout: condition Accepted is False, reason NotAllowedByListeners (Namespace shop is not allowed)"},
		"Unknown":    {reason: "Unknown is not True", parents: []gatewayv1.RouteParentStatus{answer(condition("Accepted", "Unknown", "Pending", "", 7))}, want: who + " does not take HTTPRoute shop/checkout: condition Accepted is Unknown, reason Pending"},
		"NoBackend":  {reason: "a missing Service is said in words", parents: []gatewayv1.RouteParentStatus{answer(condition("ResolvedRefs", "False", "BackendNotFound", `service "canary" not found`, 7))}, want: who + ` can't find a Service that HTTPRoute shop/checkout refers to, reason BackendNotFound (service "canary" not found); create the Service or correct the backendRef`},
		"Partial":    {reason: "a part served is not what was asked", parents: []gatewayv1.RouteParentStatus{answer(condition("PartiallyInvalid", "True", "UnsupportedValue", "Dropped Rule 1", 7))}, want: who + " serves only part of HTTPRoute shop/checkout: reason UnsupportedValue (Dropped Rule 1)"},
		"OneOfTwo":   {reason: "every parent has a data plane of its own", parents: []gatewayv1.RouteParentStatus{answer(), mesh}, want: "Service shop/checkout does not take HTTPRoute shop/checkout: condition Accepted is False, reason NoMatchingParent"},
		"WholeAgain": {reason: "PartiallyInvalid may be reported as False", parents: []gatewayv1.RouteParentStatus{answer(condition("PartiallyInvalid", "False", "Fine", "", 7))}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := accepted(share(75, 25))
			v.parents, v.wanted = tc.parents, tc.wanted
			if diff := cmp.Diff(tc.want, unconfirmed(v, shop())); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
			ps, err := pairs(v, shop())
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(v, ps, shop())
			if err != nil {
				t.Fatal(err)
			}
			if got.ConfirmedAll(traffic.CanaryAt(25)) != (tc.want == "") || got.Message != tc.want || !got.RequestedAll(traffic.CanaryAt(25)) {
				t.Errorf("%s: read %+v", tc.reason, got)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	named := shop()
	named.Ref.Rules = []string{"gone"}
	cases := map[string]struct {
		reason string
		view   view
		route  routers.Route
		want   []string
	}{
		"Whole":         {reason: "everything returns", view: accepted(share(75, 25)), route: shop(), want: []string{"/spec/rules/0/backendRefs/0/weight=100", "/spec/rules/0/backendRefs/1/weight=0"}},
		"CanaryRemoved": {reason: "there is nothing to take back", view: accepted([]gatewayv1.BackendRef{backend("stable", 75)}), route: shop()},
		"OneRuleSpoilt": {reason: "the other is released all the same", view: accepted(append(share(1, 1), backend("canary", 1)), share(50, 50)), route: shop(), want: []string{"/spec/rules/1/backendRefs/0/weight=100", "/spec/rules/1/backendRefs/1/weight=0"}},
		"Coarse":        {reason: "all or nothing needs no fine weights", view: accepted(append(share(3, 2), backend("legacy", 1))), route: shop(), want: []string{"/spec/rules/0/backendRefs/0/weight=5", "/spec/rules/0/backendRefs/1/weight=0"}},
		"Baseline":      {reason: "its weight is stable's again", view: accepted(append(share(60, 20), backend("baseline", 20))), route: shop(), want: []string{"/spec/rules/0/backendRefs/0/weight=100", "/spec/rules/0/backendRefs/1/weight=0"}},
		"NameGone":      {reason: "a rule renamed is not ours any more", view: accepted(share(50, 50)), route: named},
		"NoRules":       {reason: "an empty route is released", view: accepted(), route: shop()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, op := range render(tc.view, known(tc.view, tc.route), traffic.CanaryAt(0), added{}) {
				if op.Op == "add" {
					got = append(got, fmt.Sprintf("%s=%v", op.Path, op.Value))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPlaces: both Services are found where they stand in the object, whatever
// stands before them.
func TestPlaces(t *testing.T) {
	v := accepted([]gatewayv1.BackendRef{backend("legacy", 1)}, append([]gatewayv1.BackendRef{backend("legacy", 100)}, share(150, 50)...))
	ps, err := pairs(v, shop())
	if err != nil {
		t.Fatal(err)
	}
	at := traffic.Backend{Kind: "HTTPRoute", Name: "checkout", Rule: 1}
	stable, canary := at, at
	stable.Slot, stable.Index, canary.Slot, canary.Index = traffic.Stable, 1, traffic.Canary, 2
	if diff := cmp.Diff([]traffic.Backend{stable, canary}, places(ps, shop())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// unserved is an API server without the Gateway API.
type unserved struct{ client.Client }

func (unserved) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: gatewayv1.GroupName, Kind: "HTTPRoute"}}
}

func TestWithoutGatewayAPI(t *testing.T) {
	g := Entry().New(unserved{}, unserved{})
	want := &routers.Problem{
		Field:   "spec.strategy.canary.routes[0].kind",
		Message: "the cluster does not know HTTPRoute in gateway.networking.k8s.io/v1; install the Gateway API's CRDs",
	}
	_, err := g.Observe(t.Context(), unserved{}, shop())
	var got *routers.Problem
	if !errors.As(err, &got) {
		t.Fatalf("error %v is not a problem", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want, +got):\n%s", diff)
	}
	if err := g.Release(t.Context(), shop()); err != nil {
		t.Errorf("Release where there can be no route: %v", err)
	}
}
