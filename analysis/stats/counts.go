// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"math"
)

// ErrCounts is what [Counts.Valid] and every update say about numbers that
// count nothing. A block with such counts is unusable: leave it out, and never
// take it for a good or a bad one.
var ErrCounts = errors.New("not counts: need 0 <= bad <= total <= 2^53, all finite; leave the block out")

// maxCount bounds every count. Up to it a float64 holds each integer, and no
// sum below can leave the range of a float64.
const maxCount = 1 << 53

// Counts are the requests of one arm in one block, or any other units that are
// each good or bad.
//
// They are float64 because that is what metrics servers answer, and because the
// guarantee needs no integers: it holds when every unit contributes a share in
// [0, 1] to Bad. What it does need is that they are counts. Values of rate() and
// increase() are extrapolated from few samples and break it.
type Counts struct {
	// Bad is how many failed, or were too slow. At least 0 and at most Total.
	Bad float64
	// Total is how many there were. At most 2^53; 0 when there was no traffic.
	Total float64
}

// Valid returns [ErrCounts] for NaN, infinity, negative numbers, more bad
// requests than requests, and more than 2^53 requests.
func (c Counts) Valid() error {
	if c.Bad >= 0 && c.Bad <= c.Total && c.Total <= maxCount { // false for each NaN
		return nil
	}
	return ErrCounts
}

// LogE is the natural logarithm of the evidence that one block gives with one bet.
//
//	omega = rho*nc / (rho*nc + ns)            0 when rho = 0
//	D     = 1 + omega*(kappa-1)
//	logE  = ec*ln(kappa) - (ec+es)*ln(D) - (kappa/D - 1)*nc*delta
//
// where the canary had ec bad of nc requests and the stable revision es of ns.
// With kappa > 1 it is evidence against "canary <= rho*stable + delta", with
// 0 < kappa < 1 against "canary >= rho*stable + delta", where canary and stable
// are the probabilities that a request is bad. If the respective sentence is
// true, the expectation of exp(logE) is at most 1, whatever the base rate and
// the split of traffic are.
//
// It is 0, which is no evidence, when the canary had no traffic, and when
// rho > 0 and the stable revision had none. With rho = 0 stable is ignored.
// Neither counts nor limits are checked here: [EProcess.Update] does that.
//
// Source: the convexity a^x <= 1+(a-1)x of a = kappa/D and 1/D on [0,1], with
// (1/D-1)*ns = -(kappa/D-1)*rho*nc; for rho = 1 and delta = 0 it is the
// conditional Poisson likelihood ratio of Lindon & Malek, arXiv 2011.03567.
func LogE(canary, stable Counts, rho, delta, kappa float64) float64 {
	return logE(canary, stable, Limit{Ratio: rho, Absolute: delta}, bet{kappa: kappa, log: math.Log(kappa)})
}

// bet is a kappa with its logarithm, which is the same in every block.
type bet struct {
	kappa float64
	log   float64
}

func logE(canary, stable Counts, l Limit, b bet) float64 {
	if canary.Total <= 0 || (l.Ratio > 0 && stable.Total <= 0) {
		return 0
	}
	if l.Ratio <= 0 {
		// The conversions keep compilers from fusing operations, which rounds differently.
		return float64(canary.Bad*b.log) - float64((b.kappa-1)*canary.Total*l.Absolute)
	}
	expected := l.Ratio * canary.Total
	omega := expected / (expected + stable.Total)
	d := 1 + float64(omega*(b.kappa-1))
	out := float64(-(b.kappa/d - 1) * canary.Total * l.Absolute)
	if bad := canary.Bad + stable.Bad; bad > 0 {
		out -= float64(bad * math.Log(d))
	}
	return out + float64(canary.Bad*b.log)
}
