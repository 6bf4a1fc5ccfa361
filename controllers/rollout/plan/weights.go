// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// stableOnly is the split at rest: everything at stable, nothing beside.
func stableOnly() traffic.Split { return traffic.CanaryAt(0) }

// weights says which Services and revisions get which shares. When routes disagree
// it speaks of the split with the largest canary share.
func (f facts) weights(splits []traffic.Split) []v1alpha1.RevisionWeight {
	if len(splits) == 0 {
		return nil
	}
	s := slices.MaxFunc(splits, func(a, b traffic.Split) int { return cmp.Or(int(a.Canary-b.Canary), int(a.Baseline-b.Baseline)) })
	all := []v1alpha1.RevisionWeight{
		{Service: f.StableService.Name, Revision: f.StableService.Selects, Weight: s.Stable},
		{Service: f.CanaryService.Name, Revision: f.CanaryService.Selects, Weight: s.Canary},
	}
	if s.Baseline > 0 {
		all = append(all, v1alpha1.RevisionWeight{Service: f.BaselineService.Name, Revision: f.BaselineService.Selects, Weight: s.Baseline})
	}
	return all
}

// beside says what routes carry apart from shares.
func beside(splits []traffic.Split) string {
	var texts []string
	for _, s := range splits {
		if !s.Plain() {
			texts = append(texts, s.String())
		}
	}
	return strings.Join(texts, "; ")
}

// podWeights are the shares that the available pods amount to, in whole
// percent that sum to 100; nil while nothing is available.
func podWeights(c cursor, f facts) []v1alpha1.RevisionWeight {
	stable, canary := f.carrying(c.stable), f.carrying(c.canary)
	if c.canary == "" || c.canary == c.stable {
		canary = 0
	}
	if stable+canary == 0 {
		return nil
	}
	weight := (canary*200 + stable + canary) / (2 * (stable + canary)) // rounded to the nearest
	return pairOf(c, f, weight)
}

// pairOf gives the canary weight percent and stable the rest.
func pairOf(c cursor, f facts, weight int32) []v1alpha1.RevisionWeight {
	name := f.CallerService.Name
	shares := []v1alpha1.RevisionWeight{{Service: name, Revision: c.stable, Weight: 100 - weight}}
	if c.canary != "" {
		shares = append(shares, v1alpha1.RevisionWeight{Service: name, Revision: c.canary, Weight: weight})
	}
	return shares
}

// requestedWeights are the shares that were asked for, and confirmedWeights
// those that are known to be so, by whatever means.
func requestedWeights(c cursor, f facts) []v1alpha1.RevisionWeight {
	switch f.means {
	case bySelector:
		return []v1alpha1.RevisionWeight{{Service: f.StableService.Name, Revision: f.StableService.Selects, Weight: 100}}
	case byReplicas:
		if c.mode(f) == forward {
			return pairOf(c, f, c.asks(f).weight)
		}
		return pairOf(c, f, 0)
	case byRoute:
	}
	return f.weights(f.Traffic.Requested)
}

func confirmedWeights(c cursor, f facts) []v1alpha1.RevisionWeight {
	switch f.means {
	case bySelector:
		if f.serves(traffic.Stable, f.StableService.Selects, 1) {
			return requestedWeights(c, f)
		}
		return nil
	case byReplicas:
		return podWeights(c, f)
	case byRoute:
	}
	if !f.settled() || f.sight == contradicting {
		return nil
	}
	return f.weights(f.Traffic.Confirmed)
}
