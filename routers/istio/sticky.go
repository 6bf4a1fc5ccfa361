// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// setCookie is the header that hands a cookie out.
const setCookie = "set-cookie"

// kept makes the routes that go in front of a pair's for those who bring a
// cookie: its copies, with the weights of each draw.
func (p pair) kept(want traffic.Split, r routers.Route) ([]map[string]any, error) {
	if want.Sticky == nil {
		return nil, nil
	}
	if err := p.crowded(want.Sticky.Cookie, r); err != nil {
		return nil, err
	}
	var all []map[string]any
	for _, d := range want.Draws() {
		has := v1alpha1.RequestMatch{Cookies: []v1alpha1.ValueMatch{{Name: want.Sticky.Cookie, Exact: &d.Value}}}
		made, err := p.copyFor("sticky/"+d.Name, []v1alpha1.RequestMatch{has}, r)
		if err != nil {
			return nil, err
		}
		p.hands(want, made)
		p.drawn(made, d)
		all = append(all, made)
	}
	return all, nil
}

// drawn gives a copy of the pair's route the weights of a draw. Who gets nothing is left out.
func (p pair) drawn(made map[string]any, d traffic.Draw) {
	give := p.weights.Draw(d)
	var to []map[string]any
	for i, one := range list(made, "route") {
		switch i {
		case p.stable:
			one["weight"] = give.Stable
		case p.canary:
			one["weight"] = give.Canary
		}
		if number(one, "weight") > 0 {
			to = append(to, one)
		}
	}
	if len(to) == 1 {
		delete(to[0], "weight")
	}
	setList(made, "route", to)
}

// hands has both slots of a route that looks like the pair's hand out their cookies.
func (p pair) hands(want traffic.Split, raw map[string]any) {
	if want.Sticky == nil {
		return
	}
	to := list(raw, "route")
	put(to[p.stable], want.HandsOut(traffic.Stable), "headers", "response", "add", setCookie)
	put(to[p.canary], want.HandsOut(traffic.Canary), "headers", "response", "add", setCookie)
}

// crowded is the problem of a route in which there is no room for a cookie of a
// name, or in which somebody else hands one out.
func (p pair) crowded(cookie string, r routers.Route) error {
	for i, m := range list(p.raw, "match") {
		if spelt(object(m, "headers"), "cookie") != "" {
			return problem(r, "", "%s.match[%d] of %s compares header cookie already, and Istio compares each header once only; steer another route, or remove stickiness", p, i, r)
		}
	}
	for i, d := range p.destinations() {
		slot := i == p.stable || i == p.canary
		if field := handsOut(d, "add", "set", "remove"); slot && field != "" {
			return problem(r, "", "%s.route[%d] of %s says something of set-cookie already, and there is place for one; remove headers.response.%s, or stickiness", p, i, r, field)
		}
		if field := names(d, cookie); !slot && field != "" {
			return problem(r, "", "%s.route[%d] of %s hands out a cookie %s, which is what stickiness is to know users by; set another stickiness.cookie, or remove headers.response.%s", p, i, r, cookie, field)
		}
	}
	if field := handsOut(p.raw, "set", "remove"); field != "" {
		return problem(r, "", "%s of %s takes away the cookie that its destinations hand out; remove headers.response.%s, or stickiness", p, r, field)
	}
	if field := names(p.raw, cookie); field != "" {
		return problem(r, "", "%s of %s hands out a cookie %s, which is what stickiness is to know users by; set another stickiness.cookie, or remove headers.response.%s", p, r, cookie, field)
	}
	return nil
}

// names is the first operation on response headers that hands out a cookie of a name; empty when there is none.
func names(of map[string]any, cookie string) string {
	for _, operation := range []string{"add", "set"} {
		headers := object(object(object(of, "headers"), "response"), operation)
		if name := spelt(headers, setCookie); strings.HasPrefix(strings.TrimSpace(text(headers, name)), cookie+"=") {
			return operation + "." + name
		}
	}
	return ""
}

// handsOut is the first of these operations on response headers that says something of set-cookie.
func handsOut(of map[string]any, operations ...string) string {
	response := object(object(of, "headers"), "response")
	for _, operation := range operations {
		if name := spelt(object(response, operation), setCookie); name != "" {
			return operation + "." + name
		}
		names, _ := response[operation].([]any)
		if slices.ContainsFunc(names, func(n any) bool { s, _ := n.(string); return strings.EqualFold(s, setCookie) }) {
			return operation
		}
	}
	return ""
}

// spelt is the name of a header as it is written; empty when it is not there.
func spelt(headers map[string]any, header string) string {
	for name := range headers {
		if strings.EqualFold(name, header) {
			return name
		}
	}
	return ""
}
