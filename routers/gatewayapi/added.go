// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
)

const (
	// mostRules and mostMatches are the Gateway API's limits for one route,
	// fullRule for the matches of one rule.
	mostRules   = 16
	mostMatches = 128
	fullRule    = 64
)

// additions are the rules to put before the user's: for each match route, each
// rule steered once more, for the requests that meet both, with the canary as
// its only backend. They are a function of the user's rules and of what is
// asked for alone. A user's rule that a request would meet by a more specific
// match still wins, as the Gateway API orders matches and not rules.
func additions(v view, ps []pair, r routers.Route, matches []v1alpha1.MatchRoute) ([]any, error) {
	var all []any
	for _, m := range matches {
		for _, p := range ps {
			rules, err := copies(v, p, m)
			if err != nil {
				return nil, &routers.Problem{
					Field:   r.Field,
					Message: fmt.Sprintf("step matchRoute %s can't be added to %s of %s: %v", m.Name, p, r, err),
				}
			}
			all = append(all, rules...)
		}
	}
	return all, fitting(v, r, all)
}

// copies are one user's rule for the requests of one match route.
func copies(v view, p pair, m v1alpha1.MatchRoute) ([]any, error) {
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
		rules = append(rules, p.redirected(v, fmt.Sprintf("%s%s.%d.%d", ours, m.Name, p.position(v), n), group))
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
	if filters := p.theirFilters(v); len(filters) > 0 {
		copied["filters"] = filters
	} else {
		delete(copied, "filters")
	}
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
		Message: fmt.Sprintf("with what step matchRoute adds, %s would have %d rules and %d matches, at most %d and %d are possible; steer fewer rules by naming them, or name fewer alternatives",
			r, rules, matches, mostRules, mostMatches),
	}
}

func matchesOf(entry any) int {
	raw, _ := entry.(map[string]any)
	matches, _ := raw["matches"].([]any)
	return len(matches)
}

// carries reports whether exactly these rules stand before the user's.
func (v view) carries(added []any) bool {
	if len(v.added) != len(added) {
		return false
	}
	for i, one := range v.added {
		if one.index != i || !equality.Semantic.DeepEqual(one.raw, added[i]) {
			return false
		}
	}
	return true
}
