// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

const (
	// leastWeight and leastRequests are from when it is beyond any doubt that a
	// canary which got no request at all is not served its weight.
	leastWeight   = 20
	leastRequests = 2500
)

// heeded judges the part of law 5 for data planes that report nothing: the cursor does
// not move on by itself while the requests counted, as the pass has read them, show
// that a canary gets none although its share is large.
func (l *statusLaws) heeded(p *pass, old, now *v1alpha1.RolloutStatus) {
	from, t := stepOf(*old), p.read.rollout.Status.Traffic
	if !l.w.plane.silent || !byItself(old, now) || !shared(t) || meansOf(p.read.rollout) != byRoute || stableless(p) || weightOf(t, now.CanaryRevision) < leastWeight {
		return
	}
	run := counting(p, from, now.Release)
	if run == nil {
		return
	}
	canary, stable := got(run, t.AcceptedAt.Add(settle))
	if canary == 0 && stable >= leastRequests {
		l.breaks(5, "step %d is left although the canary got none of %.0f requests since its weight was written", from+1, stable)
	}
}

// byItself: the cursor moves on within a release, and no command told it to.
func byItself(old, now *v1alpha1.RolloutStatus) bool {
	from, to := stepOf(*old), stepOf(*now)
	return from >= 0 && to > from && old.Release == now.Release && command(old) == command(now) && now.AnalysisSkipped == nil
}

// shared reports whether a status knows the split, and nothing is beside its shares.
func shared(t *v1alpha1.TrafficStatus) bool {
	return t != nil && t.AcceptedAt != nil && t.Beside == "" && (len(t.Confirmed) > 0 || t.Observed != nil)
}

// counting is the run under way that speaks for a step; nil when there is none.
func counting(p *pass, step int32, release int64) *v1alpha1.AnalysisRun {
	steps := plan.Steps(p.read.rollout.Spec)
	if int(step) >= len(steps) {
		return nil
	}
	i := p.read.run(steps[step].Run(p.read.rollout.Name, release))
	if i < 0 || p.read.runs[i].Spec.Stop || p.read.runs[i].Status.CompletedAt != nil {
		return nil
	}
	return &p.read.runs[i]
}

// stableless: stable has no ready pod, so that the canary may take its traffic.
func stableless(p *pass) bool {
	r, _ := p.read.set(p.read.rollout.Status.StableRevision)
	return r.Ready == 0
}

func weightOf(t *v1alpha1.TrafficStatus, revision string) int32 {
	var sum int32
	for _, w := range t.Requested {
		if w.Revision == revision {
			sum += w.Weight
		}
	}
	return sum
}

// got adds up the requests of blocks that begin after a time.
func got(run *v1alpha1.AnalysisRun, from time.Time) (canary, stable float64) {
	number := func(text string) float64 {
		_, after, _ := strings.Cut(text, "/")
		n, _ := strconv.ParseFloat(after, 64) // written by the analyst
		return n
	}
	for _, m := range run.Status.Metrics {
		if m.Evidence == nil {
			continue
		}
		for _, b := range m.Evidence.Blocks {
			if !b.At.Add(-m.Evidence.Block.Duration).Before(from) {
				canary, stable = canary+number(b.Canary), stable+number(b.Stable)
			}
		}
	}
	return canary, stable
}
