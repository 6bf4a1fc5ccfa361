// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

const (
	// Fine is the least sum of the slots' weights in which whole percentages can be told apart.
	Fine = 100
	// Heaviest bounds what the slots' weights sum to after they were written, and
	// so each of them: the Gateway API allows no more.
	Heaviest = 1_000_000
)

// Weights are what the slots have in one list of destinations, and what the rest
// of that list has. A percentage is always one of the slots' common share: the
// rest keeps its weights, and so its part of the whole.
type Weights struct {
	// Stable is the weight of the stable slot.
	Stable int64
	// Canary is the weight of the canary slot.
	Canary int64
	// Baseline is the weight of the baseline slot; 0 in lists that have none.
	Baseline int64
	// Others is the sum of all other weights.
	Others int64
}

// Total of the slots' weights.
func (w Weights) Total() int64 { return w.Stable + w.Canary + w.Baseline }

// Carries reports whether the list can be given a split at all: beside other
// destinations the slots keep their total, which may be too small to tell whole
// percentages apart. Everything for one of them works wherever they have anything.
func (w Weights) Carries(s Split) bool {
	if w.Others == 0 || w.Total() >= Fine {
		return true
	}
	return w.Total() > 0 && s.Baseline == 0 && (s.Canary == 0 || s.Canary == 100)
}

// Give turns a split into weights. Alone in their list the slots get 100
// together, else what they have together.
func (w Weights) Give(s Split) Weights {
	return w.divided(Draw{Stable: s.Stable, Canary: s.Canary, Baseline: s.Baseline}, Fine)
}

// Draw turns what becomes of the bearers of a cookie into weights. Alone in their
// list the slots get what the draw is a whole of, which is exact.
func (w Weights) Draw(d Draw) Weights { return w.divided(d, int64(d.Whole())) }

// divided gives each slot its part of what they have together, or of alone where
// nobody else is in the list. What rounding leaves is stable's, if that gets anything.
func (w Weights) divided(d Draw, alone int64) Weights {
	total, whole := min(w.Total(), Heaviest), int64(d.Whole())
	if w.Others == 0 {
		total = alone
	}
	canary := nearest(total*int64(d.Canary), whole)
	baseline := min(nearest(total*int64(d.Baseline), whole), total-canary)
	if d.Stable == 0 && d.Baseline > 0 {
		baseline = total - canary
	}
	return Weights{Stable: total - canary - baseline, Canary: canary, Baseline: baseline, Others: w.Others}
}

// Splits reads the shares in percent: one split where whole percentages fit,
// otherwise those that enclose them, so that no slot is understated and the list
// counts as carrying none of them. It is empty when no slot has anything.
func (w Weights) Splits() []Split {
	total := w.Total()
	if total == 0 {
		return nil
	}
	var enclosing []Split
	for _, baseline := range percents(w.Baseline, total) {
		for _, canary := range percents(w.Canary, total) {
			if baseline+canary <= 100 {
				enclosing = append(enclosing, Split{Baseline: baseline}.At(canary))
			}
		}
	}
	if w.Others == 0 {
		return enclosing
	}
	// Beside others the total is not ours to choose; what Give would write is as exact as it gets.
	for _, s := range enclosing {
		if w.Give(s) == w {
			return []Split{s}
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

// nearest divides and rounds half up. Neither number is negative.
func nearest(a, b int64) int64 { return (2*a + b) / (2 * b) }
