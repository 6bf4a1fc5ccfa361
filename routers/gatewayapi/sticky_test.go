// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const withoutRules = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: checkout, namespace: shop}, spec: {parentRefs: [{name: public}]}}"

// TestUsersStay does with requests what the rendered rules say, the most
// specific match first, as the Gateway API orders them.
func TestUsersStay(t *testing.T) {
	const plain = "{backendRefs: [{name: checkout-stable, port: 80, weight: 100}, {name: checkout-canary, port: 80, weight: 0}]}"
	cases := map[string]struct {
		reason   string
		rules    string
		baseline int32
	}{
		"Plain":    {"a rule of two Services", "[" + plain + "]", 0},
		"Baseline": {"and a third, whose users are stable's", "[" + plain + "]", 20},
		"Neighbours": {"rules that nobody steers take what they took", `[
  {matches: [{headers: [{name: X-Tester, type: Exact, value: "1"}]}], backendRefs: [{name: nobody}]},
  {backendRefs: [{name: checkout-canary, filters: [{type: URLRewrite, urlRewrite: {hostname: a}}]}, {name: checkout-stable}]},
  {matches: [{path: {type: PathPrefix, value: /static}}], backendRefs: [{name: assets}]}]`, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := map[string]any{}
			decode(t, withoutRules, &o)
			var rules []any
			decode(t, tc.rules, &rules)
			if err := unstructured.SetNestedField(o, rules, "spec", "rules"); err != nil {
				t.Fatal(err)
			}
			body := routertest.Encode(t, o)
			routertest.Users(t, tc.baseline, func(want traffic.Split) routertest.Plane {
				body = rewritten(t, body, want)
				return serving(t, body)
			})
		})
	}
}

// TestAnothersCookieStays: of the name or not, what a backend of the user's hands out
// is never taken for ours, whatever the note says; and no weight is confirmed beside it.
func TestAnothersCookieStays(t *testing.T) {
	const theirs = "{name: legacy, port: 80, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: Set-Cookie, value: who=me}]}}]}"
	route := `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: checkout, namespace: shop, resourceVersion: "1",
  annotations: {sluice.dev/beside: '{"sticky":{"cookie":"who","value":"7d9f-1","maxAge":3600000000000}}'}}, spec: {rules: [
  {backendRefs: [` + theirs + `, {name: checkout-stable, weight: 100}, {name: checkout-canary, weight: 0}]}]}}`
	v, r := seen(t, asked{}, route)
	ps, err := pairs(v, r)
	if err != nil {
		t.Fatal(err)
	}
	o, err := read(v, ps, r)
	if err != nil || len(o.Requested) < 2 {
		t.Errorf("the route reads as %+v, %v, want several splits, of which none is confirmed", o, err)
	}
	ops, err := operations(v, r, traffic.CanaryAt(0))
	if err != nil {
		t.Fatal(err)
	}
	after := routertest.Patched(t, route, ops)
	if !strings.Contains(after, "who=me") || strings.Contains(after, "sluice.dev") {
		t.Errorf("after the end of a release the route is\n%s", after)
	}
}

// rewritten is the route after a split was written over the one before.
func rewritten(t *testing.T, body string, want traffic.Split) string {
	t.Helper()
	v, r := seen(t, asked{}, body)
	ops, err := operations(v, r, want)
	if err != nil {
		t.Fatal(err)
	}
	body = routertest.Patched(t, body, ops[1:])
	v, _ = seen(t, asked{}, body)
	ps, err := pairs(v, r)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := read(v, ps, r); err != nil || !o.RequestedAll(want) {
		t.Fatalf("%v reads back as %+v, %v", want, o, err)
	}
	return body
}

// serving answers requests for / that bring cookies by the rule whose match has
// the most headers, the first of them where several have.
func serving(t *testing.T, body string) routertest.Plane {
	t.Helper()
	o := map[string]any{}
	decode(t, body, &o)
	spec, _ := o["spec"].(map[string]any)
	return func(cookies string) []routertest.Answer {
		var best map[string]any
		most := -1
		for _, entry := range listOf(spec, "rules") {
			rule, _ := entry.(map[string]any)
			for _, m := range matchesIn(rule) {
				if headers := len(listOf(m, "headers")); headers > most && taken(m, cookies) {
					best, most = rule, headers
				}
			}
		}
		return answers(best)
	}
}

func taken(m map[string]any, cookies string) bool {
	if path, found, _ := unstructured.NestedString(m, "path", "value"); found && path != "/" {
		return false
	}
	for _, entry := range listOf(m, "headers") {
		header, _ := entry.(map[string]any)
		pattern, _ := header["value"].(string)
		if header["name"] != "Cookie" || header["type"] != "RegularExpression" || !regexp.MustCompile(pattern).MatchString(cookies) {
			return false
		}
	}
	return true
}

func answers(rule map[string]any) []routertest.Answer {
	slots := map[any]traffic.Slot{"checkout-stable": traffic.Stable, "checkout-canary": traffic.Canary, "checkout-baseline": traffic.Baseline}
	var all []routertest.Answer
	for _, entry := range listOf(rule, "backendRefs") {
		backend, _ := entry.(map[string]any)
		a := routertest.Answer{Slot: slots[backend["name"]], Part: 1}
		if weight, ok := backend["weight"].(float64); ok {
			a.Part = int64(weight)
		}
		for _, f := range listOf(backend, "filters") {
			modify, _ := f.(map[string]any)
			how, _ := modify[modifying].(map[string]any)
			for _, add := range listOf(how, "add") {
				header, _ := add.(map[string]any)
				a.SetCookie, _ = header["value"].(string)
			}
		}
		if a.Part > 0 {
			all = append(all, a)
		}
	}
	return all
}
