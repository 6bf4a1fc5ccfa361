// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// besides puts into a bare spec what is wanted beside weights: our routes in
// front of each pair's, the mirror and the cookie. It changes the spec, or
// returns a *routers.Problem.
func besides(spec map[string]any, ps []pair, want traffic.Split, at places, r routers.Route) error {
	if want.Plain() {
		return nil
	}
	ours := map[int][]map[string]any{}
	for _, p := range ps {
		if p.protocol != overHTTP {
			return problem(r, ".rules", "%s of %s carries weights only, no matches, mirror or cookie; name the http routes in rules, or remove the step or stickiness", p, r)
		}
		made, err := p.matched(want.Matches, r)
		if err != nil {
			return err
		}
		if err := p.mirrored(want.Mirror, at, r); err != nil {
			return err
		}
		kept, err := p.kept(want, r) // copied like everybody's
		if err != nil {
			return err
		}
		ours[p.index] = append(made, kept...)
		p.hands(want, p.raw)
	}
	var all []map[string]any
	for i, o := range list(spec, overHTTP) {
		all = append(append(all, ours[i]...), o)
	}
	setList(spec, overHTTP, all)
	return nil
}

// matched makes the routes that go in front of a pair's: its copies, with all
// for the canary, that apply to those of its requests that are named.
func (p pair) matched(matches []v1alpha1.MatchRoute, r routers.Route) ([]map[string]any, error) {
	var all []map[string]any
	for _, m := range matches {
		made, err := p.copyFor("match/"+m.Name, m.Match, r)
		if err != nil {
			return nil, err
		}
		to := list(made, "route")[p.canary]
		delete(to, "weight")
		setList(made, "route", []map[string]any{to})
		all = append(all, made)
	}
	return all, nil
}

// copyFor is the pair's route for those of its requests that meet an alternative.
func (p pair) copyFor(name string, alternatives []v1alpha1.RequestMatch, r routers.Route) (map[string]any, error) {
	made := runtime.DeepCopyJSON(p.raw)
	id := text(p.raw, "name")
	if id == "" {
		id = strconv.Itoa(p.index)
	}
	made["name"] = prefix + name + "/" + id
	own := list(made, "match")
	if len(own) == 0 {
		own = []map[string]any{{}}
	}
	var both []map[string]any
	for _, alternative := range alternatives {
		for _, m := range own {
			one, err := narrowed(m, alternative)
			if err != nil {
				return nil, problem(r, "", "%s of %s can't carry %s: %s", p, r, name, err)
			}
			both = append(both, one)
		}
	}
	setList(made, "match", both)
	return made, nil
}

// narrowed is a user's match to which the conditions of ours are added.
func narrowed(own map[string]any, m v1alpha1.RequestMatch) (map[string]any, error) {
	one := runtime.DeepCopyJSON(own)
	if len(m.Cookies) > 1 {
		return nil, errors.New("all cookies are one header to Istio, so that a match can name one cookie only; name the others in matches of their own")
	}
	headers := slices.Clone(m.Headers)
	for _, c := range m.Cookies {
		pattern := cookiePattern(c)
		headers = append(headers, v1alpha1.ValueMatch{Name: "cookie", Regex: &pattern})
	}
	for _, conditions := range []struct {
		field  string
		values []v1alpha1.ValueMatch
	}{{"headers", headers}, {"queryParams", m.QueryParams}} {
		for _, v := range conditions.values {
			name := v.Name
			if conditions.field == "headers" {
				name = strings.ToLower(name) // Istio knows no other
			}
			compare, err := comparison(v)
			if err != nil {
				return nil, err
			}
			if old, taken := object(one, conditions.field)[name]; taken && !reflect.DeepEqual(old, any(compare)) {
				return nil, fmt.Errorf("it compares %s of %s already, and Istio compares each once only; choose another name", name, conditions.field)
			}
			put(one, compare, conditions.field, name)
		}
	}
	return one, nil
}

// comparison is Istio's StringMatch.
func comparison(v v1alpha1.ValueMatch) (map[string]any, error) {
	switch {
	case v.Regex != nil:
		if _, err := regexp.Compile(*v.Regex); err != nil {
			return nil, fmt.Errorf("the regex for %s is none in RE2 syntax: %w", v.Name, err)
		}
		return map[string]any{"regex": *v.Regex}, nil
	case v.Exact == nil || *v.Exact == "":
		return map[string]any{"regex": "^$"}, nil // an empty exact would match whatever is there
	}
	return map[string]any{"exact": *v.Exact}, nil
}

// cookiePattern finds one cookie in the header that holds all of them.
func cookiePattern(c v1alpha1.ValueMatch) string {
	value := ""
	switch {
	case c.Exact != nil:
		value = regexp.QuoteMeta(*c.Exact)
	case c.Regex != nil:
		value = "(?:" + *c.Regex + ")"
	}
	return `(?:.*;\s*)?` + regexp.QuoteMeta(c.Name) + "=" + value + `(?:\s*;.*)?`
}

// mirrored adds our mirror to the pair's route.
func (p pair) mirrored(percent int32, at places, r routers.Route) error {
	if percent == 0 {
		return nil
	}
	if p.raw["mirror"] != nil {
		return problem(r, "", "%s of %s has a mirror, beside which Istio allows no second; move it to mirrors, or remove the step", p, r)
	}
	mirrors := list(p.raw, "mirrors")
	to := object(p.destinations()[p.canary], "destination")
	if slices.ContainsFunc(mirrors, func(m map[string]any) bool { return at.canary.names(object(m, "destination"), at.namespace) }) {
		return problem(r, "", "%s of %s mirrors to the canary already; remove that entry of mirrors, or the step", p, r)
	}
	setList(p.raw, "mirrors", append(mirrors, map[string]any{
		"destination": runtime.DeepCopyJSON(to),
		"percentage":  map[string]any{"value": int64(percent)},
	}))
	return nil
}
