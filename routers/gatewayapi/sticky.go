// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	modifier  = "ResponseHeaderModifier"
	modifying = "responseHeaderModifier"
	setCookie = "Set-Cookie"
)

// handed is what hands a cookie out, on one backend of a rule: an entry of the
// one filter there that changes answers.
type handed struct {
	value string
	// at is the filter's place, entry that in its list of headers to add.
	at, entry int
	// alone: the filter does nothing else; first: it adds nothing else.
	alone, first bool
}

// withoutCookies takes our cookies out of what the rule is seen to be, and notes
// where they stand. Ours are those that the object's note names.
func (one rule) withoutCookies(k *traffic.Sticky) rule {
	backends, _ := one.raw["backendRefs"].([]any)
	if k == nil || len(backends) == 0 {
		return one
	}
	one.cookies = map[int]handed{}
	backends = slices.Clone(backends)
	for i := range backends {
		backend, _ := backends[i].(map[string]any)
		if left, h, found := withoutCookie(filtersOf(backend), k.Cookie); found {
			one.cookies[i] = h
			backend = maps.Clone(backend)
			filter(backend, left)
			backends[i] = backend
		}
	}
	one.raw = maps.Clone(one.raw)
	one.raw["backendRefs"] = backends
	return one
}

// withoutCookie are filters without the entry that hands out a cookie of a name.
func withoutCookie(filters []any, name string) ([]any, handed, bool) {
	at := modifierIn(filters)
	if at < 0 {
		return filters, handed{}, false
	}
	how := howOf(filters[at])
	adds := listOf(how, "add")
	entry := slices.IndexFunc(adds, func(e any) bool { return strings.HasPrefix(valueOf(e), name+"=") })
	if entry < 0 {
		return filters, handed{}, false
	}
	h := handed{value: valueOf(adds[entry]), at: at, entry: entry, first: len(adds) == 1, alone: len(adds) == 1 && len(how) == 1}
	filters = slices.Clone(filters)
	if h.alone {
		return slices.Delete(filters, at, at+1), h, true
	}
	how = maps.Clone(how)
	if how["add"] = slices.Delete(slices.Clone(adds), entry, entry+1); h.first {
		delete(how, "add")
	}
	filters[at] = map[string]any{"type": modifier, modifying: how}
	return filters, h, true
}

// withCookie are filters with that entry.
func withCookie(filters []any, cookie string) []any {
	at := modifierIn(filters)
	filters = slices.Clone(filters)
	if at < 0 {
		return append(filters, cookieFilter(cookie))
	}
	how := maps.Clone(howOf(filters[at]))
	how["add"] = append(slices.Clone(listOf(how, "add")), cookieEntry(cookie))
	filters[at] = map[string]any{"type": modifier, modifying: how}
	return filters
}

// modifierIn is the place of the filter that changes answers, of which a backend has one at most; -1 when there is none.
func modifierIn(filters []any) int {
	return slices.IndexFunc(filters, func(f any) bool { raw, _ := f.(map[string]any); return raw["type"] == modifier })
}

func howOf(entry any) map[string]any {
	raw, _ := entry.(map[string]any)
	how, _ := raw[modifying].(map[string]any)
	return how
}

// valueOf is the value of an entry for our header; empty for another.
func valueOf(entry any) string {
	header, _ := entry.(map[string]any)
	value, _ := header["value"].(string)
	if header["name"] != setCookie {
		return ""
	}
	return value
}

func cookieEntry(value string) map[string]any {
	return map[string]any{"name": setCookie, "value": value}
}

func cookieFilter(value string) map[string]any {
	return map[string]any{"type": modifier, modifying: map[string]any{"add": []any{cookieEntry(value)}}}
}

func filtersOf(o map[string]any) []any {
	filters, _ := o["filters"].([]any)
	return filters
}

// filter gives an object these filters, and no empty list.
func filter(o map[string]any, filters []any) {
	if len(filters) == 0 {
		delete(o, "filters")
		return
	}
	o["filters"] = filters
}

// handing is a copy of a backend that hands out a cookie; empty hands out none.
func handing(backend any, cookie string) map[string]any {
	fields, _ := backend.(map[string]any)
	copied := maps.Clone(fields)
	if cookie != "" {
		copied["filters"] = withCookie(filtersOf(copied), cookie)
	}
	return copied
}

// hand lists what makes a backend of the rule hand out a cookie; empty ends it.
func hand(p pair, backend int, cookie string) []operation {
	has := p.cookies[backend]
	if has.value == cookie {
		return nil
	}
	backends, _ := p.raw["backendRefs"].([]any)
	fields, _ := backends[backend].(map[string]any)
	path := fmt.Sprintf("/spec/rules/%d/backendRefs/%d/filters", p.index, backend)
	switch {
	case cookie == "":
		return []operation{{Op: "remove", Path: has.path(path, len(filtersOf(fields)) == 0)}}
	case has.value != "":
		return []operation{{Op: "replace", Path: fmt.Sprintf("%s/%d/%s/add/%d/value", path, has.at, modifying, has.entry), Value: cookie}}
	}
	return []operation{addCookie(path, filtersOf(fields), cookie)}
}

// path is that of all that is ours, below the filters of a backend.
func (h handed) path(filters string, only bool) string {
	switch one := fmt.Sprintf("%s/%d", filters, h.at); {
	case h.alone && only:
		return filters
	case h.alone:
		return one
	case h.first:
		return one + "/" + modifying + "/add"
	default:
		return fmt.Sprintf("%s/%s/add/%d", one, modifying, h.entry)
	}
}

// addCookie adds a cookie to the filters at a path: as one more header of the
// filter that is there, or as a filter.
func addCookie(path string, filters []any, cookie string) operation {
	at := modifierIn(filters)
	switch {
	case len(filters) == 0:
		return operation{Op: "add", Path: path, Value: []any{cookieFilter(cookie)}}
	case at < 0:
		return operation{Op: "add", Path: path + "/-", Value: cookieFilter(cookie)}
	case len(listOf(howOf(filters[at]), "add")) == 0:
		return operation{Op: "add", Path: fmt.Sprintf("%s/%d/%s/add", path, at, modifying), Value: []any{cookieEntry(cookie)}}
	}
	return operation{Op: "add", Path: fmt.Sprintf("%s/%d/%s/add/-", path, at, modifying), Value: cookieEntry(cookie)}
}

// hands reports whether the rule's backends hand out exactly what a split asks for.
func hands(p pair, s traffic.Split) bool {
	for i := range p.backends {
		want := ""
		switch i {
		case p.canary:
			want = s.HandsOut(traffic.Canary)
		case p.stable, p.baseline:
			want = s.HandsOut(traffic.Stable)
		}
		if p.cookies[i].value != want {
			return false
		}
	}
	return true
}

// kept are the rules for those who bring a cookie: each rule steered once more
// for each draw, with its weights. They stand behind the user's, since a match
// with one more header is the more specific one wherever it stands, and where
// both have as many the user's counts.
func kept(v view, ps []pair, r routers.Route, want traffic.Split) ([]any, error) {
	if want.Sticky == nil {
		return nil, nil
	}
	var all []any
	for _, p := range ps {
		if err := cookieless(v, p, r); err != nil {
			return nil, err
		}
		for _, d := range want.Draws() {
			has := v1alpha1.MatchRoute{
				Name:  "sticky." + d.Name,
				Match: []v1alpha1.RequestMatch{{Cookies: []v1alpha1.ValueMatch{{Name: want.Sticky.Cookie, Exact: &d.Value}}}},
			}
			rules, err := copies(v, p, has, func(name string, matches []any) map[string]any {
				copied := redrawn(v, p, want, d)
				copied["name"], copied["matches"] = name, matches
				return copied
			})
			if err != nil {
				return nil, &routers.Problem{Field: r.Field, Message: fmt.Sprintf("stickiness can't be added to %s of %s: %v", p, r, err)}
			}
			all = append(all, rules...)
		}
	}
	return all, nil
}

// redrawn is the user's rule for the bearers of a cookie, with the weights of
// their draw. Whose part is nothing is left out; other backends keep theirs.
func redrawn(v view, p pair, want traffic.Split, d traffic.Draw) map[string]any {
	copied := maps.Clone(p.raw)
	filters := slices.Clone(p.theirFilters(v))
	if want.Mirror > 0 {
		filters = append(filters, p.mirrorFilter(want.Mirror))
	}
	filter(copied, filters)
	give := p.weights.Draw(d)
	backends, _ := p.raw["backendRefs"].([]any)
	var to []any
	for i, backend := range backends {
		switch i {
		case p.stable:
			to = weighed(to, backend, give.Stable, want.HandsOut(traffic.Stable))
		case p.canary:
			to = weighed(to, backend, give.Canary, want.HandsOut(traffic.Canary))
		case p.baseline:
		default:
			to = append(to, backend)
		}
	}
	if third := thirdBackend(p, want.Baseline > 0); third != nil {
		to = weighed(to, third, give.Baseline, want.HandsOut(traffic.Baseline))
	}
	copied["backendRefs"] = to
	return copied
}

func weighed(to []any, backend any, weight int64, cookie string) []any {
	if weight == 0 {
		return to
	}
	copied := handing(backend, cookie)
	copied["weight"] = weight
	return append(to, copied)
}

// cookieless is the problem of a rule that has no room for a cookie, or that
// has a neighbour which would lose requests to ours.
func cookieless(v view, p pair, r routers.Route) error {
	backends, _ := p.raw["backendRefs"].([]any)
	for _, i := range []int{p.stable, p.canary} {
		backend, _ := backends[i].(map[string]any)
		if slices.ContainsFunc(filtersOf(backend), func(f any) bool { return saysCookie(f, "add", "set", "remove") }) {
			return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
				"backendRefs[%d] in %s of %s has a filter %s that says something of %s already, and there is place for one; take that out, or remove stickiness", i, p, r, modifier, setCookie)}
		}
	}
	if slices.ContainsFunc(p.theirFilters(v), func(f any) bool { return saysCookie(f, "set", "remove") }) {
		return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
			"a filter %s in %s of %s sets or removes %s, and with it the cookie; take that out, or remove stickiness", modifier, p, r, setCookie)}
	}
	for _, one := range v.rules {
		if shadows(p, one) {
			return &routers.Problem{Field: r.Field, Message: fmt.Sprintf(
				"stickiness would take requests away from %s of %s: the cookie makes the matches of %s more specific; steer that rule too, give it a host name of its own, or remove stickiness", one, r, p)}
		}
	}
	return nil
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

func listOf(o map[string]any, field string) []any {
	entries, _ := o[field].([]any)
	return entries
}
