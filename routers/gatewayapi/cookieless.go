// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/routers"
)

// cookieless is the problem of a rule that has no room for a cookie of a name, in
// which somebody else hands one out, or that has a neighbour which would lose
// requests to ours.
func cookieless(v view, p pair, r routers.Route, cookie string) error {
	ours := p.slots()
	for i, entry := range listOf(p.raw, "backendRefs") {
		backend, _ := entry.(map[string]any)
		switch slot := slices.Contains(ours, i); {
		case slot && slices.ContainsFunc(filtersOf(backend), func(f any) bool { return saysCookie(f, "add", "set", "remove") }):
			return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
				"backendRefs[%d] in %s of %s has a filter %s that says something of %s already, and there is place for one; take that out, or remove stickiness", i, p, r, modifier, setCookie)}
		case !slot && slices.ContainsFunc(filtersOf(backend), func(f any) bool { return handsOut(f, cookie) }):
			return namesake(fmt.Sprintf("backendRefs[%d] in %s of %s", i, p, r), r, cookie)
		}
	}
	for _, f := range p.theirFilters(v) {
		if saysCookie(f, "set", "remove") {
			return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
				"a filter %s in %s of %s sets or removes %s, and with it the cookie; take that out, or remove stickiness", modifier, p, r, setCookie)}
		}
		if handsOut(f, cookie) {
			return namesake(fmt.Sprintf("a filter %s in %s of %s", modifier, p, r), r, cookie)
		}
	}
	for _, one := range v.rules {
		if shadows(p, one) {
			return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
				"stickiness would take requests away from %s of %s: the cookie makes the matches of %s more specific; steer that rule too, give it a host name of its own, or remove stickiness", one, r, p)}
		}
	}
	return nil
}

// namesake is the problem of a cookie that has the name of ours: whoever got it would
// be drawn anew with the next request.
func namesake(where string, r routers.Route, cookie string) error {
	return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
		"%s hands out a cookie %s, which is what stickiness is to know users by; set another stickiness.cookie, take that out, or remove stickiness", where, cookie)}
}

// handsOut reports whether a filter adds or sets a cookie of a name.
func handsOut(entry any, cookie string) bool {
	for _, list := range []string{"add", "set"} {
		for _, e := range listOf(howOf(entry), list) {
			header, _ := e.(map[string]any)
			name, _ := header["name"].(string)
			value, _ := header["value"].(string)
			if strings.EqualFold(name, setCookie) && strings.HasPrefix(strings.TrimSpace(value), cookie+"=") {
				return true
			}
		}
	}
	return false
}

// saysCookie reports whether one of these lists of a filter names our header.
func saysCookie(entry any, lists ...string) bool {
	for _, list := range lists {
		for _, e := range listOf(howOf(entry), list) {
			name, _ := e.(string)
			if header, is := e.(map[string]any); is {
				name, _ = header["name"].(string)
			}
			if strings.EqualFold(name, setCookie) {
				return true
			}
		}
	}
	return false
}

// shadows reports whether another rule, which is not steered, has a match that
// comes before one of this rule's by query parameters or its place alone, or by
// one header that ours makes up for while it has fewer query parameters.
func shadows(p pair, other rule) bool {
	if p.chosen[other.index] {
		return false
	}
	for _, theirs := range matchesIn(other.raw) {
		for _, ours := range matchesIn(p.raw) {
			headers := len(listOf(theirs, "headers")) - len(listOf(ours, "headers"))
			params := len(listOf(theirs, "queryParams")) - len(listOf(ours, "queryParams"))
			overtakes := headers == 0 && (params > 0 || params == 0 && other.index < p.index)
			if samePlace(theirs, ours) && (overtakes || headers == 1 && params < 0) {
				return true
			}
		}
	}
	return false
}

func samePlace(a, b map[string]any) bool {
	path := func(m map[string]any) string {
		value, found, _ := unstructured.NestedString(m, "path", "value")
		if !found {
			value = "/"
		}
		kind, _, _ := unstructured.NestedString(m, "path", "type")
		return strings.TrimPrefix(kind, "PathPrefix") + value
	}
	return path(a) == path(b) && a["method"] == b["method"]
}

func matchesIn(raw map[string]any) []map[string]any {
	var all []map[string]any
	for _, entry := range listOf(raw, "matches") {
		if m, ok := entry.(map[string]any); ok {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		all = []map[string]any{{}}
	}
	return all
}
