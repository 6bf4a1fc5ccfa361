// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/sluice-dev/sluice/analysis/stats"

// detector looks at every block and says when it decides.
type detector interface {
	see(o observation) bool
}

// history gives the blocks of the hour before, to those who want them.
type history func() []stats.Counts

// maker makes the detectors of one run.
type maker func(history) []detector

// evidence is analysis/stats: the mean of one process for each of some metrics.
type evidence struct {
	processes []*stats.EProcess
	metrics   func(o *observation) []pair
	threshold float64
}

func (e evidence) see(o observation) bool {
	var sum float64
	for i, p := range e.metrics(&o) {
		if err := e.processes[i].Update(p.canary, p.stable); err != nil {
			panic(err) // the worlds draw counts; anything else is a fault of theirs
		}
		sum += e.processes[i].Value()
	}
	return sum/float64(len(e.processes)) >= e.threshold
}

func badOnly(o *observation) []pair { return []pair{o.bad} }

func edgesOnly(o *observation) []pair { return o.edges[:] }

// fails aborts at 1/alpha.
func fails(limit stats.Limit, phi float64) detector {
	return evidence{[]*stats.EProcess{must(stats.NewFail(limit, stats.FailOptions{Phi: phi}))}, badOnly, 1 / stats.FalseAbortRate}
}

// failsFromStart is without start times after the first.
func failsFromStart(limit stats.Limit) detector {
	p := must(stats.New(stats.Settings{Limit: limit, Bets: []float64{1.5, 2, 4, 8, 16, 64}, Cap: 20, First: 1, Phi: 1}))
	return evidence{[]*stats.EProcess{p}, badOnly, 1 / stats.FalseAbortRate}
}

// failsByDistribution compares whole distributions, at their edges.
func failsByDistribution() detector {
	e := evidence{metrics: edgesOnly, threshold: 1 / stats.FalseAbortRate}
	for range edgesMillis {
		limit := stats.Limit{Ratio: 1.25, Absolute: 0.005}
		e.processes = append(e.processes, must(stats.NewFail(limit, stats.FailOptions{Phi: 1})))
	}
	return e
}

// passes lets the canary pass at 1/beta.
func passes(limit stats.Limit) detector {
	return evidence{[]*stats.EProcess{must(stats.NewPass(limit, 1))}, badOnly, 1 / stats.MissRate}
}

func must(p *stats.EProcess, err error) *stats.EProcess {
	if err != nil {
		panic(err) // settings are constants of this program
	}
	return p
}

// gate is a fixed threshold: windows in a row, each fails when too many requests
// of the canary are bad, and the first failures may be forgiven.
type gate struct {
	window  int // blocks
	most    float64
	forgive int

	blocks   int
	seen     stats.Counts
	failures int
}

func (g *gate) see(o observation) bool {
	g.blocks++
	g.seen.Bad += o.bad.canary.Bad
	g.seen.Total += o.bad.canary.Total
	if g.blocks%g.window != 0 {
		return false
	}
	if g.seen.Bad > g.most*g.seen.Total {
		g.failures++
	}
	g.seen = stats.Counts{}
	return g.failures > g.forgive
}

// gateNames are the headings of fixedGates.
var gateNames = []string{"99 % over 5 min", "99.9 % over 5 min", "99.9 % over 5 min, 4th failure", "99 % over 1 min, 5th failure"}

func fixedGates() []detector {
	return []detector{
		&gate{window: 30, most: 0.01},
		&gate{window: 30, most: 0.001},
		&gate{window: 30, most: 0.001, forgive: 3},
		&gate{window: 6, most: 0.01, forgive: 4},
	}
}
