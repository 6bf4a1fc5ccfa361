// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/sluice-dev/sluice/analysis/stats"
)

// simulation is everything that the numbers depend on, and two things that they do not.
type simulation struct {
	seed uint64
	runs int

	workers  int
	progress io.Writer
}

// decision is when a detector decided, counted from block first; never is block 0.
type decision struct {
	block    int
	requests float64
}

// row is a line of a table: a world and who watches it.
type row struct {
	name  string
	world world
	make  maker
	runs  int
	// first is the first block that delays are counted from.
	first int
}

// tally is what one detector did in all runs of a row.
type tally struct{ decisions []decision }

// simulate plays a row. Each run has chance of its own, so that it does not
// matter who plays it, and when.
func (s simulation) simulate(table string, w row) []tally {
	fmt.Fprintf(s.progress, "%s: %s\n", table, w.name)
	outcomes := make([][]decision, w.runs)
	var group sync.WaitGroup
	for worker := range s.workers {
		group.Go(func() {
			for i := worker; i < w.runs; i += s.workers {
				outcomes[i] = w.run(s.chance(table, w.name, i))
			}
		})
	}
	group.Wait()

	tallies := make([]tally, len(outcomes[0]))
	for _, decisions := range outcomes {
		for j, d := range decisions {
			tallies[j].decisions = append(tallies[j].decisions, d)
		}
	}
	return tallies
}

// chance is that of one run: no two runs of any rows share a part of it.
func (s simulation) chance(table, name string, run int) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d/%s/%s/%d", s.seed, table, name, run))))
}

func (w row) run(r *rand.Rand) []decision {
	detectors := w.make(func() []stats.Counts { return w.world.history(r) })
	decisions := make([]decision, len(detectors))
	open := len(detectors)
	var requests float64
	for block := 0; block < blocks && open > 0; block++ {
		o := w.world.observe(r, block)
		if block >= w.first {
			requests += o.bad.canary.Total
		}
		for j, d := range detectors {
			if decisions[j].block != 0 || !d.see(o) {
				continue
			}
			// A decision before the regression counts as one at its first block.
			decisions[j] = decision{block: max(1, block+1-w.first), requests: requests}
			open--
		}
	}
	return decisions
}

// hits is how many runs were decided.
func (t tally) hits() int {
	n := 0
	for _, d := range t.decisions {
		if d.block > 0 {
			n++
		}
	}
	return n
}

func (t tally) rate() float64 { return float64(t.hits()) / float64(len(t.decisions)) }

// medianBlock is over all runs; +Inf if half of them never decided.
func (t tally) medianBlock() float64 {
	return t.median(func(d decision) float64 { return float64(d.block) })
}

func (t tally) medianRequests() float64 {
	return t.median(func(d decision) float64 { return d.requests })
}

func (t tally) median(of func(decision) float64) float64 {
	values := make([]float64, 0, len(t.decisions))
	for _, d := range t.decisions {
		if d.block == 0 {
			values = append(values, math.Inf(1))
			continue
		}
		values = append(values, of(d))
	}
	slices.SortFunc(values, cmp.Compare[float64])
	return values[len(values)/2]
}
