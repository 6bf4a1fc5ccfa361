// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

const (
	maxPhi   = 20
	priorPhi = 1.5
	// priorPairs is how many pairs of blocks the prior is worth.
	priorPairs = 10
)

// NoiseFactor estimates phi, how many bad events one cause brings on average,
// from the stable revision's blocks before the rollout; an hour of them is
// plenty. Retries and single bad pods make errors come in clusters, and a
// cluster of ten is not ten times the evidence.
//
// Disjoint pairs of neighbours are compared, so that slow drift cancels out:
//
//	X   = (e1/n1 - e0/n0)^2 / (p*(1-p)*(1/n0+1/n1))      p = (e0+e1)/(n0+n1)
//	phi = (10*1.5 + sum X) / (10 + pairs)                clamped to 1..20
//
// Pairs without a bad event, with nothing but bad events, without traffic or
// with numbers that are no counts say nothing and are left out. Without any
// pair it is 1.5.
//
// It must be fixed before the first block of the test and stay: a factor that
// is chosen by the blocks it is applied to has no guarantee. Being an estimate
// it costs some of the guarantee where errors are clustered; see doc.go.
func NoiseFactor(blocks []Counts) float64 {
	sum, pairs := priorPhi*priorPairs, float64(priorPairs)
	for i := 0; i+1 < len(blocks); i += 2 {
		if x, ok := dispersion(blocks[i], blocks[i+1]); ok {
			sum += x
			pairs++
		}
	}
	return max(1, min(maxPhi, sum/pairs))
}

func dispersion(a, b Counts) (x float64, ok bool) {
	if a.Valid() != nil || b.Valid() != nil || a.Total == 0 || b.Total == 0 {
		return 0, false
	}
	p := (a.Bad + b.Bad) / (a.Total + b.Total)
	if p <= 0 || p >= 1 {
		return 0, false
	}
	d := b.Bad/b.Total - a.Bad/a.Total
	return d * d / (p * (1 - p) * (1/a.Total + 1/b.Total)), true
}
