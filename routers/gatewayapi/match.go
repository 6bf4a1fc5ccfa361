// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// longest value that a header may be compared with.
	longest = 4096
	// broadest is the number of headers, or of query parameters, in one match.
	broadest = 16
	// jar is how many cookies one alternative may name: they may come in any
	// order, and each order is written out.
	jar = 3
)

// contradiction is a pair of conditions that no request meets.
type contradiction struct{}

func (contradiction) Error() string { return "no request meets both" }

// narrow gives the match that meets both a user's match and one alternative of
// a match route. A contradiction means that there is none to write.
func narrow(k kind, match map[string]any, a v1alpha1.RequestMatch) (map[string]any, error) {
	if k.headersOnly && len(a.Cookies)+len(a.QueryParams) > 0 {
		return nil, fmt.Errorf("a %s tells requests apart by headers only; remove cookies and queryParams", k.name)
	}
	narrowed := map[string]any{}
	maps.Copy(narrowed, match)
	headers := a.Headers
	if len(a.Cookies) > 0 {
		cookie, err := cookieHeader(a.Cookies)
		if err != nil {
			return nil, err
		}
		headers = append(headers[:len(headers):len(headers)], cookie)
	}
	if err := join(narrowed, "headers", headers); err != nil {
		return nil, err
	}
	return narrowed, join(narrowed, "queryParams", a.QueryParams)
}

// join adds conditions to one field of a match.
func join(match map[string]any, field string, conditions []v1alpha1.ValueMatch) error {
	if len(conditions) == 0 {
		return nil
	}
	listed, _ := match[field].([]any)
	all, err := both(listed, conditions, field == "headers")
	if err != nil {
		return err
	}
	if len(all) > broadest {
		return fmt.Errorf("with the rule's own there are %d %s, at most %d are possible; name fewer", len(all), field, broadest)
	}
	match[field] = all
	return nil
}

// both joins the conditions of a rule with ours. A name may be listed once
// only, so two conditions of one name have to become one.
func both(listed []any, conditions []v1alpha1.ValueMatch, foldCase bool) ([]any, error) {
	all := append([]any{}, listed...)
next:
	for _, c := range conditions {
		ours := condition(c)
		for i, entry := range all {
			theirs, _ := entry.(map[string]any)
			name, _ := theirs["name"].(string)
			if name != c.Name && (!foldCase || !strings.EqualFold(name, c.Name)) {
				continue
			}
			one, err := either(theirs, ours)
			if err != nil {
				return nil, err
			}
			all[i] = one
			continue next
		}
		all = append(all, ours)
	}
	return all, nil
}

const (
	exactly   = "Exact"
	byPattern = "RegularExpression"
)

// condition spells out what the API server would add, so that what is written
// is what is read.
func condition(c v1alpha1.ValueMatch) map[string]any {
	one := map[string]any{"name": c.Name, "type": exactly}
	switch {
	case c.Exact != nil:
		one["value"] = *c.Exact
	case c.Regex != nil:
		// Data planes differ in whether a pattern has to fit the whole value; anchored it does.
		one["type"], one["value"] = byPattern, "^(?:"+*c.Regex+")$"
	}
	return one
}

// either makes one condition of two on the same name.
func either(theirs, ours map[string]any) (map[string]any, error) {
	if theirs["type"] == ours["type"] && theirs["value"] == ours["value"] {
		return theirs, nil
	}
	value := func(c map[string]any) string { text, _ := c["value"].(string); return text }
	switch {
	case theirs["type"] == exactly && ours["type"] == exactly:
		return nil, contradiction{}
	case theirs["type"] == exactly:
		return fits(theirs, value(theirs), value(ours))
	case ours["type"] == exactly && theirs["type"] == byPattern:
		return fits(ours, value(ours), value(theirs))
	}
	return nil, fmt.Errorf("%v is compared with a pattern in the rule and in the match; two patterns can't be joined, use exact in one of them", ours["name"])
}

// fits keeps the exact condition when its value meets the pattern too.
func fits(exact map[string]any, value, pattern string) (map[string]any, error) {
	expression, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("pattern %q is no RE2 expression: %w", pattern, err)
	}
	if !expression.MatchString(value) {
		return nil, contradiction{}
	}
	return exact, nil
}

// cookieHeader is the condition that all cookies are there, on the header that
// carries them: the Gateway API has no match for cookies.
func cookieHeader(cookies []v1alpha1.ValueMatch) (v1alpha1.ValueMatch, error) {
	if len(cookies) > jar {
		return v1alpha1.ValueMatch{}, fmt.Errorf("%d cookies in one alternative, at most %d are possible; name fewer", len(cookies), jar)
	}
	pairs := make([]string, len(cookies))
	for i, c := range cookies {
		value := ""
		switch {
		case c.Exact != nil:
			value = regexp.QuoteMeta(*c.Exact)
		case c.Regex != nil:
			value = "(?:" + *c.Regex + ")"
		}
		pairs[i] = regexp.QuoteMeta(c.Name) + "=" + value
	}
	var orders []string
	for _, order := range permutations(pairs) {
		orders = append(orders, strings.Join(order, `\s*;(?:.*;)?\s*`))
	}
	pattern := `(?:.*;)?\s*(?:` + strings.Join(orders, "|") + `)\s*(?:;.*)?`
	if len(pattern) > longest-len("^(?:)$") {
		return v1alpha1.ValueMatch{}, fmt.Errorf("the cookies make a pattern of %d characters, at most %d are possible; name fewer", len(pattern), longest)
	}
	return v1alpha1.ValueMatch{Name: "Cookie", Regex: &pattern}, nil
}

func permutations(of []string) [][]string {
	if len(of) < 2 {
		return [][]string{of}
	}
	var all [][]string
	for i := range of {
		rest := append(append([]string{}, of[:i]...), of[i+1:]...)
		for _, order := range permutations(rest) {
			all = append(all, append([]string{of[i]}, order...))
		}
	}
	return all
}
