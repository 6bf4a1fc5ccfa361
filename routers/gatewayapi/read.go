// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// read is the inverse of render: the observation that an object amounts to.
func read(v view, ps []pair, r routers.Route) (traffic.Observed, error) {
	var rules []traffic.Observed
	asNoted, why := v.asNoted(ps, r)
	for _, p := range ps {
		if p.weights.Others > 0 && p.weights.Total() < traffic.Fine {
			return traffic.Observed{}, coarse(p, r)
		}
		if p.weights.Total() == 0 {
			return traffic.Observed{}, &routers.Problem{
				Field:   r.Field,
				Message: fmt.Sprintf("in %s of %s all weights are 0, so nobody is served; give Service %s weight 100", p, r, r.StableService),
			}
		}
		var splits []traffic.Split
		for _, s := range p.weights.Splits() {
			splits = append(splits, beyond(v, p, s, asNoted)...)
		}
		rules = append(rules, traffic.Observed{Requested: splits, Confirmed: splits})
	}
	o := traffic.Merge(rules...)
	o.Lists = forms(ps)
	if why := unconfirmed(v, r); why != "" {
		o.Confirmed, o.Message = nil, why
		return o, nil
	}
	switch {
	case !asNoted:
		o.Message = why
	case len(o.Requested) > 1:
		o.Message = differing(ps, r)
	}
	return o, nil
}

// asNoted reports whether our rules and cookies are what the note makes of the
// user's rules and their weights, or else why not.
func (v view) asNoted(ps []pair, r routers.Route) (bool, string) {
	want := v.noted.on(shared(ps))
	a, err := additions(v, ps, r, want)
	var p *routers.Problem
	if errors.As(err, &p) {
		return false, p.Message
	}
	valid := want.Sticky == nil || want.Validate() == nil
	if err == nil && valid && v.carries(a) && !slices.ContainsFunc(ps, func(p pair) bool { return !hands(p, want) }) {
		return true, ""
	}
	return false, fmt.Sprintf("the rules of %s beside the user's are not those that annotation %s says; somebody changed them", r, v1alpha1.BesideAnnotation)
}

// shared is the share that all rules carry; unknown when they don't, so that
// nobody can be told to be kept at it.
func shared(ps []pair) traffic.Split {
	var all []traffic.Observed
	for _, p := range ps {
		if p.weights.Total() == 0 {
			return traffic.Split{}
		}
		all = append(all, traffic.Observed{Requested: p.weights.Splits()})
	}
	o := traffic.Merge(all...)
	if len(o.Requested) != 1 {
		return traffic.Split{}
	}
	return o.Requested[0]
}

// beyond adds to a share what the rule carries beside it. Rules that are not
// those noted, by somebody's edit, count as both: with matches and without.
func beyond(v view, p pair, s traffic.Split, asNoted bool) []traffic.Split {
	s.Mirror = p.mirrored(v)
	if asNoted {
		s.Matches, s.Sticky = v.noted.Matches, v.noted.Sticky
		return []traffic.Split{s}
	}
	with := s
	with.Matches, with.Sticky = v.noted.Matches, v.noted.Sticky
	if len(with.Matches) == 0 {
		with.Matches = []v1alpha1.MatchRoute{{Name: unknown}}
	}
	return []traffic.Split{s, with}
}

// unknown stands for matches that are in the rules but not in the note.
const unknown = "unknown"

// differing says what each rule carries when they don't all carry the same whole percentage.
func differing(ps []pair, r routers.Route) string {
	parts := make([]string, 0, len(ps))
	for _, p := range ps {
		parts = append(parts, fmt.Sprintf("%s gives Service %s weight %d of %d", p, r.CanaryService, p.weights.Canary, p.weights.Total()))
	}
	if len(parts) > shown {
		parts = append(parts[:shown], fmt.Sprintf("and %d more", len(ps)-shown))
	}
	return fmt.Sprintf("%s: %s", r, strings.Join(slices.Compact(parts), ", "))
}

// shown is the number of rules that a message lists.
const shown = 4
