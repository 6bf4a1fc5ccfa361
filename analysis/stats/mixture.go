// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import "math"

// maxBets is how many bets a process may hold, so that it needs no memory but its own.
const maxBets = 8

// dust is what rounding leaves of start mass that is spent.
const dust = 1e-12

// mixture is the average over bets and over start times that turns evidence of
// blocks into a process. Logarithms are mandatory: evidence against a healthy
// canary falls below the smallest float64 within hours.
//
//	LS_j = ln( exp(LS_j) + pi_k ) + logE_j       -Inf before the first block
//	M_k  = mean_j exp(LS_j) + 1 - pi_1 - ... - pi_k      the unspent mass
//
// with pi_1 = first and pi_k = (1-first)/(horizon-1) up to block horizon.
type mixture struct {
	first   float64
	horizon int64

	size    int // bets in use
	sums    [maxBets]float64
	unspent float64
	blocks  int64
}

func newMixture(size int, first float64, horizon int64) mixture {
	m := mixture{first: first, horizon: horizon, size: size, unspent: 1}
	for j := range m.sums {
		m.sums[j] = math.Inf(-1)
	}
	return m
}

// open begins a block and returns the logarithm of the mass that starts with it.
func (m *mixture) open() float64 {
	m.blocks++
	pi := min(m.share(m.blocks), m.unspent)
	if m.unspent -= pi; m.unspent < dust {
		m.unspent = 0
	}
	if pi <= 0 {
		return math.Inf(-1)
	}
	return math.Log(pi)
}

func (m *mixture) share(block int64) float64 {
	switch {
	case block == 1:
		return m.first
	case block <= m.horizon:
		return (1 - m.first) / float64(m.horizon-1)
	default:
		return 0
	}
}

// add multiplies what bet j holds, together with the mass that starts now, by exp(logE).
func (m *mixture) add(j int, start, logE float64) {
	m.sums[j] = logAddExp(m.sums[j], start) + logE
}

func (m *mixture) value() float64 {
	var sum float64
	for _, ls := range m.sums[:m.size] {
		sum += math.Exp(min(ls, maxLog))
	}
	return sum/float64(m.size) + m.unspent
}

// maxLog keeps a value finite, far beyond any threshold.
const maxLog = 700

// logAddExp is ln(exp(a) + exp(b)) without leaving the range of a float64.
func logAddExp(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
