// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"regexp"
	"testing"

	"github.com/sluice-dev/sluice/routers/routertest"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestUsersStay does with requests what the rendered routes say, in their order,
// as Envoy does.
func TestUsersStay(t *testing.T) {
	cases := map[string]struct {
		reason string
		routes string
	}{
		"Plain": {"a route of two Services", `- route: [{destination: {host: checkout-stable}, weight: 100}, {destination: {host: checkout-canary}, weight: 0}]`},
		"Unsteered": {"others before and after it take what they took", `
- {match: [{uri: {prefix: /static}}], route: [{destination: {host: assets}}]}
- {name: main, route: [{destination: {host: checkout-canary}}, {destination: {host: checkout-stable}, weight: 1}]}
- {route: [{destination: {host: nobody}}]}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := state{virtualService: &VirtualService{}}
			decode(t, "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: checkout, namespace: shop}, spec: {}}", s.virtualService)
			var http []any
			decode(t, tc.routes, &http)
			s.virtualService.Spec = map[string]any{"hosts": []any{"checkout"}, "http": http}
			routertest.Users(t, 0, func(want traffic.Split) routertest.Plane {
				s = after(t, s, want)
				return serving(t, s.virtualService.Spec)
			})
		})
	}
}

// after is the state after a split was written over the one before.
func after(t *testing.T, s state, want traffic.Split) state {
	t.Helper()
	r := asked{}.route()
	_, ops, err := render(s, r, want)
	if err != nil {
		t.Fatal(err)
	}
	raw := routertest.Encode(t, s.virtualService)
	next := state{virtualService: &VirtualService{}}
	decode(t, routertest.Patched(t, raw, append([]operation{}, ops[1:]...)), next.virtualService)
	if o, err := read(next, r); err != nil || !o.RequestedAll(want) {
		t.Fatalf("%v reads back as %+v, %v", want, o, err)
	}
	return next
}

// serving answers requests for / that bring cookies by the first route that takes them.
func serving(t *testing.T, spec map[string]any) routertest.Plane {
	t.Helper()
	slots := map[string]traffic.Slot{"checkout-stable": traffic.Stable, "checkout-canary": traffic.Canary}
	return func(cookies string) []routertest.Answer {
		for _, one := range list(spec, overHTTP) {
			if !takes(list(one, "match"), cookies) {
				continue
			}
			var all []routertest.Answer
			for _, d := range list(one, "route") {
				a := routertest.Answer{
					Slot: slots[text(object(d, "destination"), "host")], Part: number(d, "weight"),
					SetCookie: text(object(object(object(d, "headers"), "response"), "add"), setCookie),
				}
				if len(list(one, "route")) == 1 {
					a.Part = 100
				}
				if a.Part > 0 {
					all = append(all, a)
				}
			}
			return all
		}
		return nil
	}
}

// takes reports whether a route takes a request for / with cookies. Envoy
// compares the whole header with a regex.
func takes(matches []map[string]any, cookies string) bool {
	for _, m := range matches {
		pattern := text(object(object(m, "headers"), "cookie"), "regex")
		if m["uri"] == nil && regexp.MustCompile("^(?:"+pattern+")$").MatchString(cookies) {
			return true
		}
	}
	return len(matches) == 0
}
