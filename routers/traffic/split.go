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

import "fmt"

// Slot is one of the two destinations of a route.
type Slot string

const (
	// Stable is the destination that carries all traffic at rest.
	Stable Slot = "stable"
	// Canary is the destination that carries the canary's share.
	Canary Slot = "canary"
)

// Split is the share of each slot in percent. The zero Split is unknown.
type Split struct {
	// Stable is the stable slot's share in percent.
	Stable int32
	// Canary is the canary slot's share in percent.
	Canary int32
}

// CanaryAt returns the split that gives the canary slot weight percent, bounded to 0 and 100.
func CanaryAt(weight int32) Split {
	weight = min(max(weight, 0), 100)
	return Split{Stable: 100 - weight, Canary: weight}
}

// Of returns the share of a slot in percent.
func (s Split) Of(slot Slot) int32 {
	if slot == Canary {
		return s.Canary
	}
	return s.Stable
}

// Known reports whether the split has been observed or decided at all.
func (s Split) Known() bool { return s != Split{} }

// Validate reports a split whose shares are negative or do not sum to 100.
func (s Split) Validate() error {
	if s.Stable < 0 || s.Canary < 0 || s.Stable+s.Canary != 100 {
		return fmt.Errorf("shares stable %d and canary %d must be at least 0 and sum to 100", s.Stable, s.Canary)
	}
	return nil
}

// String gives the split as people write it.
func (s Split) String() string {
	if !s.Known() {
		return "unknown"
	}
	return fmt.Sprintf("stable %d %%, canary %d %%", s.Stable, s.Canary)
}
