// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"

	"github.com/sluice-dev/sluice/analysis/stats"
)

// budget is that of an objective of 99.9 %.
const budget = 0.001

// play fills the whole document.
func play(s simulation) document {
	d := document{seed: s.seed, runs: s.runs}
	d.limits = append(d.limits, d.falseAborts(s)...)
	d.limits = append(d.limits, d.atTheEdge(s)...)
	d.wrongPasses(s)
	d.limits = append(d.limits, d.delays(s)...)
	d.lateRegressions(s)
	d.latency(s)
	d.clusters(s)
	d.required()
	return d
}

// watchers is our evidence with the noise factor known, learnt and unknown, and all gates.
func watchers(h history) []detector {
	limit := stats.Tolerance(budget)
	return append([]detector{fails(limit, 1), fails(limit, stats.NoiseFactor(h())), fails(limit, 0)}, fixedGates()...)
}

func watcherNames() []string {
	return append([]string{"evidence, phi 1", "phi learnt", "phi 1.5"}, gateNames...)
}

func evidenceOnly(h history) []detector { return watchers(h)[:3] }

// ramped climbs over 5, 10, 25 and 50 %, a quarter of an hour each.
func ramped(truth rates) service {
	weights := []float64{0.05, 0.1, 0.25, 0.5}
	return service{rps: 100, at: func(block int) rates {
		now := truth
		now.weight = weights[block*len(weights)/blocks]
		return now
	}}
}

// incident is five minutes in which both arms fail at 5 %.
func incident() service {
	return service{rps: 100, at: func(block int) rates {
		if block >= 120 && block < 150 {
			return rates{0.1, 0.05, 0.05}
		}
		return rates{0.1, baseRate, baseRate}
	}}
}

func (d *document) falseAborts(s simulation) []limit {
	equal := rates{0.1, baseRate, baseRate}
	t := newTable("falseAborts", "both revisions are equal", watcherNames()...)
	worst := 0.0
	for _, w := range []row{
		{name: "10 rps", world: steady(10, equal)},
		{name: "100 rps", world: steady(100, equal)},
		{name: "1000 rps", world: steady(1000, equal)},
		{name: "100 rps, half each", world: steady(100, rates{0.5, baseRate, baseRate})},
		{name: "100 rps, weights 5-10-25-50", world: ramped(equal)},
		{name: "100 rps, both at 0.5 %, out of objective", world: steady(100, rates{0.1, 0.005, 0.005})},
		{name: "100 rps, both at 5 % for 5 min", world: incident()},
	} {
		w.make, w.runs = watchers, s.runs
		tallies := s.simulate(t.key, w)
		t.rates(w.name, tallies)
		worst = max(worst, worstOf(tallies[:3]))
	}
	d.add(t)
	return []limit{{what: "false aborts of an equal canary, worst row and phi", got: worst, most: 0.001, format: percent}}
}

func (d *document) atTheEdge(s simulation) []limit {
	edge := rates{0.1, 0.002, baseRate}
	t := newTable("edge", "the canary is exactly at the limit", "phi 1", "phi learnt", "phi 1.5")
	worst := 0.0
	note := func(w row) {
		w.runs = s.runs
		tallies := s.simulate(t.key, w)
		t.rates(w.name, tallies)
		worst = max(worst, worstOf(tallies))
	}
	note(row{name: "1.5 x stable + 0.05 pp, 10 rps", world: steady(10, edge), make: evidenceOnly})
	note(row{name: "1.5 x stable + 0.05 pp, 100 rps", world: steady(100, edge), make: evidenceOnly})
	note(row{name: "1.5 x stable + 0.05 pp, 1000 rps", world: steady(1000, edge), make: evidenceOnly})
	note(row{name: "1.5 x stable + 0.05 pp, 100 rps, weights 5-10-25-50", world: ramped(edge), make: evidenceOnly})
	alone := stats.BurnLimit(stats.MaxBurnRate, budget, 1)
	for _, rps := range []float64{1, 10, 100, 1000} {
		note(row{
			name:  fmt.Sprintf("no stable revision, limit 0.2 %%, %v rps", rps),
			world: steady(rps, rates{0.1, alone.Absolute, baseRate}),
			make: func(h history) []detector {
				return []detector{fails(alone, 1), fails(alone, stats.NoiseFactor(h())), fails(alone, 0)}
			},
		})
	}
	d.add(t)
	return []limit{{what: "false aborts at the tolerated limit, worst row and phi", got: worst, most: stats.FalseAbortRate, format: percent}}
}

func (d *document) wrongPasses(s simulation) {
	t := newTable("passes", "the canary is exactly at the limit that it must prove to be under", "passes within an hour")
	availability, latency := stats.BurnLimit(stats.MaxBurnRate, budget, 0.25), stats.BurnLimit(stats.MaxBurnRate, 0.01, 1)
	for _, c := range []struct {
		what  string
		rps   float64
		limit stats.Limit
	}{
		{"availability 99.9 %, next weight 25 %", 1, availability},
		{"availability 99.9 %, next weight 25 %", 10, availability},
		{"availability 99.9 %, next weight 25 %", 100, availability},
		{"latency p99, next weight 100 %", 10, latency},
	} {
		w := row{
			name:  fmt.Sprintf("%s, %v rps", c.what, c.rps),
			world: steady(c.rps, rates{0.1, c.limit.Absolute, baseRate}),
			make:  func(history) []detector { return []detector{passes(c.limit)} },
			runs:  s.runs,
		}
		t.rates(w.name, s.simulate(t.key, w))
	}
	d.add(t)
}

func (d *document) delays(s simulation) []limit {
	t := newTable("delays", "canary", watcherNames()...)
	most := map[float64]float64{0.01: 11, 0.02: 5, 0.05: 3} // blocks at 100 rps
	var limits []limit
	for _, rps := range []float64{10, 100, 1000} {
		for _, rate := range []float64{0.003, 0.005, 0.01, 0.02, 0.05, 0.2, 1} {
			w := row{
				name:  fmt.Sprintf("%v rps, %v %%", rps, rate*100),
				world: steady(rps, rates{0.1, rate, baseRate}),
				make:  watchers,
				runs:  s.runs / 10,
			}
			tallies := s.simulate(t.key, w)
			t.delays(w.name, tallies)
			if m, ok := most[rate]; ok && rps == 100 {
				for i, phi := range []string{"phi 1", "phi learnt"} {
					what := fmt.Sprintf("median blocks to find %v %% at 100 rps, %s", rate*100, phi)
					limits = append(limits, limit{what: what, got: tallies[i].medianBlock(), most: m, format: number})
				}
			}
		}
	}
	d.add(t)
	return limits
}

func (d *document) lateRegressions(s simulation) {
	t := newTable("late", "canary after 30 min", "start mixture (default)", "single start")
	for _, rate := range []float64{0.01, 0.02, 0.05, 1} {
		w := row{
			name: fmt.Sprintf("%v %%", rate*100),
			world: service{rps: 100, at: func(block int) rates {
				if block < blocks/2 {
					return rates{0.1, baseRate, baseRate}
				}
				return rates{0.1, rate, baseRate}
			}},
			make: func(history) []detector {
				return []detector{fails(stats.Tolerance(budget), 1), failsFromStart(stats.Tolerance(budget))}
			},
			runs:  s.runs / 10,
			first: blocks / 2,
		}
		t.delays(w.name, s.simulate(t.key, w))
	}
	d.add(t)
}

func (d *document) latency(s simulation) {
	t := newTable("latency", "canary", "objective, bucket at 300 ms", "distribution", "fixed: p99 < 300 ms over 5 min")
	for _, c := range []struct {
		name   string
		canary slowness
	}{
		{"equal", slowness{factor: 1}},
		{"1.1 x", slowness{factor: 1.1}},
		{"1.25 x", slowness{factor: 1.25}},
		{"1.5 x", slowness{factor: 1.5}},
		{"2 x", slowness{factor: 2}},
		{"3 x", slowness{factor: 3}},
		{"2 % of requests + 1 s", slowness{factor: 1, delayed: 0.02}},
		{"5 % of requests + 1 s", slowness{factor: 1, delayed: 0.05}},
	} {
		w := row{name: c.name, world: latencies{canary: c.canary}, runs: s.runs / 10}
		w.make = func(history) []detector {
			return []detector{fails(stats.Tolerance(0.01), 1), failsByDistribution(), &gate{window: 30, most: 0.01}}
		}
		t.delays(w.name, s.simulate(t.key, w))
	}
	d.add(t)
}

func (d *document) clusters(s simulation) {
	t := newTable("clusters", "mean size of a cluster", "phi 1", "phi learnt", "phi 1.5")
	for _, size := range []float64{2, 5, 10} {
		for _, truth := range []struct {
			name string
			rates
		}{{"equal", rates{0.1, baseRate, baseRate}}, {"at the limit", rates{0.1, 0.002, baseRate}}} {
			world := steady(100, truth.rates)
			world.cluster = size
			w := row{name: fmt.Sprintf("%v, %s", size, truth.name), world: world, make: evidenceOnly, runs: s.runs}
			t.rates(w.name, s.simulate(t.key, w))
		}
	}
	d.add(t)
}

// required needs no chance.
func (d *document) required() {
	weights := []float64{0.1, 0.25, 0.5, 1}
	t := newTable("required", "objective", "next 10 %", "next 25 %", "next 50 %", "next 100 %")
	for _, objective := range []float64{0.99, 0.995, 0.999, 0.9999} {
		var cells []string
		for _, w := range weights {
			limit := stats.BurnLimit(stats.MaxBurnRate, math.Round((1-objective)*1e6)/1e6, w)
			cells = append(cells, number(math.Ceil(stats.Required(limit, stats.MissRate, 1))))
		}
		t.add(fmt.Sprintf("%v %%", objective*100), cells...)
	}
	d.add(t)
}

func worstOf(tallies []tally) float64 {
	worst := 0.0
	for _, t := range tallies {
		worst = max(worst, t.rate())
	}
	return worst
}
