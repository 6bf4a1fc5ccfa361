// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// replan edits the steps of a canary as people do under way: takes some away at the
// front or at the end, says one more, or makes every wait shorter. A plan with a baseline
// is left alone: its parts do not stand alone.
func (h *people) replan() {
	w, dice := h.w, h.replans
	c := w.live.rollout.Spec.Strategy.Canary
	if c == nil || len(c.Steps) == 0 || slices.ContainsFunc(c.Steps, func(s v1alpha1.Step) bool { return s.Baseline != nil }) {
		return
	}
	steps, n := slices.Clone(c.Steps), 1+dice.IntN(len(c.Steps))
	said := ""
	switch dice.IntN(4) {
	case 0:
		steps, said = steps[n:], "takes the first %d steps away"
	case 1:
		steps, said = steps[:len(steps)-n], "takes the last %d steps away"
	case 2:
		steps, said = slices.Insert(steps, n-1, v1alpha1.Step{Pause: &v1alpha1.Pause{}}), "has a person asked at step %d"
	case 3:
		for i := range steps {
			if p := steps[i].Pause; p != nil && p.For != nil {
				steps[i] = pauseFor(p.For.Duration / 2)
			}
		}
		said = "makes pauses shorter, in %d steps or more"
	}
	w.logf("user "+said, n)
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		canary := *r.Spec.Strategy.Canary
		canary.Steps = steps
		r.Spec.Strategy = v1alpha1.Strategy{Canary: &canary}
	})
}
