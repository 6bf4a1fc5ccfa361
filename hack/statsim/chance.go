// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"
)

// binomial draws how many of n are bad, by walking from one to the next.
func binomial(r *rand.Rand, n, p float64) float64 {
	switch {
	case p <= 0:
		return 0
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	}
	gap := -math.Log1p(-p)
	for count, at := 0.0, 0.0; ; count++ {
		at += 1 + math.Floor(r.ExpFloat64()/gap)
		if at > n {
			return count
		}
	}
}

// poisson draws a number of arrivals; above a mean of 100 the rounded normal
// distribution is as good, since all tests take traffic as it comes.
func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 100 {
		return max(0, math.Round(mean+r.NormFloat64()*math.Sqrt(mean)))
	}
	for count, at := 0.0, 0.0; ; count++ {
		at += r.ExpFloat64()
		if at > mean {
			return count
		}
	}
}

// clustered draws how many of n are bad when errors come in clusters whose
// sizes are geometric with the given mean; 1 is independent errors.
func clustered(r *rand.Rand, n, p, size float64) float64 {
	if size <= 1 {
		return binomial(r, n, p)
	}
	var bad float64
	gap := -math.Log1p(-1 / size)
	for range int(poisson(r, n*p/size)) {
		bad += 1 + math.Floor(r.ExpFloat64()/gap)
	}
	return min(n, bad)
}
