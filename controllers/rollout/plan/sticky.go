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

// stick adds to a split the cookie that keeps users on the version they met first. At
// which weight a user was drawn follows from the steps up to the cursor's, so that
// nothing has to be remembered but how often an edit of the steps has let the weight
// fall, which gives all users another cookie. A weight that no step asks for, as when stable can't
// take everything back yet, gets no cookie: it will fall, and users who stay would not
// let it.
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
		Value: names.Cookie(c.canary, c.release, drawn(steps), redraws(c)), Draws: slices.Clip(weights[:at]),
	}
	return s
}

// redraws counts how often the weight fell in this release.
func redraws(c cursor) int {
	n := 0
	for _, a := range c.approvals {
		if a.Redraws {
			n++
		}
	}
	return n
}

// stillKept is the same for a split below what the steps ask for: users whom the
// routes keep already stay kept, but nobody new is. More users may have met the canary
// than it can carry now.
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
