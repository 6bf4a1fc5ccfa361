// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binomial says how far an observed share may lie from the weight it
// was drawn with before chance stops being the explanation. It is pure.
//
// The interval is the acceptance region of the exact two-sided test with equal
// tails: a count k of n is inside when neither P(X <= k) nor P(X >= k) is at
// most (1-level)/2 for X ~ Binomial(n, p). That is the same as saying that p
// lies in the interval of Clopper and Pearson around k/n ("The use of
// confidence or fiducial limits illustrated in the case of the binomial",
// Biometrika 26, 1934, pages 404-413). Tails are summed term by term, so no
// approximation limits n or p. The interval is conservative: it holds at least
// level of the probability, never less.
package binomial

import (
	"fmt"
	"math"
)

// Interval is a range of counts out of N, both ends included.
type Interval struct {
	// N is the number of draws.
	N int
	// Low and High are the least and the greatest count inside.
	Low, High int
}

// Central gives the interval that holds a Binomial(n, p) count with at least
// the given probability, at most half of the rest in either tail. It fails
// unless n is at least 1, p between 0 and 1, and level between 0 and 1.
func Central(n int, p, level float64) (Interval, error) {
	if n < 1 || !(p >= 0 && p <= 1) || !(level > 0 && level < 1) {
		return Interval{}, fmt.Errorf("binomial interval of n %d, p %g, level %g: n must be at least 1, p in [0, 1] and level in (0, 1)", n, p, level)
	}
	tail := (1 - level) / 2
	return Interval{N: n, Low: least(n, p, tail), High: n - least(n, 1-p, tail)}, nil
}

// Holds reports whether a count lies inside.
func (i Interval) Holds(count int) bool { return i.Low <= count && count <= i.High }

// Shares gives the ends as shares of N.
func (i Interval) Shares() (low, high float64) {
	return float64(i.Low) / float64(i.N), float64(i.High) / float64(i.N)
}

// least is the smallest count k for which P(X <= k) exceeds tail.
func least(n int, p, tail float64) int {
	sum := 0.0
	for k := range n {
		sum += math.Exp(logMass(n, k, p))
		if sum > tail {
			return k
		}
	}
	return n
}

// logMass is the logarithm of P(X = k).
func logMass(n, k int, p float64) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k) + times(k, math.Log(p)) + times(n-k, math.Log1p(-p))
}

// times is k*x where nothing times minus infinity is nothing: p to the power 0 is 1 for p = 0 too.
func times(k int, x float64) float64 {
	if k == 0 {
		return 0
	}
	return float64(k) * x
}

func logFactorial(n int) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}
