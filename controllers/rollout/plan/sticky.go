// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// defaultCookieAge is the default of spec.strategy.canary.stickiness.maxAge.
const defaultCookieAge = time.Hour

// stick has a split keep users on the version first met. Who was drawn when
// follows from the steps up to the cursor's, so that it needs no memory. A weight
// that none of them asks for, as when stable is too few to take all back, keeps
// nobody: users who stay would hold on to it when it falls.
func stick(s traffic.Split, c cursor, f facts) traffic.Split {
	k := f.strategy.sticky
	s.Sticky = nil
	if k == nil {
		return s
	}
	steps := f.strategy.steps
	weights := drawn(steps[:min(int(c.step)+1, len(steps))])
	at, found := slices.BinarySearch(weights, s.Canary)
	if !found {
		return s
	}
	s.Sticky = &traffic.Sticky{
		Cookie: cmp.Or(k.Cookie, names.StickyCookie(f.Rollout.Name)), MaxAge: duration(k.MaxAge, defaultCookieAge).Duration,
		Value: names.Cookie(c.canary, c.release, drawn(steps)), Draws: slices.Clip(weights[:at]),
	}
	return s
}

// stillKept has a split that is short of what the steps ask for keep users as the
// routes do already. It binds nobody anew: more may have met the canary than it can carry now.
func stillKept(s traffic.Split, c cursor, f facts) traffic.Split {
	kept := stick(s, c, f)
	if kept.Sticky == nil || len(f.Traffic.Requested) != 1 {
		return s
	}
	if now := f.Traffic.Requested[0]; now.Canary == s.Canary && now.Sticky != nil && now.Sticky.Cookie == kept.Sticky.Cookie && now.Sticky.Value == kept.Sticky.Value {
		return kept
	}
	return s
}

// drawn are the weights of steps at which users are told apart, in order.
func drawn(steps []Step) []int32 {
	var weights []int32
	for _, step := range steps {
		if w := step.SetWeight; w != nil && *w > 0 && *w < 100 {
			weights = append(weights, *w)
		}
	}
	slices.Sort(weights)
	return slices.Compact(weights)
}
