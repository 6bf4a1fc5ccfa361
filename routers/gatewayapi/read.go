// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
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
	asNoted := v.asNoted(ps, r)
	for _, p := range ps {
		if p.others > 0 && p.total() < fine {
			return traffic.Observed{}, coarse(p, r)
		}
		if p.total() == 0 {
			return traffic.Observed{}, &routers.Problem{
				Field:   r.Field,
				Message: fmt.Sprintf("in %s of %s all weights are 0, so nobody is served; give Service %s weight 100", p, r, r.StableService),
			}
		}
		var splits []traffic.Split
		for _, s := range p.splits() {
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
		o.Message = fmt.Sprintf("the rules of %s beside the user's are not those that annotation %s says; somebody changed them", r, v1alpha1.BesideAnnotation)
	case len(o.Requested) > 1:
		o.Message = differing(ps, r)
	}
	return o, nil
}

// asNoted reports whether our rules and cookies are what the note makes of the
// user's rules and their weights.
func (v view) asNoted(ps []pair, r routers.Route) bool {
	want := v.noted.on(shared(ps))
	if want.Sticky != nil && want.Validate() != nil || slices.ContainsFunc(ps, func(p pair) bool { return !hands(p, want) }) {
		return false
	}
	a, err := additions(v, ps, r, want)
	return err == nil && v.carries(a)
}

// shared is the share that all rules carry; unknown when they don't, so that
// nobody can be told to be kept at it.
func shared(ps []pair) traffic.Split {
	var all []traffic.Observed
	for _, p := range ps {
		if p.total() == 0 {
			return traffic.Split{}
		}
		all = append(all, traffic.Observed{Requested: p.splits()})
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

// splits is the rule's share in percent: one split where a whole percentage
// fits, otherwise the two that enclose it, so that neither slot is understated
// and the rule counts as carrying neither.
func (p pair) splits() []traffic.Split {
	var enclosing []traffic.Split
	for _, baseline := range percents(third(p), p.total()) {
		for _, canary := range percents(p.weight(p.canary), p.total()) {
			if baseline+canary <= 100 {
				enclosing = append(enclosing, traffic.Split{Baseline: baseline}.At(canary))
			}
		}
	}
	if p.others == 0 {
		return enclosing
	}
	// Beside other backends the total is not ours to choose; what render would
	// write is as exact as it gets.
	for _, s := range enclosing {
		if give := p.share(s); give.canary == p.weight(p.canary) && give.baseline == third(p) {
			return []traffic.Split{s}
		}
	}
	return enclosing
}

// percents are the whole percentages of a total that a weight is, or lies between.
func percents(weight, total int64) []int32 {
	floor := int32(weight * 100 / total)
	if weight*100%total == 0 {
		return []int32{floor}
	}
	return []int32{floor, floor + 1}
}

// differing says what each rule carries when they don't all carry the same whole percentage.
func differing(ps []pair, r routers.Route) string {
	parts := make([]string, 0, len(ps))
	for _, p := range ps {
		parts = append(parts, fmt.Sprintf("%s gives Service %s weight %d of %d", p, r.CanaryService, p.weight(p.canary), p.total()))
	}
	if len(parts) > shown {
		parts = append(parts[:shown], fmt.Sprintf("and %d more", len(ps)-shown))
	}
	return fmt.Sprintf("%s: %s", r, strings.Join(slices.Compact(parts), ", "))
}

// shown is the number of rules that a message lists.
const shown = 4
