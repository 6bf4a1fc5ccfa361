// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traffic holds the values that planner and routers exchange: who
// should get which share, and who is known to get it. It is pure; it knows no
// route objects, no cluster and no clock.
//
// A route does not name revisions. It names two destinations, slots, and what a
// slot stands for is decided elsewhere (by a Service's selector, say). Weights
// therefore belong to slots. While a canary is promoted both slots stand for
// the same revision, and only the slot says where the weight is.
package traffic

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Slot is one of the destinations of a route.
type Slot string

const (
	// Stable is the destination that carries all traffic at rest.
	Stable Slot = "stable"
	// Canary is the destination that carries the canary's share.
	Canary Slot = "canary"
	// Baseline is the destination of fresh pods of the stable revision, if any.
	Baseline Slot = "baseline"
)

// Split is everything that a route says about who gets which request: the
// share of each slot in percent, and what goes beside the shares. The zero
// Split is unknown.
type Split struct {
	// Stable is the stable slot's share in percent.
	Stable int32
	// Canary is the canary slot's share in percent.
	Canary int32
	// Baseline is the share in percent of a third destination: fresh pods of the
	// stable revision that the canary is compared with. 0 has no such destination.
	Baseline int32
	// Matches name requests that go to the canary slot whatever the shares
	// say. The first that applies wins; order and names count.
	Matches []v1alpha1.MatchRoute
	// Mirror is the percentage of all requests that are also copied to the
	// canary slot, whose answers are thrown away.
	Mirror int32
	// Sticky keeps a user on the version first met. Nil keeps nobody.
	Sticky *Sticky
}

// CanaryAt returns the split that gives the canary slot weight percent, bounded to 0 and 100.
func CanaryAt(weight int32) Split {
	weight = min(max(weight, 0), 100)
	return Split{Stable: 100 - weight, Canary: weight}
}

// At returns the same with the canary slot at weight percent, taken from the
// stable slot. Users are drawn at one weight: at another nobody is kept.
func (s Split) At(weight int32) Split {
	weight = min(max(weight, 0), 100-s.Baseline)
	if weight != s.Canary {
		s.Sticky = nil
	}
	s.Canary = weight
	s.Stable = 100 - s.Baseline - s.Canary
	return s
}

// Of returns the share of a slot in percent.
func (s Split) Of(slot Slot) int32 {
	switch slot {
	case Canary:
		return s.Canary
	case Baseline:
		return s.Baseline
	default:
		return s.Stable
	}
}

// Plain reports whether the split is shares of stable and canary and nothing else.
func (s Split) Plain() bool {
	return s.Baseline == 0 && len(s.Matches) == 0 && s.Mirror == 0 && s.Sticky == nil
}

// Reaches reports whether a slot may get any request: by its share, by a match,
// by a cookie or by mirroring.
func (s Split) Reaches(slot Slot) bool {
	return s.Of(slot) > 0 || slot == Canary && (len(s.Matches) > 0 || s.Mirror > 0 || s.Sticky != nil)
}

// Equal reports whether two splits say the same.
func (s Split) Equal(o Split) bool {
	return s.Stable == o.Stable && s.Canary == o.Canary && s.Baseline == o.Baseline && s.Mirror == o.Mirror &&
		s.Sticky.equal(o.Sticky) &&
		slices.EqualFunc(s.Matches, o.Matches, func(a, b v1alpha1.MatchRoute) bool { return reflect.DeepEqual(a, b) })
}

// Known reports whether the split has been observed or decided at all.
func (s Split) Known() bool { return !s.Equal(Split{}) }

// Validate reports a split whose shares are negative or do not sum to 100, that
// mirrors less than nothing or more than everything, or that has nobody to keep apart.
func (s Split) Validate() error {
	if s.Stable < 0 || s.Canary < 0 || s.Baseline < 0 || s.Stable+s.Canary+s.Baseline != 100 {
		return fmt.Errorf("shares stable %d, canary %d and baseline %d must be at least 0 and sum to 100", s.Stable, s.Canary, s.Baseline)
	}
	if s.Mirror < 0 || s.Mirror > 100 {
		return fmt.Errorf("mirror %d must be at least 0 and at most 100 percent", s.Mirror)
	}
	return s.Sticky.validate(s.Canary)
}

// String gives the split as people write it.
func (s Split) String() string {
	if !s.Known() {
		return "unknown"
	}
	text := fmt.Sprintf("stable %d %%, canary %d %%", s.Stable, s.Canary)
	if s.Baseline > 0 {
		text += fmt.Sprintf(", baseline %d %%", s.Baseline)
	}
	if s.Mirror > 0 {
		text += fmt.Sprintf(", mirror %d %%", s.Mirror)
	}
	if len(s.Matches) > 0 {
		names := make([]string, len(s.Matches))
		for i, m := range s.Matches {
			names[i] = m.Name
		}
		text += ", matched to canary: " + strings.Join(names, ", ")
	}
	if s.Sticky != nil {
		text += fmt.Sprintf(", sticky by cookie %s=%s for %s", s.Sticky.Cookie, s.Sticky.Value, s.Sticky.MaxAge)
	}
	return text
}
