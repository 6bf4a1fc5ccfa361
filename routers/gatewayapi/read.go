// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// read is the inverse of render: the observation that an object amounts to.
func read(v view, ps []pair, r routers.Route) (traffic.Observed, error) {
	var rules []traffic.Observed
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
		splits := p.splits()
		rules = append(rules, traffic.Observed{Requested: splits, Confirmed: splits})
	}
	o := traffic.Merge(rules...)
	if why := unconfirmed(v, r); why != "" {
		o.Confirmed, o.Message = nil, why
		return o, nil
	}
	if len(o.Requested) > 1 {
		o.Message = differing(ps, r)
	}
	return o, nil
}

// splits is the rule's share in percent: one split where a whole percentage
// fits, otherwise the two that enclose it, so that neither slot is understated
// and the rule counts as carrying neither.
func (p pair) splits() []traffic.Split {
	total, canary := p.total(), p.weight(p.canary)
	floor := canary * 100 / total
	if canary*100%total == 0 {
		return []traffic.Split{traffic.CanaryAt(int32(floor))}
	}
	enclosing := []traffic.Split{traffic.CanaryAt(int32(floor)), traffic.CanaryAt(int32(floor + 1))}
	if p.others == 0 {
		return enclosing
	}
	// Beside other backends the total is not ours to choose; what render would
	// write is as exact as it gets.
	for _, s := range enclosing {
		if _, written := p.share(s); written == canary {
			return []traffic.Split{s}
		}
	}
	return enclosing
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
