// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	// mostRules and mostMatches are the Gateway API's limits for one route,
	// fullRule for the matches of one rule.
	mostRules   = 16
	mostMatches = 128
	fullRule    = 64
)

// added are the rules of ours: before the user's and behind them.
type added struct{ front, back []any }

func (a added) all() []any { return slices.Concat(a.front, a.back) }

// additions are what a split takes besides the user's rules.
func additions(v view, ps []pair, r routers.Route, want traffic.Split) (a added, err error) {
	if a.front, err = matched(v, ps, r, want); err != nil {
		return added{}, err
	}
	if a.back, err = kept(v, ps, r, want); err != nil {
		return added{}, err
	}
	return a, fitting(v, r, a.all())
}

// matched are the rules to put before the user's: for each match route, each
// rule steered once more, for the requests that meet both, with the canary as
// its only backend. They are a function of the user's rules and of what is
// asked for alone. A user's rule that a request would meet by a more specific
// match still wins, as the Gateway API orders matches and not rules.
func matched(v view, ps []pair, r routers.Route, want traffic.Split) ([]any, error) {
	var all []any
	for _, m := range want.Matches {
		m = alsoWithCookie(m, want.Sticky)
		for _, p := range ps {
			rules, err := copies(v, p, m, func(name string, matches []any) map[string]any { return p.redirected(v, name, matches) })
			if err != nil {
				return nil, &routers.Problem{
					Field:   r.Field,
					Message: fmt.Sprintf("step matchRoute %s can't be added to %s of %s: %v", m.Name, p, r, err),
				}
			}
			all = append(all, rules...)
		}
	}
	return all, nil
}

// alsoWithCookie adds alternatives that a cookie doesn't make less specific than
// the rules for its bearers: the Gateway API prefers a header to query parameters.
func alsoWithCookie(m v1alpha1.MatchRoute, k *traffic.Sticky) v1alpha1.MatchRoute {
	if k == nil {
		return m
	}
	whatever := "[^;]*"
	alternatives := m.Match
	for _, a := range alternatives {
		if len(a.Headers)+len(a.Cookies) == 0 {
			a.Cookies = []v1alpha1.ValueMatch{{Name: k.Cookie, Regex: &whatever}}
			m.Match = append(slices.Clone(m.Match), a)
		}
	}
	return m
}

// copies are one user's rule for the requests of one match route, each made so.
func copies(v view, p pair, m v1alpha1.MatchRoute, redirect func(name string, matches []any) map[string]any) ([]any, error) {
	matches, err := product(v.kind, p.raw, m)
	if err != nil {
		return nil, err
	}
	if len(matches) > fullRule {
		return nil, fmt.Errorf("%d matches are needed, at most %d fit into a rule; name fewer alternatives", len(matches), fullRule)
	}
	if len(matches) == 0 { // no request meets both
		return nil, nil
	}
	groups := [][]any{matches}
	if replacesPrefix(p.raw) { // the prefix replaced is that of the only match
		groups = nil
		for _, match := range matches {
			groups = append(groups, []any{match})
		}
	}
	var rules []any
	for n, group := range groups {
		rules = append(rules, redirect(fmt.Sprintf("%s%s.%d.%d", ours, m.Name, p.position(v), n), group))
	}
	return rules, nil
}

// position is the rule's among the user's, which additions don't move.
func (p pair) position(v view) int {
	for i, one := range v.rules {
		if one.index == p.index {
			return i
		}
	}
	return p.index
}

// redirected is the user's rule under another name, for other matches, with the canary as its only backend.
func (p pair) redirected(v view, name string, matches []any) map[string]any {
	copied := maps.Clone(p.raw)
	copied["name"], copied["matches"] = name, matches
	filter(copied, p.theirFilters(v))
	backends, _ := p.raw["backendRefs"].([]any)
	canary, _ := backends[p.canary].(map[string]any)
	canary = maps.Clone(canary)
	canary["weight"] = int64(1)
	copied["backendRefs"] = []any{canary}
	return copied
}

// product joins each match of a rule with each alternative. A rule without
// matches takes everything.
func product(k kind, raw map[string]any, m v1alpha1.MatchRoute) ([]any, error) {
	listed, _ := raw["matches"].([]any)
	if len(listed) == 0 {
		listed = []any{map[string]any{}}
	}
	var all []any
	for _, entry := range listed {
		match, _ := entry.(map[string]any)
		for _, a := range m.Match {
			one, err := narrow(k, match, a)
			if errors.Is(err, contradiction{}) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// replacesPrefix reports whether a rule rewrites or redirects by the prefix that it matched.
func replacesPrefix(raw map[string]any) bool {
	backends, _ := raw["backendRefs"].([]any)
	for _, holder := range append([]any{raw}, backends...) {
		fields, _ := holder.(map[string]any)
		filters, _ := fields["filters"].([]any)
		for _, entry := range filters {
			filter, _ := entry.(map[string]any)
			for _, of := range []string{"urlRewrite", "requestRedirect"} {
				how, _, _ := unstructured.NestedString(filter, of, "path", "type")
				if how == "ReplacePrefixMatch" {
					return true
				}
			}
		}
	}
	return false
}

// fitting refuses what the Gateway API would not take.
func fitting(v view, r routers.Route, added []any) error {
	rules, matches := len(v.rules)+len(added), 0
	for _, entry := range added {
		matches += matchesOf(entry)
	}
	for _, one := range v.rules {
		matches += max(1, matchesOf(one.raw))
	}
	if len(added) == 0 || rules <= mostRules && matches <= mostMatches {
		return nil
	}
	return &routers.Problem{
		Field: r.Field + ".rules",
		Message: fmt.Sprintf("with what matchRoute and stickiness add, %s would have %d rules and %d matches, at most %d and %d are possible; steer fewer rules by naming them, name fewer alternatives or, with stickiness, fewer weights",
			r, rules, matches, mostRules, mostMatches),
	}
}

func matchesOf(entry any) int {
	raw, _ := entry.(map[string]any)
	matches, _ := raw["matches"].([]any)
	return len(matches)
}

// carries reports whether exactly these rules stand before and behind the user's.
func (v view) carries(a added) bool {
	all := a.all()
	if len(v.added) != len(all) {
		return false
	}
	for i, one := range v.added {
		at := i
		if i >= len(a.front) {
			at += len(v.rules)
		}
		if one.index != at || !equality.Semantic.DeepEqual(one.raw, all[i]) {
			return false
		}
	}
	return true
}
