// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func newFail(t *testing.T, o FailOptions) *EProcess {
	t.Helper()
	p, err := NewFail(Tolerance(0.001), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPass(t *testing.T, limit float64) *EProcess {
	t.Helper()
	p, err := NewPass(Limit{Absolute: limit}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func update(t *testing.T, p *EProcess, canary, stable Counts) {
	t.Helper()
	if err := p.Update(canary, stable); err != nil {
		t.Fatal(err)
	}
}

func TestMoreBadRequestsAreMoreEvidence(t *testing.T) {
	const seed = 4
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		stable := Counts{Total: float64(r.IntN(1000))}
		stable.Bad = math.Floor(stable.Total * r.Float64() / 10)
		limit := Limit{Ratio: 3 * r.Float64(), Absolute: r.Float64() / 100}
		fail, err := NewFail(limit, FailOptions{Phi: 1 + r.Float64()})
		if err != nil {
			t.Fatal(err)
		}
		pass, err := NewPass(limit, 1)
		if err != nil {
			t.Fatal(err)
		}
		failed, passed := 0.0, math.Inf(1)
		for bad := range 20 {
			f, p := fail.Clone(), pass.Clone()
			update(t, f, Counts{float64(bad), 20}, stable)
			update(t, p, Counts{float64(bad), 20}, stable)
			if f.Value() < failed || p.Value() > passed {
				t.Fatalf("%d bad of 20, stable %v, %+v: fail %v after %v, pass %v after %v", bad, stable, limit, f.Value(), failed, p.Value(), passed)
			}
			failed, passed = f.Value(), p.Value()
		}
	}
}

func TestBlocksThatSayNothing(t *testing.T) {
	cases := map[string]struct {
		reason         string
		canary, stable Counts
	}{
		"Empty":     {reason: "no requests, no evidence"},
		"NoCanary":  {reason: "stable alone says nothing about the canary", stable: Counts{5, 100}},
		"NoControl": {reason: "there is nothing to compare with", canary: Counts{5, 100}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newFail(t, FailOptions{})
			update(t, p, Counts{2, 100}, Counts{1, 900})
			before := p.Value()
			update(t, p, tc.canary, tc.stable)
			if math.Abs(p.Value()-before) > 1e-12*before || p.Blocks() != 2 {
				t.Errorf("%s: %v became %v after %d blocks", tc.reason, before, p.Value(), p.Blocks())
			}
		})
	}
}

func TestWhatCountsNothingChangesNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	cases := map[string]struct {
		reason string
		counts Counts
	}{
		"NaNBad":     {reason: "a query that divided by zero", counts: Counts{nan, 10}},
		"NaNTotal":   {reason: "a query that divided by zero", counts: Counts{0, nan}},
		"Infinite":   {reason: "no server has seen that many", counts: Counts{0, inf}},
		"AllInf":     {reason: "no server has seen that many", counts: Counts{inf, inf}},
		"MinusInf":   {reason: "a count is not negative", counts: Counts{-inf, 1}},
		"Negative":   {reason: "a count is not negative", counts: Counts{-1, 10}},
		"BothNeg":    {reason: "a count is not negative", counts: Counts{-2, -1}},
		"MoreBad":    {reason: "more bad requests than requests", counts: Counts{11, 10}},
		"BadOfNone":  {reason: "more bad requests than requests", counts: Counts{1, 0}},
		"TooMany":    {reason: "beyond 2^53 a float64 counts in steps", counts: Counts{0, 1 << 54}},
		"ALittleNeg": {reason: "rounding below zero is still no count", counts: Counts{-1e-13, 10}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*EProcess{newFail(t, FailOptions{}), newPass(t, 0.01)} {
				update(t, p, Counts{1, 100}, Counts{1, 900})
				before := *p
				for _, err := range []error{p.Update(tc.counts, Counts{1, 900}), p.Update(Counts{1, 100}, tc.counts)} {
					if !errors.Is(err, ErrCounts) || *p != before {
						t.Errorf("%s: error %v, state changed: %t", tc.reason, err, *p != before)
					}
				}
			}
		})
	}
}

func TestExtremeCountsStayFinite(t *testing.T) {
	cases := map[string]struct {
		reason         string
		canary, stable Counts
		blocks         int
	}{
		"Healthy": {reason: "a month of blocks", canary: Counts{0, 10000}, stable: Counts{9, 90000}, blocks: 260_000},
		"Outage":  {reason: "a month of an outage that nobody ended", canary: Counts{100, 100}, stable: Counts{1, 900}, blocks: 260_000},
		"Huge":    {reason: "the most that is a count", canary: Counts{maxCount, maxCount}, stable: Counts{0, maxCount}, blocks: 1000},
		"HugeOK":  {reason: "the most that is a count", canary: Counts{0, maxCount}, stable: Counts{maxCount, maxCount}, blocks: 1000},
		"Tiny":    {reason: "fractions of a request", canary: Counts{1e-300, 1e-300}, stable: Counts{0, 1e-300}, blocks: 1000},
		"Uneven":  {reason: "a canary of nothing", canary: Counts{1, 1}, stable: Counts{0, maxCount}, blocks: 1000},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*EProcess{newFail(t, FailOptions{Phi: 1}), newPass(t, 0.25), newPass(t, 0)} {
				for range tc.blocks {
					update(t, p, tc.canary, tc.stable)
				}
				if v := p.Value(); !within(v, 0, math.MaxFloat64) {
					t.Errorf("%s: %v after %d blocks", tc.reason, v, tc.blocks)
				}
				if err := p.Clone().Load(p.State()); err != nil {
					t.Errorf("%s: state %q: %v", tc.reason, p.State(), err)
				}
			}
		})
	}
}

func TestNoSingleBlockAborts(t *testing.T) {
	for _, alpha := range []float64{0.2, 0.05, 0.01, 0.0001} {
		p := newFail(t, FailOptions{Alpha: alpha, Phi: 1})
		update(t, p, Counts{1e6, 1e6}, Counts{0, 1e6})
		if p.Value() >= 1/alpha {
			t.Errorf("alpha %v: one block gives %v", alpha, p.Value())
		}
	}
}

func TestPassIsNotLatched(t *testing.T) {
	p := newPass(t, 0.02)
	update(t, p, Counts{0, 200}, Counts{})
	if p.Value() < 20 {
		t.Fatalf("200 good requests give %v, want 20", p.Value())
	}
	update(t, p, Counts{20, 100}, Counts{})
	if p.Value() >= 1 {
		t.Errorf("after 20 bad of 100 it is still %v", p.Value())
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	good := Settings{Limit: Limit{1.5, 0.001}, Bets: []float64{2}, Cap: 20, First: 0.5, Horizon: 10, Phi: 1}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	cases := map[string]struct {
		names  string
		change func(s *Settings)
	}{
		"NegativeRatio":  {names: "ratio", change: func(s *Settings) { s.Limit.Ratio = -1 }},
		"NaNRatio":       {names: "ratio", change: func(s *Settings) { s.Limit.Ratio = nan }},
		"Absolute":       {names: "absolute", change: func(s *Settings) { s.Limit.Absolute = 1.1 }},
		"Negative":       {names: "absolute", change: func(s *Settings) { s.Limit.Absolute = -0.1 }},
		"NoBets":         {names: "0 bets", change: func(s *Settings) { s.Bets = nil }},
		"TooManyBets":    {names: "9 bets", change: func(s *Settings) { s.Bets = make([]float64, 9) }},
		"NeutralBet":     {names: "bet 1", change: func(s *Settings) { s.Bets = []float64{1} }},
		"ZeroBet":        {names: "bet 0", change: func(s *Settings) { s.Bets = []float64{0} }},
		"BothSides":      {names: "bets", change: func(s *Settings) { s.Bets = []float64{2, 0.5} }},
		"Cap":            {names: "cap", change: func(s *Settings) { s.Cap = 0.5 }},
		"NaNCap":         {names: "cap", change: func(s *Settings) { s.Cap = nan }},
		"First":          {names: "first", change: func(s *Settings) { s.First = 0 }},
		"FirstTooMuch":   {names: "first", change: func(s *Settings) { s.First = 1.5 }},
		"NeverSpent":     {names: "first", change: func(s *Settings) { s.Horizon = 1 }},
		"Horizon":        {names: "horizon", change: func(s *Settings) { s.Horizon = -1 }},
		"PhiBelowOne":    {names: "phi", change: func(s *Settings) { s.Phi = 0.9 }},
		"PhiUnbounded":   {names: "phi", change: func(s *Settings) { s.Phi = 21 }},
		"PhiLeftAtZero":  {names: "phi", change: func(s *Settings) { s.Phi = 0 }},
		"PhiIsNotNumber": {names: "phi", change: func(s *Settings) { s.Phi = nan }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := good
			tc.change(&s)
			if _, err := New(s); err == nil || !strings.HasPrefix(err.Error(), tc.names) {
				t.Errorf("error %v, want one about %q", err, tc.names)
			}
		})
	}
	for _, alpha := range []float64{-0.1, 0.6, nan} {
		if _, err := NewFail(Limit{}, FailOptions{Alpha: alpha}); err == nil {
			t.Errorf("a false abort rate of %v was taken", alpha)
		}
	}
}

func TestUpdateNeedsNoMemory(t *testing.T) {
	p := newFail(t, FailOptions{})
	var sum float64
	allocs := testing.AllocsPerRun(1000, func() {
		if err := p.Update(Counts{1, 100}, Counts{1, 900}); err != nil {
			t.Error(err)
		}
		sum += p.Value()
	})
	if allocs != 0 || sum == 0 {
		t.Errorf("%v allocations per block, want 0", allocs)
	}
}

// BenchmarkUpdate is one metric and one block, and reading the evidence. The
// limit is 1 µs and no allocation.
func BenchmarkUpdate(b *testing.B) {
	fail, err := NewFail(Tolerance(0.001), FailOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var sum float64
	for b.Loop() {
		if err := fail.Update(Counts{1, 1000}, Counts{9, 9000}); err != nil {
			b.Fatal(err)
		}
		sum += fail.Value()
	}
	if math.IsNaN(sum) {
		b.Fatal(sum)
	}
}
