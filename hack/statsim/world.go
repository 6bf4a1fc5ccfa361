// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"

	"github.com/sluice-dev/sluice/analysis/stats"
)

const (
	// blockSeconds is how long a block is.
	blockSeconds = 10
	// blocks is an hour.
	blocks = 360
	// baseRate is how often stable fails where nothing else is said.
	baseRate = 0.001
)

// pair is what one block counts, in both arms.
type pair struct{ canary, stable stats.Counts }

// observation is one block: bad requests, and for worlds of latency, requests
// above each of three edges.
type observation struct {
	bad   pair
	edges [3]pair
}

// world is a service under a rollout.
type world interface {
	observe(r *rand.Rand, block int) observation
	// history is what stable did in the hour before.
	history(r *rand.Rand) []stats.Counts
}

// rates are the truth about one block.
type rates struct{ weight, canary, stable float64 }

// service fails at rates that may change from block to block.
type service struct {
	rps     float64
	cluster float64
	at      func(block int) rates
}

// steady is a service whose rates stay.
func steady(rps float64, truth rates) service {
	return service{rps: rps, at: func(int) rates { return truth }}
}

func (s service) observe(r *rand.Rand, block int) observation {
	truth := s.at(block)
	arm := func(share, rate float64) stats.Counts {
		n := poisson(r, s.rps*blockSeconds*share)
		return stats.Counts{Bad: clustered(r, n, rate, s.cluster), Total: n}
	}
	return observation{bad: pair{canary: arm(truth.weight, truth.canary), stable: arm(1-truth.weight, truth.stable)}}
}

func (s service) history(r *rand.Rand) []stats.Counts {
	truth := s.at(0)
	truth.weight = 0
	before := service{rps: s.rps, cluster: s.cluster, at: func(int) rates { return truth }}
	out := make([]stats.Counts, 0, blocks)
	for range blocks {
		out = append(out, before.observe(r, 0).bad.stable)
	}
	return out
}

// edgesMillis are buckets near stable's p50, p90 and p99; objectiveMillis is the objective's.
var edgesMillis = [3]float64{50, 100, 250}

const objectiveMillis = 300

// slowness multiplies a latency, and adds a second to some requests.
type slowness struct{ factor, delayed float64 }

// latencies is a service with lognormal latencies, median 50 ms, sigma 0.6,
// 100 requests a second, of which the canary gets a tenth.
type latencies struct{ canary slowness }

func (l latencies) observe(r *rand.Rand, _ int) observation {
	var o observation
	o.arm(r, poisson(r, 100*blockSeconds*0.1), l.canary, func(p *pair) *stats.Counts { return &p.canary })
	o.arm(r, poisson(r, 100*blockSeconds*0.9), slowness{factor: 1}, func(p *pair) *stats.Counts { return &p.stable })
	return o
}

// arm draws how many requests are above each edge: those above the next one are
// some of those above this one.
func (o *observation) arm(r *rand.Rand, n float64, s slowness, side func(*pair) *stats.Counts) {
	above, share := n, 1.0
	for i, edge := range edgesMillis {
		next := s.above(edge)
		above, share = binomial(r, above, next/share), next
		*side(&o.edges[i]) = stats.Counts{Bad: above, Total: n}
	}
	above = binomial(r, above, s.above(objectiveMillis)/share)
	*side(&o.bad) = stats.Counts{Bad: above, Total: n}
}

// above is the share of requests that take longer.
func (s slowness) above(millis float64) float64 {
	const median, sigma, delay = 50, 0.6, 1000
	tail := func(x float64) float64 {
		if x <= 0 {
			return 1
		}
		return math.Erfc(math.Log(x/(median*s.factor))/(sigma*math.Sqrt2)) / 2
	}
	return (1-s.delayed)*tail(millis) + s.delayed*tail(millis-delay)
}

func (l latencies) history(r *rand.Rand) []stats.Counts {
	out := make([]stats.Counts, 0, blocks)
	for range blocks {
		out = append(out, l.observe(r, 0).bad.stable)
	}
	return out
}
