// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
	"time"
)

// Upper is a bound on the canary's average probability of a bad request so far
// that holds at all times together with probability 1-alpha: the smallest limit
// that [NewPass] has evidence of 1/alpha for.
//
//	mean over kappa of exp( (bad*ln(kappa) + (1-kappa)*total*p)/phi ) = 1/alpha
//
// Totals are those since some fixed start. Phi is the noise factor, 1 to 20.
// It is 1 when nothing is known: without traffic, and with numbers that are none.
func Upper(c Counts, alpha, phi float64) float64 {
	known := c.Valid() == nil && c.Total > 0 && within(alpha, math.SmallestNonzeroFloat64, 1) && within(phi, 1, maxPhi)
	if !known {
		return 1
	}
	reached := func(p float64) bool {
		return passEvidence(c, Limit{Absolute: p}, phi) >= -math.Log(alpha)
	}
	return bisect(0, 1, reached)
}

// passEvidence is the logarithm of what [NewPass] makes of one block.
func passEvidence(c Counts, l Limit, phi float64) float64 {
	sum, bets := math.Inf(-1), passBets()
	for _, kappa := range bets {
		sum = logAddExp(sum, LogE(c, Counts{}, l.Ratio, l.Absolute, kappa)/phi)
	}
	return sum - math.Log(float64(len(bets)))
}

// Required is how many requests without a single bad one a step needs until it
// can pass: about 4*phi/p for beta = 5 %, where p is the limit's Absolute. Limits
// with a Ratio depend on stable; ask [EProcess.BlocksTo] for those. It is
// infinite when no number suffices.
func Required(limit Limit, beta, phi float64) float64 {
	p, err := NewPass(limit, phi)
	if err != nil || limit.Ratio > 0 {
		return math.Inf(1)
	}
	return p.Remaining(1 / beta)
}

// Remaining is how many more requests, all good, take Value to the threshold,
// for a process of [NewPass] with a Ratio of 0: 0 when it is there already, and
// infinite for other processes and when no number suffices.
func (p *EProcess) Remaining(threshold float64) float64 {
	if p.Value() >= threshold {
		return 0
	}
	if p.limit.Ratio > 0 || p.limit.Absolute <= 0 || p.bets[0].kappa > 1 || !within(threshold, 0, math.MaxFloat64) {
		return math.Inf(1)
	}
	reached := func(total float64) bool {
		next := p.Clone()
		return next.Update(Counts{Total: total}, Counts{}) == nil && next.Value() >= threshold
	}
	if !reached(maxCount) {
		return math.Inf(1)
	}
	return bisect(0, maxCount, reached)
}

// BlocksTo is how many more blocks such as this one take Value to the
// threshold; ok is false if that many, at most limit, do not suffice.
func (p *EProcess) BlocksTo(threshold float64, canary, stable Counts, limit int) (blocks int, ok bool) {
	next := p.Clone()
	for ; blocks <= limit; blocks++ {
		if next.Value() >= threshold {
			return blocks, true
		}
		if next.Update(canary, stable) != nil {
			return 0, false
		}
	}
	return 0, false
}

// ETA is how long a number of requests takes; ok is false when it is never,
// because there is no traffic, more than a year, or no number.
func ETA(requests, perSecond float64) (d time.Duration, ok bool) {
	const year = 365 * 24 * 3600
	seconds := requests / perSecond
	if !within(seconds, 0, year) {
		return 0, false
	}
	return time.Duration(math.Ceil(seconds)) * time.Second, true
}

// bisect finds, to the precision of a float64, where reached turns true between
// low, where it is false, and high, which it returns if there is no such place.
func bisect(low, high float64, reached func(float64) bool) float64 {
	for {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			return high
		}
		if reached(middle) {
			high = middle
		} else {
			low = middle
		}
	}
}
