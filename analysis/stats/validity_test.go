// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// slack is what rounding may add to an expectation of 1.
const slack = 1e-12

// configuration is a block under a null hypothesis: one probability for each unit.
type configuration struct {
	canary, stable []float64
	limit          Limit
}

// TestExpectationOfABlockIsAtMostOne enumerates every outcome of a block for
// thousands of canaries that are just within the limit, or just beyond it for
// bets below 1. Probabilities differ between requests, as they do in life.
func TestExpectationOfABlockIsAtMostOne(t *testing.T) {
	const seed, configurations = 1, 3000
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	bets := []float64{1.5, 2, 4, 8, 16, 64, 0.02, 0.25, 0.5, 0.75}
	worst := 0.0
	for range configurations {
		phi, logCap := 1.0, math.Inf(1)
		if r.IntN(2) == 0 {
			phi = 1 + 19*r.Float64()
		}
		if r.IntN(2) == 0 {
			logCap = math.Log(20)
		}
		for _, kappa := range bets {
			c := null(r, kappa)
			e := expectation(c, 1, func(canary, stable Counts) float64 {
				return math.Exp(min(LogE(canary, stable, c.limit.Ratio, c.limit.Absolute, kappa)/phi, logCap))
			})
			worst = max(worst, e)
			if e > 1+slack {
				t.Fatalf("E = %.17g with kappa %v, phi %v, log cap %v and %+v", e, kappa, phi, logCap, c)
			}
		}
	}
	t.Logf("largest expectation in %d configurations: %.17g", configurations*len(bets), worst)
	if worst < 0.999 {
		t.Errorf("the largest expectation is %v: the configurations do not reach the edge, so they test nothing", worst)
	}
}

// TestNoiseFactorPaysForClusters: requests that fail together, up to phi of
// them, are one unit. Without phi the expectation is far above 1.
func TestNoiseFactorPaysForClusters(t *testing.T) {
	const seed, size = 2, 5
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	naive := 0.0
	for range 500 {
		for _, kappa := range []float64{1.5, 4, 64, 0.02, 0.5} {
			c := null(r, kappa)
			e := func(phi float64) float64 {
				return expectation(c, size, func(canary, stable Counts) float64 {
					return math.Exp(LogE(canary, stable, c.limit.Ratio, c.limit.Absolute, kappa) / phi)
				})
			}
			if got := e(size); got > 1+slack {
				t.Fatalf("E = %.17g with clusters of %d, kappa %v and %+v", got, size, kappa, c)
			}
			naive = max(naive, e(1))
		}
	}
	if naive < 2 {
		t.Errorf("without phi the largest expectation is %v: clusters would do no harm, so the test shows nothing", naive)
	}
}

// TestSharesOfARequestKeepTheGuarantee: a unit may be bad by half. All that is
// needed is that no unit brings more than 1.
func TestSharesOfARequestKeepTheGuarantee(t *testing.T) {
	const seed = 6
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		for _, kappa := range []float64{1.5, 4, 64, 0.02, 0.5} {
			c := null(r, kappa)
			// Half the harm, so half the rates are tolerated.
			limit := Limit{Ratio: c.limit.Ratio, Absolute: c.limit.Absolute / 2}
			e := expectation(c, 1, func(canary, stable Counts) float64 {
				canary.Bad /= 2
				stable.Bad /= 2
				return math.Exp(LogE(canary, stable, limit.Ratio, limit.Absolute, kappa))
			})
			if e > 1+slack {
				t.Fatalf("E = %.17g with kappa %v and %+v", e, kappa, c)
			}
		}
	}
}

// TestExpectationOfAProcessIsAtMostOne enumerates every path of three blocks
// with two requests in each arm, through start mixture, cap and noise factor.
func TestExpectationOfAProcessIsAtMostOne(t *testing.T) {
	for _, ps := range []float64{0, 0.001, 0.01, 0.1, 0.3, 0.5} {
		limit := Limit{Ratio: 1.5, Absolute: 0.02}
		pc := limit.Ratio*ps + limit.Absolute
		fail, err := NewFail(limit, FailOptions{Alpha: 0.2, Horizon: 3, Phi: 1})
		if err != nil {
			t.Fatal(err)
		}
		pass, err := NewPass(limit, 1.2)
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]*EProcess{"fail": fail, "pass": pass} {
			if got := pathExpectation(t, p, pc, ps, 3); got > 1+slack {
				t.Errorf("%s: E[M] = %.17g with stable %v and canary %v", name, got, ps, pc)
			}
		}
	}
}

func pathExpectation(t *testing.T, p *EProcess, pc, ps float64, blocks int) float64 {
	t.Helper()
	if blocks == 0 {
		return p.Value()
	}
	var sum float64
	canary, stable := sums([]float64{pc, pc}), sums([]float64{ps, ps})
	for ec, probC := range canary {
		for es, probS := range stable {
			next := p.Clone()
			if err := next.Update(Counts{float64(ec), 2}, Counts{float64(es), 2}); err != nil {
				t.Fatal(err)
			}
			sum += probC * probS * pathExpectation(t, next, pc, ps, blocks-1)
		}
	}
	return sum
}

// null draws a block in which the sentence that the bet is against is true,
// most often by nothing.
func null(r *rand.Rand, kappa float64) configuration {
	for {
		c := configuration{
			canary: make([]float64, 1+r.IntN(12)),
			stable: make([]float64, r.IntN(16)),
			limit:  Limit{Ratio: []float64{0, 0.5, 1, 1.25, 1.5, 3}[r.IntN(6)], Absolute: math.Pow(10, -5*r.Float64()) / 2},
		}
		base := math.Pow(10, -4*r.Float64())
		for i := range c.stable {
			c.stable[i] = min(1, base*2*r.Float64())
		}
		edge := c.limit.Absolute
		if len(c.stable) > 0 {
			edge += c.limit.Ratio * mean(c.stable)
		}
		if kappa > 1 {
			edge *= []float64{1, 1, 1, 0.5, 0}[r.IntN(5)]
		}
		if edge > 1 && kappa < 1 { // no canary is that bad
			continue
		}
		for i := range c.canary {
			c.canary[i] = min(1, edge)
		}
		spread(r, c.canary)
		return c
	}
}

// spread makes the probabilities uneven and keeps their sum.
func spread(r *rand.Rand, p []float64) {
	for i := 0; i+1 < len(p); i += 2 {
		d := r.Float64() * min(p[i], 1-p[i+1])
		p[i], p[i+1] = p[i]-d, p[i+1]+d
	}
}

// expectation sums over all outcomes; each unit stands for size requests.
func expectation(c configuration, size float64, e func(canary, stable Counts) float64) float64 {
	var sum float64
	stable := sums(c.stable)
	for ec, probC := range sums(c.canary) {
		for es, probS := range stable {
			sum += probC * probS * e(
				Counts{size * float64(ec), size * float64(len(c.canary))},
				Counts{size * float64(es), size * float64(len(c.stable))})
		}
	}
	return sum
}

// sums is the distribution of how many of the units are bad.
func sums(p []float64) []float64 {
	out := []float64{1}
	for _, x := range p {
		next := make([]float64, len(out)+1)
		for k, prob := range out {
			next[k] += prob * (1 - x)
			next[k+1] += prob * x
		}
		out = next
	}
	return out
}

func mean(xs []float64) float64 {
	var sum float64
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}
