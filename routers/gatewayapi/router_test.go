// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// busy is a route with much that isn't the router's. Rules 1 and 3 are ours;
// rule 1 has a third backend, so there the two Services share 200.
const busy = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: checkout
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations:
    argocd.argoproj.io/sync-wave: "5"
    example.com/json: '{"a":  1.50, "b": "ü <&>"}'
spec:
  parentRefs:
  - {name: public, sectionName: https}
  - {name: internal}
  hostnames: [shop.example.com, "*.shop.example.org"]
  rules:
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters:
    - {type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}
  - name: main
    matches:
    - path: {type: PathPrefix, value: /checkout}
      headers: [{name: X-Tenant, type: Exact, value: a}, {name: X-Beta, type: Exact, value: "1"}]
      queryParams: [{name: v, value: "2"}]
      method: POST
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: X-A, value: "1"}], set: [{name: X-B, value: "2"}], remove: [X-C]}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: checkout-canary, port: 80}}}
    timeouts: {request: 10s, backendRequest: 2s}
    backendRefs:
    - {name: legacy, port: 8080, weight: 50}
    - {name: checkout-stable, port: 80, weight: 200}
    - name: checkout-canary
      port: 80
      weight: 0
      filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Version, value: canary}]}}]
  - backendRefs: [{name: other, port: 80}]
  - matches: [{path: {type: Exact, value: /health}}]
    backendRefs:
    - {name: checkout-canary, port: 81, weight: 0}
    - {name: checkout-stable, port: 81}
`

// calls is a GRPCRoute below a Gateway and, in a mesh, a Service.
const calls = `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: checkout}
spec:
  parentRefs:
  - {name: public, sectionName: grpc}
  - {group: "", kind: Service, name: checkout, port: 9090}
  hostnames: [grpc.example.com]
  rules:
  - name: buy
    matches:
    - method: {type: Exact, service: shop.Checkout, method: Buy}
      headers: [{name: tenant, type: Exact, value: a}]
    filters:
    - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-via, value: gw}]}}
    backendRefs:
    - {name: checkout-stable, port: 9090, weight: 1}
    - {name: checkout-canary, port: 9090, weight: 0}
  - backendRefs:
    - {name: checkout-canary, port: 9090, weight: 0}
    - {name: legacy, namespace: old, port: 9090, weight: 100}
    - {name: checkout-stable, port: 9090, weight: 300}
`

const connections = `
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: checkout, annotations: {team: shop}}
spec:
  parentRefs: [{name: public, sectionName: postgres}]
  rules:
  - name: main
    backendRefs:
    - {name: checkout-stable, port: 5432}
    - {name: checkout-canary, port: 5432, weight: 0}
`

const tunnels = `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: checkout}
spec:
  parentRefs: [{name: public, sectionName: tls}]
  hostnames: [shop.example.com, "*.shop.example.org"]
  rules:
  - backendRefs:
    - {name: vault, port: 8443, weight: 100}
    - {name: checkout-stable, port: 443, weight: 200}
    - {name: checkout-canary, port: 443, weight: 0}
`

// plain has neither annotations nor filters nor matches: nothing of them may be left behind.
const plain = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: checkout}
spec:
  parentRefs: [{group: "", kind: Service, name: checkout}]
  rules:
  - backendRefs:
    - {name: checkout-stable, port: 80}
    - {name: checkout-canary, port: 80, weight: 0}
`

func TestContract(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := Entry().AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	env := testenv.Start(t)
	for name, tc := range map[string]struct {
		entry    routers.Entry
		manifest string
	}{
		"HTTPRoute": {Entry(), busy}, "HTTPRouteInMesh": {Entry(), plain}, "GRPCRoute": {Entry(), calls},
		"TCPRoute": {StreamEntry(), connections}, "TLSRoute": {StreamEntry(), tunnels},
	} {
		t.Run(name, func(t *testing.T) {
			routertest.Run(t, routertest.Fixture{
				Entry:     tc.entry,
				Client:    env.Client(t, scheme),
				Namespace: env.Namespace,
				Create:    creating(tc.manifest),
				Settle:    settle,
				Drift:     drift,
				Object:    object,
				Shares:    sharesOf,
				Strip:     strip,
			})
		})
	}
}

func creating(manifest string) func(context.Context, client.Client, string) (routers.Route, error) {
	return func(ctx context.Context, c client.Client, namespace string) (routers.Route, error) {
		route := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(manifest), route); err != nil {
			return routers.Route{}, err
		}
		route.SetNamespace(namespace)
		if err := c.Create(ctx, route, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			return routers.Route{}, err
		}
		return routers.Route{
			Namespace:     namespace,
			Ref:           v1alpha1.RouteRef{APIVersion: route.GetAPIVersion(), Kind: route.GetKind(), Name: route.GetName()},
			Field:         "spec.strategy.canary.routes[0]",
			StableService: "checkout-stable",
			CanaryService: "checkout-canary", BaselineService: "checkout-baseline",
		}, nil
	}
}

// settle writes the status that gateway controllers write, for all parents.
func settle(ctx context.Context, c client.Client, r routers.Route) error {
	route := object(r)
	if err := c.Get(ctx, r.Key(), route); err != nil {
		return err
	}
	refs, _, err := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	if err != nil {
		return err
	}
	var parents []any
	for _, ref := range refs {
		var conditions []any
		for _, kind := range []string{"Accepted", "ResolvedRefs"} {
			conditions = append(conditions, map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "",
				"observedGeneration": route.GetGeneration(), "lastTransitionTime": "2026-01-01T00:00:00Z",
			})
		}
		parents = append(parents, map[string]any{"parentRef": ref, "controllerName": "example.com/gateway", "conditions": conditions})
	}
	if err := unstructured.SetNestedSlice(route.Object, parents, "status", "parents"); err != nil {
		return err
	}
	return c.Status().Update(ctx, route)
}

// drift edits every rule that sends to both Services, whatever its total and
// the order of its backends.
func drift(ctx context.Context, c client.Client, r routers.Route, canary int32) error {
	route := object(r)
	if err := c.Get(ctx, r.Key(), route); err != nil {
		return err
	}
	err := eachBackend(route, func(backend map[string]any) {
		switch {
		case namesAny(backend, r.Namespace, r.StableService):
			backend["weight"] = 3 * int64(100-canary)
		case namesAny(backend, r.Namespace, r.CanaryService):
			backend["weight"] = 3 * int64(canary)
		}
	})
	if err != nil {
		return err
	}
	return c.Update(ctx, route)
}

func object(r routers.Route) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(r.Ref.APIVersion)
	o.SetKind(r.Ref.Kind)
	o.SetNamespace(r.Namespace)
	o.SetName(r.Ref.Name)
	return o
}

// sharesOf adds up the raw weights of each rule.
func sharesOf(r routers.Route, o *unstructured.Unstructured) ([]traffic.Split, error) {
	rules, _, err := unstructured.NestedSlice(o.Object, "spec", "rules")
	if err != nil {
		return nil, err
	}
	var splits []traffic.Split
	for _, one := range rules {
		var stable, canary, baseline int64
		rule, _ := one.(map[string]any)
		backends, _ := rule["backendRefs"].([]any)
		for _, b := range backends {
			backend, _ := b.(map[string]any)
			weight, _ := backend["weight"].(int64)
			switch backend["name"] {
			case r.StableService:
				stable = weight
			case r.CanaryService:
				canary = weight
			case r.BaselineService:
				baseline = weight
			}
		}
		name, _ := rule["name"].(string)
		if total := stable + canary + baseline; total > 0 && !strings.HasPrefix(name, "sluice.dev.") {
			splits = append(splits, traffic.Split{Stable: int32(stable * 100 / total), Canary: int32(canary * 100 / total), Baseline: int32(baseline * 100 / total)})
		}
	}
	return splits, nil
}

// strip removes what the router may write: the third Service, the weights of the two Services, by
// name and not by position; and, where the note says that there is something
// beside them, the note, the rules with our names and the last filter that mirrors.
func strip(r routers.Route, o *unstructured.Unstructured) error {
	note, noted := o.GetAnnotations()[v1alpha1.BesideAnnotation]
	rules, _, err := unstructured.NestedSlice(o.Object, "spec", "rules")
	if err != nil {
		return err
	}
	var kept []any
	for _, entry := range rules {
		rule, _ := entry.(map[string]any)
		name, _ := rule["name"].(string)
		if strings.HasPrefix(name, "sluice.dev.") {
			continue
		}
		if strings.Contains(note, `"mirror"`) {
			stripMirror(r, rule)
		}
		backends, _ := rule["backendRefs"].([]any)
		rule["backendRefs"] = slices.DeleteFunc(backends, func(b any) bool {
			backend, _ := b.(map[string]any)
			return namesAny(backend, r.Namespace, r.BaselineService)
		})
		kept = append(kept, rule)
	}
	if err := unstructured.SetNestedSlice(o.Object, kept, "spec", "rules"); err != nil {
		return err
	}
	if noted {
		annotations := o.GetAnnotations()
		delete(annotations, v1alpha1.BesideAnnotation)
		o.SetAnnotations(annotations)
		if len(annotations) == 0 {
			unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
		}
	}
	return eachBackend(o, func(backend map[string]any) {
		if namesAny(backend, r.Namespace, r.StableService, r.CanaryService) {
			delete(backend, "weight")
			if strings.Contains(note, `"sticky"`) {
				stripCookie(backend)
			}
		}
	})
}

// stripCookie removes the entry that hands the cookie out, and what is empty without it.
func stripCookie(backend map[string]any) {
	filters, _ := backend["filters"].([]any)
	for i, entry := range filters {
		raw, _ := entry.(map[string]any)
		how, _ := raw["responseHeaderModifier"].(map[string]any)
		adds, _ := how["add"].([]any)
		adds = slices.DeleteFunc(adds, func(e any) bool { header, _ := e.(map[string]any); return header["name"] == "Set-Cookie" })
		if how == nil {
			continue
		}
		if how["add"] = adds; len(adds) == 0 {
			delete(how, "add")
		}
		if len(how) == 0 {
			filter(backend, slices.Delete(filters, i, i+1))
			return
		}
	}
}

func stripMirror(r routers.Route, rule map[string]any) {
	filters, _ := rule["filters"].([]any)
	if len(filters) == 0 {
		return
	}
	last, _ := filters[len(filters)-1].(map[string]any)
	if name, _, _ := unstructured.NestedString(last, "requestMirror", "backendRef", "name"); name != r.CanaryService {
		return
	}
	if len(filters) == 1 {
		delete(rule, "filters")
		return
	}
	rule["filters"] = filters[:len(filters)-1]
}

// namesAny says, on the raw object, whether a backend is one of the Services of a namespace.
func namesAny(backend map[string]any, namespace string, services ...any) bool {
	for field, only := range map[string]any{"group": "", "kind": "Service", "namespace": namespace} {
		if value, set := backend[field]; set && value != only {
			return false
		}
	}
	return slices.Contains(services, backend["name"])
}

func eachBackend(o *unstructured.Unstructured, do func(map[string]any)) error {
	rules, found, err := unstructured.NestedSlice(o.Object, "spec", "rules")
	if err != nil || !found {
		return fmt.Errorf("%s has no rules: %w", o.GetName(), err)
	}
	for _, one := range rules {
		rule, _ := one.(map[string]any)
		backends, _ := rule["backendRefs"].([]any)
		for _, b := range backends {
			if backend, ok := b.(map[string]any); ok {
				do(backend)
			}
		}
	}
	return unstructured.SetNestedSlice(o.Object, rules, "spec", "rules")
}
