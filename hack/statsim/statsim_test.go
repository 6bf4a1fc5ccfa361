// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/stats"
)

func TestSameSeedSameDocument(t *testing.T) {
	render := func(seed uint64, workers int) string {
		var out bytes.Buffer
		s := simulation{seed: seed, runs: 10, workers: workers, progress: io.Discard}
		d := play(s)
		out.WriteString(d.markdown())
		return out.String()
	}
	first := render(7, 1)
	if diff := cmp.Diff(first, render(7, 3)); diff != "" {
		t.Errorf("a second run with other workers differs:\n%s", diff)
	}
	if first == render(8, 1) {
		t.Error("another seed gives the same document: nothing depends on chance")
	}
	if strings.Contains(first, "NaN") || strings.Contains(first, "no value") {
		t.Errorf("the document has holes:\n%s", first)
	}
}

func TestDrawsHaveTheRightMean(t *testing.T) {
	const seed, draws = 9, 20000
	t.Logf("seed %d", seed)
	cases := map[string]struct {
		draw           func(r *rand.Rand) float64
		mean, variance float64
	}{
		"Binomial":     {func(r *rand.Rand) float64 { return binomial(r, 100, 0.02) }, 2, 1.96},
		"BinomialHigh": {func(r *rand.Rand) float64 { return binomial(r, 100, 0.9) }, 90, 9},
		"BinomialAll":  {func(r *rand.Rand) float64 { return binomial(r, 100, 1) }, 100, 0},
		"BinomialNone": {func(r *rand.Rand) float64 { return binomial(r, 100, 0) }, 0, 0},
		"Poisson":      {func(r *rand.Rand) float64 { return poisson(r, 7) }, 7, 7},
		"PoissonLarge": {func(r *rand.Rand) float64 { return poisson(r, 900) }, 900, 900},
		// A sum of geometric sizes of mean g has variance mean*(2g-1).
		"Clustered": {func(r *rand.Rand) float64 { return clustered(r, 100000, 0.001, 5) }, 100, 900},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			var sum, squares float64
			for range draws {
				x := tc.draw(r)
				sum += x
				squares += (x - tc.mean) * (x - tc.mean)
			}
			if got, off := sum/draws, 4*math.Sqrt(tc.variance/draws); math.Abs(got-tc.mean) > off {
				t.Errorf("mean %v, want %v +- %v", got, tc.mean, off)
			}
			if got := squares / draws; math.Abs(got-tc.variance) > 0.1*tc.variance {
				t.Errorf("variance %v, want %v", got, tc.variance)
			}
		})
	}
}

func TestLatenciesAreLognormal(t *testing.T) {
	s := slowness{factor: 1}
	for millis, want := range map[float64]float64{50: 0.5, 50 * math.Exp(0.6*2.3263478740408408): 0.01} {
		if got := s.above(millis); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v of requests take longer than %v ms, want %v", got, millis, want)
		}
	}
	slow := slowness{factor: 1, delayed: 0.02}
	if got := slow.above(500); math.Abs(got-0.02) > 1e-3 {
		t.Errorf("%v of requests take longer than 500 ms, want 0.02", got)
	}
}

func TestGates(t *testing.T) {
	cases := map[string]struct {
		gate gate
		bad  []float64 // of 100 in each block
		want int
	}{
		"First":    {gate: gate{window: 2, most: 0.01}, bad: []float64{1, 1, 1, 2}, want: 4},
		"Forgiven": {gate: gate{window: 1, most: 0.01, forgive: 1}, bad: []float64{5, 0, 0, 5, 5}, want: 4},
		"AtIt":     {gate: gate{window: 1, most: 0.01}, bad: []float64{1, 1, 1}, want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := 0
			for i, bad := range tc.bad {
				if tc.gate.see(observation{bad: pair{canary: stats.Counts{Bad: bad, Total: 100}}}) && got == 0 {
					got = i + 1
				}
			}
			if got != tc.want {
				t.Errorf("decided at block %d, want %d", got, tc.want)
			}
		})
	}
}

func TestMedianCountsRunsThatNeverDecided(t *testing.T) {
	x := tally{decisions: []decision{{block: 3, requests: 30}, {}, {block: 1, requests: 10}, {}, {}}}
	if !math.IsInf(x.medianBlock(), 1) || delay(x) != "40.0 %" {
		t.Errorf("median %v, shown as %q", x.medianBlock(), delay(x))
	}
	x.decisions = x.decisions[:3]
	if x.medianBlock() != 3 || delay(x) != "30 s, 30 (66.7 %)" {
		t.Errorf("median %v, shown as %q", x.medianBlock(), delay(x))
	}
}

func TestBrokenLimitsAreShown(t *testing.T) {
	d := document{limits: []limit{{what: "false aborts", got: 0.02, most: 0.01, format: percent}}}
	if got := d.verdicts(); !strings.Contains(got, "| false aborts | 1.00 % | 2.00 % | **broken** |") {
		t.Errorf("got:\n%s", got)
	}
	if err := write(simulation{runs: 1, workers: 1, progress: io.Discard}, t.TempDir()+"/out.md"); err == nil {
		t.Error("one run was taken for a simulation")
	}
}
