// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// asks is what the steps up to the cursor's ask of the cluster.
type asks struct {
	// weight is the canary's share, in percent.
	weight int32
	// split is all that the routes should carry: the weight, matches, a mirror and a cookie.
	split traffic.Split
	// pods of the canary: what the weight needs, at least one for what goes
	// beside it, or more by setScale.
	pods int32
	// baseline is the fair control: its pods and their share. Without pods there is none.
	baseline v1alpha1.Baseline
}

// Asked lists what the steps of a Rollout ask the routes to carry, each once.
func Asked(ro *v1alpha1.Rollout) []traffic.Split {
	f := facts{&said{Snapshot: Snapshot{Rollout: ro}, strategy: strategyOf(ro.Spec)}}
	var all []traffic.Split
	for i := range f.strategy.steps {
		if s := (cursor{step: int32(i)}).asks(f).split; !slices.ContainsFunc(all, s.Equal) {
			all = append(all, s)
		}
	}
	return all
}

// asks adds up the steps as far as the cursor. The promotion asks for all traffic, and
// for nothing beside it. Once the steps were edited it asks for what there is.
func (c cursor) asks(f facts) asks {
	if c.promoting(f) {
		return asks{weight: 100, split: traffic.CanaryAt(100), pods: f.replicas}
	}
	var scaled int32
	var beside traffic.Split
	var baseline v1alpha1.Baseline
	weight := weightUpTo(c.step, f)
	for _, step := range f.strategy.steps[:min(int(c.step)+1, len(f.strategy.steps))] {
		switch {
		case step.SetScale != nil:
			scaled = scaleOf(step.SetScale, f)
		case step.Mirror != nil:
			beside.Mirror = step.Mirror.Percent
		case step.MatchRoute != nil:
			beside.Matches = withMatch(beside.Matches, *step.MatchRoute)
		case step.Baseline != nil:
			baseline = *step.Baseline
		}
	}
	if c.edited {
		weight, baseline = c.weight, v1alpha1.Baseline{Replicas: f.baselines.of(baselineName(c)).Replicas, Weight: requestedBaseline(f)}
	}
	beside.Baseline, baseline.Replicas = baseline.Weight, max(baseline.Replicas, f.need(baseline.Weight))
	a := asks{weight: weight, split: beside.At(weight), pods: max(scaled, f.need(weight)), baseline: baseline}
	a.split = stick(a.split, c, f)
	switch {
	case deserted(c, f):
		a.baseline, a.split.Baseline = v1alpha1.Baseline{}, 0
		a.weight, a.split, a.pods = 100, a.split.At(100), f.replicas
	case f.replicas > 0 && a.split.Reaches(traffic.Canary):
		a.pods = max(a.pods, 1)
	}
	return a
}

// scaleOf is the number of pods that a setScale step names; none when it ends an earlier one.
func scaleOf(s *v1alpha1.SetScale, f facts) int32 {
	switch {
	case s.Replicas != nil:
		return *s.Replicas
	case s.Percent != nil:
		return f.need(*s.Percent)
	}
	return 0
}

// withMatch puts a match route in the place of the one of its name; without
// conditions it takes that one away.
func withMatch(matches []v1alpha1.MatchRoute, m v1alpha1.MatchRoute) []v1alpha1.MatchRoute {
	matches = slices.DeleteFunc(slices.Clone(matches), func(old v1alpha1.MatchRoute) bool { return old.Name == m.Name })
	if len(m.Match) > 0 {
		matches = append(matches, m)
	}
	if len(matches) == 0 {
		return nil
	}
	return matches
}

// deserted reports whether stable has not one ready pod while a release is under way.
// Then each step asks for all traffic instead of its weight, because stable can't
// carry the rest: a broken stable must not block the release that mends it. Pauses,
// gates and analyses hold as always, and stable keeps its size.
func deserted(c cursor, f facts) bool {
	if f.means != byRoute || f.replicas == 0 || c.mode(f) != forward || f.StableService.Selects != c.stable {
		return false
	}
	stable, exists := f.revisions.find(c.stable)
	return (!exists || stable.Replicas > 0 && stable.Ready == 0) && f.StableService.ready() == 0
}

// unserved reports whether the canary has lost every pod, and thus its traffic, during
// a step that waits for a person, a clock or an analysis. Such a step does not wait
// for pods, so it has to be said: whoever judges the canary meets stable.
func unserved(c cursor, f facts) bool {
	step, walking := c.current(f)
	if f.means == bySelector || f.replicas == 0 || c.mode(f) != forward || !walking || step.moves() {
		return false
	}
	routed := f.means == byRoute && f.CanaryService.ready() > 0
	return c.asks(f).split.Reaches(traffic.Canary) && !routed && f.revisions.of(c.canary).Ready == 0 && f.revisions.of(c.stable).Ready > 0
}
