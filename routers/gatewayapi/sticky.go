// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
// where they stand. Ours are those that the object's note names, on the backends
// of our Services: whatever another one hands out is the user's.
func (p pair) withoutCookies(k *traffic.Sticky) pair {
	backends := slices.Clone(listOf(p.raw, "backendRefs"))
	if k == nil {
		return p
	}
	p.cookies = map[int]handed{}
	for _, i := range p.slots() {
		backend, _ := backends[i].(map[string]any)
		if left, h, found := withoutCookie(filtersOf(backend), k.Cookie); found {
			p.cookies[i] = h
			backend = maps.Clone(backend)
			filter(backend, left)
			backends[i] = backend
		}
	}
	p.raw = maps.Clone(p.raw)
	p.raw["backendRefs"] = backends
	return p
}

// slots are the places of our Services among the rule's backends.
func (p pair) slots() []int {
	if p.baseline < 0 {
		return []int{p.stable, p.canary}
	}
	return []int{p.stable, p.canary, p.baseline}
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
	return !slices.ContainsFunc(p.slots(), func(i int) bool {
		slot := traffic.Stable // whose the baseline's pods are
		if i == p.canary {
			slot = traffic.Canary
		}
		return p.cookies[i].value != s.HandsOut(slot)
	})
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
		if err := cookieless(v, p, r, want.Sticky.Cookie); err != nil {
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

func listOf(o map[string]any, field string) []any {
	entries, _ := o[field].([]any)
	return entries
}
