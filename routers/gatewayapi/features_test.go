// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// below is a Gateway with its class. CLASS is made unique, as classes have no namespace.
const below = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: CLASS}
spec: {controllerName: example.com/gateway}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public}
spec: {gatewayClassName: CLASS, listeners: [{name: http, protocol: HTTP, port: 80}]}
---
`

const httpRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: checkout}
spec:
  parentRefs: [{name: public}]
  rules:
  - backendRefs: [{name: checkout-stable, port: 80, weight: 100}, {name: checkout-canary, port: 80, weight: 0}]
`

const inMesh = `
apiVersion: v1
kind: Service
metadata: {name: checkout}
spec: {selector: {app: checkout}, ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: checkout}
spec:
  parentRefs: [{group: "", kind: Service, name: checkout}]
  rules:
  - backendRefs: [{name: checkout-stable, port: 80, weight: 100}, {name: checkout-canary, port: 80, weight: 0}]
`

func TestUnable(t *testing.T) {
	query := traffic.CanaryAt(0)
	query.Matches = []v1alpha1.MatchRoute{{Name: "testers", Match: []v1alpha1.RequestMatch{{QueryParams: []v1alpha1.ValueMatch{{Name: "v", Exact: ptr.To("2")}}}}}}
	header := traffic.CanaryAt(0)
	header.Matches = []v1alpha1.MatchRoute{{Name: "testers", Match: []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: "v", Exact: ptr.To("2")}}}}}}
	mirror := func(percent int32) traffic.Split { return traffic.Split{Stable: 100, Mirror: percent} }
	grpc := strings.ReplaceAll(httpRoute, "HTTPRoute", "GRPCRoute")
	sticky := traffic.CanaryAt(50)
	sticky.Sticky = &traffic.Sticky{Cookie: "sluice-version", Value: "7d9f-1", MaxAge: time.Hour, Draws: []int32{5, 20}}
	const listed, silent = " does not list in status.supportedFeatures; ", " lists none at all in status.supportedFeatures; "
	cases := map[string]struct {
		reason  string
		objects string
		lists   []gatewayv1.FeatureName
		edit    [2]string
		want    traffic.Split
		// says are parts of the problem; none is no problem.
		says []string
	}{
		"Has":       {reason: "what the class lists can be used", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"}, want: mirror(10)},
		"HasNot":    {reason: "Traefik 3.6 lists no mirror and answers each request with 500", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRoute"}, want: mirror(10), says: []string{"step mirror needs feature HTTPRouteRequestMirror", "GatewayClass CLASS of Gateway NAMESPACE/public" + listed, "give HTTPRoute NAMESPACE/checkout a parent that has it"}},
		"NotInPart": {reason: "a percentage that is not known copies everything to few pods", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteRequestMirror"}, want: mirror(10), says: []string{"step mirror with percent 10 needs feature HTTPRouteRequestPercentageMirror", "may copy every request"}},
		"InFull":    {reason: "everything needs no percentage", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteRequestMirror"}, want: mirror(100)},
		"BesideTheirs": {
			reason: "a second mirror in a rule is a feature of its own", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteRequestMirror"}, want: mirror(100),
			edit: [2]string{"  - backendRefs", "  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: audit, port: 80}}}]\n    backendRefs"},
			says: []string{"HTTPRouteRequestMultipleMirrors"},
		},
		"Silent":       {reason: "a class that lists nothing may have anything or nothing; an outage is worse than a refusal", objects: below + httpRoute, want: mirror(10), says: []string{"GatewayClass CLASS of Gateway NAMESPACE/public" + silent, "sluice.dev/supported-features: HTTPRouteRequestMirror of Gateway NAMESPACE/public"}},
		"Said":         {reason: "whoever runs the Gateway knows", objects: below + httpRoute, want: mirror(10), edit: [2]string{"metadata: {name: public}", "metadata: {name: public, annotations: {sluice.dev/supported-features: 'HTTPRouteRequestMirror, HTTPRouteRequestPercentageMirror'}}"}},
		"NoClass":      {reason: "a class that is not there lists nothing", objects: strings.Replace(below, "gatewayClassName: CLASS", "gatewayClassName: CLASS-other", 1) + httpRoute, want: mirror(10), says: []string{"GatewayClass CLASS-other of Gateway NAMESPACE/public does not exist"}},
		"NoGateway":    {reason: "nor does a Gateway that is not there", objects: httpRoute, want: mirror(10), says: []string{"Gateway NAMESPACE/public does not exist (create it or correct spec.parentRefs)"}},
		"EachParent":   {reason: "one parent that can't is enough", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteRequestMirror"}, want: mirror(100), edit: [2]string{"[{name: public}]", "[{name: public}, {name: internal}]"}, says: []string{"Gateway NAMESPACE/internal does not exist"}},
		"Mesh":         {reason: "a mesh has no class", objects: inMesh, want: mirror(10), says: []string{"nothing reports what the mesh of Service NAMESPACE/checkout can do", "annotation sluice.dev/supported-features: HTTPRouteRequestMirror of Service NAMESPACE/checkout"}},
		"MeshSaid":     {reason: "so the Service says it", objects: inMesh, want: mirror(100), edit: [2]string{"kind: Service\nmetadata: {name: checkout}", "kind: Service\nmetadata: {name: checkout, annotations: {sluice.dev/supported-features: HTTPRouteRequestMirror}}"}},
		"GRPC":         {reason: "no feature speaks of a GRPCRoute's mirror; that of an HTTPRoute is the nearest", objects: below + grpc, lists: []gatewayv1.FeatureName{"GRPCRoute"}, want: mirror(10), says: []string{"HTTPRouteRequestMirror"}},
		"Query":        {reason: "a match that is not known may match everybody", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRoute"}, want: query, says: []string{"step matchRoute testers with queryParams needs feature HTTPRouteQueryParamMatching", "may send everybody to the canary"}},
		"QueryListed":  {reason: "Traefik 3.6 lists it", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteQueryParamMatching"}, want: query},
		"Header":       {reason: "every data plane compares headers", objects: below + httpRoute, want: header},
		"Weights":      {reason: "and every one splits", objects: below + httpRoute, want: traffic.CanaryAt(25)},
		"Sticky":       {reason: "no class can list what has no feature", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRouteResponseHeaderModification", "HTTPRouteBackendRequestHeaderModification"}, want: sticky, says: []string{"stickiness takes filters on backends that change answers, which no feature of the Gateway API stands for", "such as Traefik 3", "remove stickiness or, once you have seen such a filter work there, say so in annotation sluice.dev/supported-features: HTTPRouteBackendResponseHeaderModification of Gateway NAMESPACE/public"}},
		"StickySilent": {reason: "nor does one that lists nothing", objects: below + httpRoute, want: sticky, says: []string{"HTTPRouteBackendResponseHeaderModification of the Gateway API", "of Gateway NAMESPACE/public"}},
		"StickySaid":   {reason: "whoever runs the Gateway knows", objects: below + httpRoute, lists: []gatewayv1.FeatureName{"HTTPRoute"}, want: sticky, edit: [2]string{"metadata: {name: public}", "metadata: {name: public, annotations: {sluice.dev/supported-features: HTTPRouteBackendResponseHeaderModification}}"}},
		"StickyMesh":   {reason: "and whoever runs the mesh", objects: inMesh, want: sticky, edit: [2]string{"kind: Service\nmetadata: {name: checkout}", "kind: Service\nmetadata: {name: checkout, annotations: {sluice.dev/supported-features: HTTPRouteBackendResponseHeaderModification}}"}},
		"NoRoute":      {reason: "whoever observes the route says that it is missing", objects: below, want: mirror(10)},
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	env := testenv.Start(t)
	c := env.Client(t, scheme)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ns := env.Namespace(t)
			objects := tc.objects
			if tc.edit[0] != "" {
				objects = strings.Replace(objects, tc.edit[0], tc.edit[1], 1)
			}
			kind := "HTTPRoute"
			for text := range strings.SplitSeq(strings.ReplaceAll(objects, "CLASS", ns), "---\n") {
				if o := put(t, c, ns, text, tc.lists); strings.HasSuffix(o, "Route") {
					kind = o
				}
			}
			route := routers.Route{
				Namespace: ns, Ref: v1alpha1.RouteRef{APIVersion: "gateway.networking.k8s.io/v1", Kind: kind, Name: "checkout"},
				Field: "spec.strategy.canary.routes[0]", StableService: "checkout-stable", CanaryService: "checkout-canary",
			}
			err := newRouter(c, c, requestKinds()).Unable(t.Context(), c, route, nil, []traffic.Split{traffic.CanaryAt(0), tc.want})
			var p *routers.Problem
			if len(tc.says) == 0 {
				if err != nil {
					t.Errorf("%s: %v", tc.reason, err)
				}
				return
			}
			if !errors.As(err, &p) || !p.Unwatched {
				t.Fatalf("%s: error %v, want a problem that no event mends", tc.reason, err)
			}
			if diff := cmp.Diff(route.Field, p.Field); diff != "" {
				t.Errorf("field (-want, +got):\n%s", diff)
			}
			for _, part := range tc.says {
				if part = strings.NewReplacer("CLASS", ns, "NAMESPACE", ns).Replace(part); !strings.Contains(p.Message, part) {
					t.Errorf("%s: the problem says %q, want %q in it", tc.reason, p.Message, part)
				}
			}
		})
	}
}

// TestUnableToLook: a class that may not be read is one of which nothing is known;
// an API server that does not answer says nothing at all.
func TestUnableToLook(t *testing.T) {
	mirror := []traffic.Split{{Stable: 100, Mirror: 100}}
	failing := errors.New("the API server does not answer")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: gatewayv1.GroupName, Resource: "gateways"}, "", nil)
	class, gateway := &gatewayv1.GatewayClass{}, &gatewayv1.Gateway{}
	for name, tc := range map[string]struct {
		reason string
		from   client.Object
		err    error
		says   string
	}{
		"Class":   {reason: "whoever installs the controller can let it", from: class, err: forbidden, says: "bound to ClusterRole sluice, may not read GatewayClass public of Gateway shop/public; a data plane without it may answer every request with an error; remove the step"},
		"Gateway": {reason: "so with a Gateway", from: gateway, err: forbidden, says: "bound to ClusterRole sluice, may not read Gateway shop/public; a data plane"},
		"Failing": {reason: "nobody can tell people anything", from: class, err: failing},
	} {
		t.Run(name, func(t *testing.T) {
			live := reader(func(o client.Object) error {
				if reflect.TypeOf(o) == reflect.TypeOf(tc.from) {
					return tc.err
				}
				text := httpRoute
				if _, ok := o.(*gatewayv1.Gateway); ok {
					text = "{metadata: {name: public, uid: '1'}, spec: {gatewayClassName: public}}"
				}
				return yaml.Unmarshal([]byte(text), o)
			})
			route := routers.Route{
				Namespace: "shop", Ref: v1alpha1.RouteRef{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "checkout"},
				Field: "spec.strategy.canary.routes[0]", StableService: "checkout-stable", CanaryService: "checkout-canary",
			}
			err := newRouter(nil, live, requestKinds()).Unable(t.Context(), live, route, nil, mirror)
			var p *routers.Problem
			switch is := errors.As(err, &p); {
			case is && (tc.says == "" || !p.Unwatched || !strings.Contains(p.Message, tc.says)):
				t.Errorf("%s: the problem says %q, want %q in it", tc.reason, p.Message, tc.says)
			case !is && (tc.says != "" || !errors.Is(err, tc.err)):
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

// reader reads what a function says.
type reader func(client.Object) error

func (r reader) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	return r(o)
}

func (reader) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// put creates an object, with these features if it is a class, and tells its kind.
func put(t *testing.T, c client.Client, ns, text string, lists []gatewayv1.FeatureName) string {
	t.Helper()
	o := object(routers.Route{})
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	o.SetNamespace(ns)
	if o.GetKind() == "GatewayClass" {
		o.SetNamespace("")
	}
	if err := c.Create(t.Context(), o, client.FieldValidation("Strict")); err != nil {
		t.Fatal(err)
	}
	if o.GetKind() == "GatewayClass" {
		t.Cleanup(func() { _ = c.Delete(context.WithoutCancel(t.Context()), o) })
		class := &gatewayv1.GatewayClass{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), class); err != nil {
			t.Fatal(err)
		}
		for _, name := range lists {
			class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: name})
		}
		if err := c.Status().Update(t.Context(), class); err != nil {
			t.Fatal(err)
		}
	}
	return o.GetKind()
}
