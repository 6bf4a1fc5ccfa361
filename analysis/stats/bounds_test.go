// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestRequiredRequests(t *testing.T) {
	cases := map[string]struct {
		reason             string
		budget, nextWeight float64
		want               float64
	}{
		"99To10":     {reason: "a loose objective at a small weight", budget: 0.01, nextWeight: 0.1, want: 20},
		"99.5To100":  {reason: "to full promotion", budget: 0.005, nextWeight: 1, want: 400},
		"99.9To10":   {reason: "the usual first step", budget: 0.001, nextWeight: 0.1, want: 200},
		"99.9To25":   {reason: "the usual second step", budget: 0.001, nextWeight: 0.25, want: 499},
		"99.9To100":  {reason: "full promotion needs ten times the first step", budget: 0.001, nextWeight: 1, want: 1996},
		"99.99To50":  {reason: "four nines need traffic", budget: 0.0001, nextWeight: 0.5, want: 9979},
		"CappedAt25": {reason: "nobody passes with a quarter of requests bad", budget: 0.1, nextWeight: 0.01, want: 16},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := math.Ceil(Required(BurnLimit(MaxBurnRate, tc.budget, tc.nextWeight), MissRate, 1))
			if got != tc.want {
				t.Errorf("%s: %v requests, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRequiredIsInfiniteWhereNothingCanBeProven(t *testing.T) {
	cases := map[string]float64{
		"no budget":     Required(Limit{}, MissRate, 1),
		"needs stable":  Required(Tolerance(0.001), MissRate, 1),
		"impossible":    Required(Limit{Absolute: 0.01}, 0, 1),
		"bad noise":     Required(Limit{Absolute: 0.01}, MissRate, 0.5),
		"a fail test":   newFail(t, FailOptions{}).Remaining(100),
		"NaN threshold": newPass(t, 0.01).Remaining(math.NaN()),
	}
	for name, got := range cases {
		if !math.IsInf(got, 1) {
			t.Errorf("%s: %v requests, want infinitely many", name, got)
		}
	}
}

func TestRemainingIsWhatIsMissing(t *testing.T) {
	p := newPass(t, 0.01)
	update(t, p, Counts{1, 150}, Counts{})
	missing := p.Remaining(20)
	for _, tc := range []struct {
		total  float64
		passes bool
	}{{missing * 0.999, false}, {missing * 1.001, true}} {
		next := p.Clone()
		update(t, next, Counts{0, tc.total}, Counts{})
		if (next.Value() >= 20) != tc.passes {
			t.Errorf("%v of %v missing requests give %v", tc.total, missing, next.Value())
		}
	}
	update(t, p, Counts{0, missing + 1}, Counts{})
	if got := p.Remaining(20); got != 0 {
		t.Errorf("%v missing after the last, want 0", got)
	}
	if missing <= Required(Limit{Absolute: 0.01}, MissRate, 1)-150 {
		t.Errorf("a bad request costs nothing: %v missing", missing)
	}
}

func TestBlocksTo(t *testing.T) {
	p := newFail(t, FailOptions{Phi: 1})
	if got, ok := p.BlocksTo(100, Counts{1, 100}, Counts{1, 900}, 100); got != 12 || !ok {
		t.Errorf("%d blocks, %t; want the golden 12", got, ok)
	}
	if got, ok := p.BlocksTo(100, Counts{0, 100}, Counts{1, 900}, 100); ok {
		t.Errorf("a healthy canary aborts in %d blocks", got)
	}
	if _, ok := p.BlocksTo(100, Counts{-1, 100}, Counts{}, 100); ok || p.Blocks() != 0 {
		t.Errorf("looking ahead with nonsense: ok %t, %d blocks taken in", ok, p.Blocks())
	}
}

func TestETA(t *testing.T) {
	cases := map[string]struct {
		requests, rps float64
		want          time.Duration
		ok            bool
	}{
		"Soon":      {requests: 159, rps: 0.2, want: 795 * time.Second, ok: true},
		"RoundedUp": {requests: 1, rps: 3, want: time.Second, ok: true},
		"Done":      {requests: 0, rps: 1, ok: true},
		"NoTraffic": {requests: 1, rps: 0},
		"Nothing":   {requests: 0, rps: 0},
		"Never":     {requests: math.Inf(1), rps: 10},
		"Years":     {requests: 1e12, rps: 1},
		"Nonsense":  {requests: 1, rps: -1},
		"Negative":  {requests: -1, rps: 1},
		"NaN":       {requests: math.NaN(), rps: 1},
	}
	for name, tc := range cases {
		if got, ok := ETA(tc.requests, tc.rps); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %v, %t; want %v, %t", name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestUpperKnowsNothingFromNothing(t *testing.T) {
	cases := map[string]float64{
		"no traffic":    Upper(Counts{}, 0.05, 1),
		"two requests":  Upper(Counts{0, 2}, 0.05, 1),
		"all bad":       Upper(Counts{50, 50}, 0.05, 1),
		"no counts":     Upper(Counts{5, 4}, 0.05, 1),
		"no confidence": Upper(Counts{0, 100}, 0, 1),
		"bad noise":     Upper(Counts{0, 100}, 0.05, 0),
	}
	for name, got := range cases {
		if got != 1 {
			t.Errorf("%s: %v, want 1", name, got)
		}
	}
	if one, three := Upper(Counts{1, 1000}, 0.05, 1), Upper(Counts{1, 1000}, 0.05, 3); three <= one {
		t.Errorf("noise does not widen the bound: %v with 1, %v with 3", one, three)
	}
}

func TestToleranceFollowsTheObjective(t *testing.T) {
	for budget, want := range map[float64]Limit{0.001: {1.5, 0.0005}, 0: {1.5, 0.001}, -1: {1.5, 0.001}} {
		if got := Tolerance(budget); got != want {
			t.Errorf("budget %v: %+v, want %+v", budget, got, want)
		}
	}
	// At its objective, what stable tolerates is what a burn rate of 2 does.
	tolerance, burn := Tolerance(0.001), BurnLimit(MaxBurnRate, 0.001, 1)
	near(t, "limit at the objective", tolerance.Ratio*0.001+tolerance.Absolute, burn.Absolute)
}

func TestCombine(t *testing.T) {
	nan := math.NaN()
	cases := map[string]struct {
		reason   string
		evidence []Evidence
		value    float64
		culprit  int
		err      error
	}{
		"Equal":     {reason: "two weak sentences are one strong one", evidence: []Evidence{{12, 1}, {190, 1}}, value: 101, culprit: 1},
		"Weighted":  {reason: "weights sum to one by themselves", evidence: []Evidence{{100, 3}, {200, 1}}, value: 125, culprit: 0},
		"NoDataYet": {reason: "a metric without data takes part with 1", evidence: []Evidence{{1, 1}, {199, 1}}, value: 100, culprit: 1},
		"None":      {reason: "no metric, no evidence", err: ErrCombine},
		"NaN":       {reason: "never an abort or a pass out of NaN", evidence: []Evidence{{nan, 1}}, err: ErrCombine},
		"Negative":  {reason: "evidence is not negative", evidence: []Evidence{{-1, 1}}, err: ErrCombine},
		"NoWeight":  {reason: "a metric without weight is not gating", evidence: []Evidence{{5, 0}}, err: ErrCombine},
		"Extreme":   {reason: "overwhelming evidence aborts, and does not overflow", evidence: []Evidence{{1e304, 1e300}, {1e304, 1e300}}, value: 1e304},
		"Overflow":  {reason: "weights must have a sum", evidence: []Evidence{{1, 1e308}, {1, 1e308}}, err: ErrCombine},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			value, culprit, err := Combine(tc.evidence)
			if value != tc.value || culprit != tc.culprit || !errors.Is(err, tc.err) {
				t.Errorf("%s: %v, culprit %d, error %v", tc.reason, value, culprit, err)
			}
		})
	}
}

func TestSignTestRefusesWhatItCannotCompare(t *testing.T) {
	test, err := NewSign(0.25, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := *test
	for _, x := range []float64{math.NaN(), math.Inf(1), -1} {
		for _, err := range []error{test.Update(x, 1), test.Update(1, x)} {
			if !errors.Is(err, ErrScalar) || *test != before {
				t.Errorf("%v: error %v", x, err)
			}
		}
	}
	if err := test.Update(0, 0); err != nil || test.Value() >= 1 {
		t.Errorf("two zeros: %v, %v; want evidence for the canary", test.Value(), err)
	}
	if err := test.Update(math.MaxFloat64, math.MaxFloat64); err != nil || test.Value() >= 1 {
		t.Errorf("two equal giants: %v, %v; want evidence for the canary", test.Value(), err)
	}
	for _, tolerance := range []float64{-0.1, math.NaN()} {
		if _, err := NewSign(tolerance, 10); err == nil {
			t.Errorf("a tolerance of %v was taken", tolerance)
		}
	}
}

func TestNoiseFactorLeavesOutWhatSaysNothing(t *testing.T) {
	cases := map[string]struct {
		reason string
		blocks []Counts
		want   float64
	}{
		"None":      {reason: "no history", want: 1.5},
		"Half":      {reason: "one block is no pair", blocks: []Counts{{1, 10}}, want: 1.5},
		"NoTraffic": {reason: "nothing to compare", blocks: []Counts{{1, 10}, {0, 0}}, want: 1.5},
		"AllBad":    {reason: "no variance", blocks: []Counts{{10, 10}, {10, 10}}, want: 1.5},
		"NoCounts":  {reason: "NaN must not spread", blocks: []Counts{{math.NaN(), 10}, {1, 10}}, want: 1.5},
		"Clamped":   {reason: "an incident must not silence the test for good", blocks: []Counts{{0, 1e6}, {1e6, 1e6}}, want: 20},
	}
	regular := make([]Counts, 720)
	for i := range regular {
		regular[i] = Counts{10, 1000}
	}
	if got := NoiseFactor(regular); got != 1 {
		t.Errorf("errors more regular than chance: %v, want no bonus for it", got)
	}
	for name, tc := range cases {
		if got := NoiseFactor(tc.blocks); got != tc.want {
			t.Errorf("%s: %s: %v, want %v", name, tc.reason, got, tc.want)
		}
	}
}
