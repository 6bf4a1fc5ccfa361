// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFalseAbortsWhileLookingAtEveryBlock plays an hour of blocks many times
// and looks at each. The whole tables are those of make stats-sim.
func TestFalseAbortsWhileLookingAtEveryBlock(t *testing.T) {
	const seed, runs = 3, 2000
	t.Logf("seed %d", seed)
	cases := map[string]struct {
		reason   string
		pc, ps   float64
		atLeast  int
		atMostOf float64 // the rate that the guarantee or the limit allows
	}{
		"Equal":     {reason: "a canary equal to stable is not aborted", pc: 0.001, ps: 0.001, atMostOf: 0.001},
		"AtTheEdge": {reason: "a canary exactly at the tolerated limit is aborted at most once in a hundred", pc: 0.002, ps: 0.001, atMostOf: 0.01},
		"Bad":       {reason: "a bad canary is aborted, so the two above mean something", pc: 0.02, ps: 0.001, atLeast: runs, atMostOf: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			aborted := 0
			for range runs {
				if aborts(t, r, tc.pc, tc.ps) {
					aborted++
				}
			}
			// Three standard deviations above the allowed rate, and one for discreteness.
			most := runs*tc.atMostOf + 3*math.Sqrt(runs*tc.atMostOf) + 1
			t.Logf("%d of %d aborted", aborted, runs)
			if aborted < tc.atLeast || float64(aborted) > most {
				t.Errorf("%s: %d of %d aborted, want %d to %.0f", tc.reason, aborted, runs, tc.atLeast, most)
			}
		})
	}
}

func aborts(t *testing.T, r *rand.Rand, pc, ps float64) bool {
	t.Helper()
	p, err := NewFail(Tolerance(0.001), FailOptions{Phi: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range Horizon {
		if err := p.Update(Counts{binomial(r, 100, pc), 100}, Counts{binomial(r, 900, ps), 900}); err != nil {
			t.Fatal(err)
		}
		if p.Value() >= 1/FalseAbortRate {
			return true
		}
	}
	return false
}

// binomial walks from one success to the next.
func binomial(r *rand.Rand, n, p float64) float64 {
	count, at := 0.0, 0.0
	for {
		at += 1 + math.Floor(r.ExpFloat64()/-math.Log1p(-p))
		if at > n {
			return count
		}
		count++
	}
}
