// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// busy has much that isn't the router's. Routes 3 and 4 are ours; in route 3 a
// third destination has weight too, so there the two slots share 200. STABLE and
// CANARY stand for what a slot's destination names.
const busy = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: checkout
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations:
    argocd.argoproj.io/sync-wave: "5"
    example.com/json: '{"a":  1.50, "b": "ü <&>"}'
spec:
  hosts: [shop.example.com, checkout]
  gateways: [istio-ingress/public, mesh]
  exportTo: ["*"]
  http:
  - name: old
    match: [{uri: {prefix: /old}}]
    redirect: {uri: /new, redirectCode: 301}
  - name: health
    match: [{uri: {exact: /healthz}}]
    directResponse: {status: 200, body: {string: ok}}
  - match: [{uri: {prefix: /other}}]
    route: [{destination: {host: checkout-canary.other.svc.cluster.local}, weight: 100}]
  - name: main
    match:
    - {uri: {prefix: /checkout}, headers: {x-tenant: {exact: a}}, withoutHeaders: {x-internal: {exact: "1"}}}
    - {uri: {prefix: /pay}, method: {exact: POST}, queryParams: {v: {exact: "2"}}}
    rewrite: {uri: /}
    timeout: 10s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,reset"}
    fault: {delay: {percentage: {value: 0.1}, fixedDelay: 2s}}
    headers: {request: {add: {x-a: "1"}, set: {x-b: "2"}, remove: [x-c]}}
    mirrors: [{destination: {host: shadow}, percentage: {value: 1.5}}]
    route:
    - {destination: {host: legacy, port: {number: 8080}}, weight: 50}
    - {destination: {STABLE, port: {number: 80}}, weight: 200}
    - destination: {CANARY, port: {number: 80}}
      weight: 0
      headers: {response: {set: {x-version: canary}}}
  - match: [{uri: {exact: /health}}]
    route:
    - {destination: {CANARY, port: {number: 81}}}
    - {destination: {STABLE, port: {number: 81}}, weight: 100}
`

// policies is a DestinationRule with much that isn't the router's.
const policies = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: checkout, annotations: {owner: payments}}
spec:
  host: checkout
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 7, interval: 5m}}
  subsets:
  - {name: legacy, labels: {version: v0}}
  - {name: stable, labels: {app: checkout}, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}
  - {name: canary}
`

func TestContract(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := Entry().AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	env := testenv.Start(t)
	fixture := routertest.Fixture{
		Entry:     Entry(),
		Client:    env.Client(t, scheme),
		Namespace: env.Namespace,
		Drift:     drift,
		Object:    objectOf,
		Shares:    sharesOf,
		Strip: func(r routers.Route, o *unstructured.Unstructured) error {
			stripRaw(r, o.Object, true, true)
			return nil
		},
	}
	t.Run("Hosts", func(t *testing.T) {
		f := fixture
		f.Create = func(ctx context.Context, c client.Client, namespace string) (routers.Route, error) {
			return create(ctx, c, namespace, "", "host: checkout-stable", "host: checkout-canary."+namespace+".svc.cluster.local")
		}
		routertest.Run(t, f)
	})
	t.Run("Subsets", func(t *testing.T) {
		f := fixture
		f.Create = func(ctx context.Context, c client.Client, namespace string) (routers.Route, error) {
			return create(ctx, c, namespace, policies, "host: checkout, subset: stable", "host: checkout."+namespace+".svc.cluster.local, subset: canary")
		}
		f.Second = ruleOfRoute
		f.Defined = defined
		routertest.Run(t, f)
	})
}

func create(ctx context.Context, c client.Client, namespace, rule, stable, canary string) (routers.Route, error) {
	r := routers.Route{
		Namespace: namespace,
		Ref:       v1alpha1.RouteRef{APIVersion: groupVersion.String(), Kind: "VirtualService", Name: "checkout"},
		Field:     "spec.strategy.canary.routes[0]", StableService: "checkout-stable", CanaryService: "checkout-canary",
		StableRevision: "5c9f", CanaryRevision: "7d9f",
	}
	texts := []string{strings.NewReplacer("STABLE", stable, "CANARY", canary).Replace(busy)}
	if rule != "" {
		r.Ref.DestinationRule = "checkout"
		texts = append(texts, rule)
	}
	for _, text := range texts {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), o); err != nil {
			return r, err
		}
		o.SetNamespace(namespace)
		if err := c.Create(ctx, o); err != nil {
			return r, err
		}
	}
	return r, nil
}

// drift edits both routes, which differ in their totals and in the order of
// their destinations. It looks for them, since routes of ours may stand in front.
func drift(ctx context.Context, c client.Client, r routers.Route, canary int32) error {
	o := objectOf(r)
	if err := c.Get(ctx, r.Key(), o); err != nil {
		return err
	}
	var ops []string
	for i, one := range list(object(o.Object, "spec"), "http") {
		for j, d := range list(one, "route") {
			total, weight := int32(100), int32(-1)
			if text(one, "name") == "main" {
				total = 200
			}
			switch slotOf(r, object(d, "destination")) {
			case traffic.Stable:
				weight = total * (100 - canary) / 100
			case traffic.Canary:
				weight = total * canary / 100
			case traffic.Baseline:
			}
			if weight >= 0 && !inserted(any(one)) {
				ops = append(ops, fmt.Sprintf(`{"op": "add", "path": "/spec/http/%d/route/%d/weight", "value": %d}`, i, j, weight))
			}
		}
	}
	return c.Patch(ctx, objectOf(r), client.RawPatch(types.JSONPatchType, []byte("["+strings.Join(ops, ",")+"]")))
}

func objectOf(r routers.Route) *unstructured.Unstructured {
	return empty(r.Ref.Kind, r.Namespace, r.Ref.Name)
}

// ruleOfRoute is the DestinationRule with nothing but its name.
func ruleOfRoute(r routers.Route) *unstructured.Unstructured {
	return empty("DestinationRule", r.Namespace, r.Ref.DestinationRule)
}

func empty(kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(groupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// slotOf says whose a destination is, by names spelt out.
func slotOf(r routers.Route, destination map[string]any) traffic.Slot {
	slots := map[string]traffic.Slot{}
	for name, slot := range map[string]traffic.Slot{"checkout-stable": traffic.Stable, "checkout-canary": traffic.Canary} {
		if r.Ref.DestinationRule != "" {
			name = "checkout"
		}
		for _, host := range []string{name, name + "." + r.Namespace + ".svc.cluster.local", name + "." + r.Namespace + ".svc.k8s.example.net"} {
			if r.Ref.DestinationRule != "" {
				host += " " + string(slot)
			}
			slots[host] = slot
		}
	}
	host := text(destination, "host")
	if r.Ref.DestinationRule != "" {
		host += " " + text(destination, "subset")
	}
	return slots[host]
}

// sharesOf adds up the raw weights of each route.
func sharesOf(r routers.Route, o *unstructured.Unstructured) ([]traffic.Split, error) {
	var splits []traffic.Split
	for _, one := range list(object(o.Object, "spec"), "http") {
		weights := map[traffic.Slot]int64{}
		for _, d := range list(one, "route") {
			weights[slotOf(r, object(d, "destination"))] += number(d, "weight")
		}
		if total := weights[traffic.Stable] + weights[traffic.Canary]; total > 0 && !inserted(any(one)) {
			splits = append(splits, traffic.Split{Stable: int32(weights[traffic.Stable] * 100 / total), Canary: int32(weights[traffic.Canary] * 100 / total)})
		}
	}
	if len(splits) != 2 {
		return nil, fmt.Errorf("%d routes send to our slots, the fixture made 2", len(splits))
	}
	return splits, nil
}

// stripRaw removes what the router may write, by names and not by position.
func stripRaw(r routers.Route, o map[string]any, mirror, sticky bool) {
	metadata, spec := object(o, "metadata"), object(o, "spec")
	drop(metadata, "annotations", v1alpha1.BesideAnnotation)
	for _, s := range list(spec, "subsets") {
		drop(s, "labels", v1alpha1.RevisionLabel)
	}
	for _, protocol := range []string{"http", "tls", "tcp"} {
		kept := slices.DeleteFunc(list(spec, protocol), func(one map[string]any) bool { return strings.HasPrefix(text(one, "name"), "sluice.dev/") })
		setList(spec, protocol, kept)
		for _, one := range kept {
			for _, d := range list(one, "route") {
				slot := slotOf(r, object(d, "destination"))
				if slot != "" {
					delete(d, "weight")
				}
				if slot != "" && sticky {
					drop(d, "headers", "response", "add", "set-cookie")
				}
			}
			if mirror {
				setList(one, "mirrors", slices.DeleteFunc(list(one, "mirrors"), func(m map[string]any) bool {
					return slotOf(r, object(m, "destination")) == traffic.Canary
				}))
			}
		}
	}
}

// defined finds a destination that gets requests and is a subset that doesn't
// exist, or one that stands for another revision than its slot.
func defined(ctx context.Context, c client.Client, r routers.Route) error {
	v, rule := objectOf(r), ruleOfRoute(r)
	if err := errors.Join(c.Get(ctx, r.Key(), v), c.Get(ctx, client.ObjectKeyFromObject(rule), rule)); err != nil {
		return err
	}
	subsets := map[string]string{}
	for _, s := range list(object(rule.Object, "spec"), "subsets") {
		subsets[text(s, "name")] = text(object(s, "labels"), v1alpha1.RevisionLabel)
	}
	var wrong []error
	for _, one := range list(object(v.Object, "spec"), "http") {
		for _, d := range append(list(one, "route"), list(one, "mirrors")...) {
			name := text(object(d, "destination"), "subset")
			if name == "" || number(d, "weight") == 0 && len(list(one, "route")) > 1 && d["percentage"] == nil {
				continue
			}
			revision, exists := subsets[name]
			want := map[string]string{"stable": r.StableRevision, "canary": r.CanaryRevision}[name]
			// At rest and after a release the stable subset is the user's own.
			if !exists || revision != want && (name != "stable" || revision != "") {
				wrong = append(wrong, fmt.Errorf("%q is sent requests; subset %s stands for %q, the slot for %q", text(one, "name"), name, revision, want))
			}
		}
	}
	return errors.Join(wrong...)
}
