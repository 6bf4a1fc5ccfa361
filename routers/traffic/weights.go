// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

const (
	// Fine is the least sum of two weights in which whole percentages can be told apart.
	Fine = 100
	// heaviest bounds what two weights sum to after they were written.
	heaviest = 1_000_000
)

// Weights are what stable and canary have in one list of destinations, and what
// the rest of that list has. A percentage is always one of the two slots'
// common share: the rest keeps its weights, and so its part of the whole.
type Weights struct {
	// Stable is the weight of the stable slot.
	Stable int64
	// Canary is the weight of the canary slot.
	Canary int64
	// Others is the sum of all other weights.
	Others int64
}

// Total of both slots' weights.
func (w Weights) Total() int64 { return w.Stable + w.Canary }

// Carries reports whether the list can be given a split at all: beside other
// destinations the slots keep their total, which may be too small to tell whole
// percentages apart. Everything for one of them works wherever they have anything.
func (w Weights) Carries(s Split) bool {
	if w.Others == 0 || w.Total() >= Fine {
		return true
	}
	return w.Total() > 0 && (s.Canary == 0 || s.Canary == 100)
}

// Give turns a split into weights. Alone in their list the slots get 100
// together, else what they have together.
func (w Weights) Give(s Split) Weights {
	total := min(w.Total(), heaviest)
	if w.Others == 0 {
		total = Fine
	}
	canary := (2*total*int64(s.Canary) + 100) / 200 // rounded to the nearest
	return Weights{Stable: total - canary, Canary: canary, Others: w.Others}
}

// Draw turns what becomes of the bearers of a cookie into weights, by the same total.
func (w Weights) Draw(d Draw) Weights {
	total, whole := min(w.Total(), heaviest), int64(d.Whole())
	if w.Others == 0 {
		total = whole // and so exact
	}
	canary := (2*total*int64(d.Canary) + whole) / (2 * whole)
	return Weights{Stable: total - canary, Canary: canary, Others: w.Others}
}

// Splits reads the share in percent: one split where a whole percentage fits,
// otherwise the two that enclose it, so that neither slot is understated. It is
// empty when neither slot has anything.
func (w Weights) Splits() []Split {
	total := w.Total()
	if total == 0 {
		return nil
	}
	floor := CanaryAt(int32(w.Canary * 100 / total))
	if w.Canary*100%total == 0 {
		return []Split{floor}
	}
	enclosing := []Split{floor, CanaryAt(floor.Canary + 1)}
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
