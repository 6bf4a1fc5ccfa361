// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Counter is a [Provider] that counts events block by block. It never judges.
//
// All times are explicit, so asking again gives the same answer: a block that
// could not be counted is counted later, and nothing is lost by an outage.
type Counter interface {
	// Check reports what is wrong with the selectors, without asking anybody. The
	// error says what to write instead.
	Check(c Counted) error
	// Learn learns, at a time before the first block, what counting needs to
	// know. Ok is false when there is nothing to learn from yet.
	Learn(ctx context.Context, target Target, c Counted, at time.Time) (l Learned, ok bool, err error)
	// Count counts the block that ends at a time. An error means that there was
	// no answer, and says why; ask again later.
	Count(ctx context.Context, target Target, c Counted, l Learned, at time.Time) (Block, error)
}

// Counted is what is to be counted.
type Counted struct {
	// Canary and Stable are the series of either revision. Stable is zero when there is none.
	Canary, Stable Series
	// Present selects series whose presence tells that a target was scraped.
	// Empty: those of the revision's total.
	Present string
	// TargetLabels tell one scraped target from another.
	TargetLabels []string
	// Bound is the longest good duration in the unit of the histogram; 0 when bad counts.
	Bound float64
	// Compare counts what is slower than stable's own quantiles.
	Compare bool
	// Block is the length of a block as it is wished.
	Block time.Duration
	// History is wished: stable's blocks in the hour before the first block.
	History bool
	// Begin is where the first block begins.
	Begin time.Time
}

// Series are the selectors of one revision.
type Series struct {
	// Total and Bad select counters, or Query asks for one value.
	Total, Bad, Query string
	// Histogram selects durations by the histogram's name.
	Histogram string
}

// Learned is what counting needs to know, and does not change afterwards.
type Learned struct {
	// Block is the length of the blocks, raised to the interval between samples.
	Block time.Duration
	// Interval between samples; 0 when unknown.
	Interval time.Duration
	// Edges are the bounds that are counted by. Those of a latency objective are
	// the ones above and below it; NaN stands for one that does not exist.
	Edges []float64
	// Native says that the histogram is a native one.
	Native bool
	// History are stable's blocks in the hour before, as bad and total.
	History [][2]float64
}

// Block is what was counted of both revisions.
type Block struct {
	// Canary and Stable are the two revisions.
	Canary, Stable Numbers
}

// Numbers are the answers about one revision.
type Numbers struct {
	// Total is the number of events, or the value of a query.
	Total Answer
	// Bad are those that were bad, by edge.
	Bad []Answer
}

// CounterFor finds the provider that counts for a metric of a name; m is as the
// spec lists it, or empty for one of a preset. The error says that there is none.
func (r Registry) CounterFor(name string, m v1alpha1.Metric) (Counter, error) {
	p, err := r.find(name, ProviderOf(m))
	if err != nil {
		return nil, err
	}
	c, ok := p.(Counter)
	if !ok {
		return nil, fmt.Errorf("metric %q: provider %q can't count events; use a threshold", name, ProviderOf(m))
	}
	return c, nil
}
