// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"math"
)

// ErrCombine is what [Combine] says about evidence that has no average.
var ErrCombine = errors.New("no average: need values of 0 or more with finite weights above 0")

// Evidence is what one metric brings to the verdict over all.
type Evidence struct {
	// Value is the metric's [EProcess.Value]; 1 before its first block.
	Value float64
	// Weight is the metric's share, in any unit; usually 1 for each.
	Weight float64
}

// Combine is the weighted mean of the evidence of several metrics, with the
// index of the metric that brings the most to it.
//
//	M = sum(w_m*M_m) / sum(w_m)
//
// Abort at M >= 1/alpha: a mean of e-values is one, however the metrics depend
// on one another (Vovk & Wang, arXiv 1912.06116), so alpha holds for all of them
// and all looks together. That needs metrics and weights that are fixed before
// the first block; a metric that has no data yet takes part with 1, and one
// whose data ends keeps its last value.
func Combine(evidence []Evidence) (value float64, culprit int, err error) {
	var weights float64
	for _, e := range evidence {
		if !within(e.Value, 0, math.MaxFloat64) || !within(e.Weight, math.SmallestNonzeroFloat64, math.MaxFloat64) {
			return 0, 0, ErrCombine
		}
		weights += e.Weight
	}
	if !within(weights, math.SmallestNonzeroFloat64, math.MaxFloat64) {
		return 0, 0, ErrCombine
	}
	var most float64
	for i, e := range evidence {
		part := e.Weight / weights * e.Value // in this order it cannot overflow
		value += part
		if part > most {
			most, culprit = part, i
		}
	}
	return value, culprit, nil
}
