// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestTurnsBadAfterHours: the evidence of good hours does not excuse a canary
// that turns bad. It is held at once, and aborted a few minutes later at most.
func TestTurnsBadAfterHours(t *testing.T) {
	for name, good := range map[string]int{
		"half an hour": 180, "an hour": 360, "an hour and a half": 540, "six hours and a half": 2340, "a day": 8640 + 180,
	} {
		t.Run(name, func(t *testing.T) {
			// The processes alone play the good hours: the status of each block would take long.
			j, r := List(slo())[0], rulesOf(slo().Judgement)
			ev := &v1alpha1.MetricEvidence{Noise: "1"}
			tally, err := begin(j, r, ev, 1)
			if err != nil {
				t.Fatal(err)
			}
			feed(t, tally, good, 1)
			blocks := 0
			for value := 0.0; value < r.failAt(); blocks++ {
				if blocks > 40 {
					t.Fatalf("not aborted within %d blocks of 1 %% errors, evidence %g", blocks, value)
				}
				feed(t, tally, 1, 10)
				value, _, _ = tally.fails()
			}
			t.Logf("aborted after %d blocks of 1 %% errors", blocks)
		})
	}
	g := newGame(t, slo())
	g.rows(times(120, [4]float64{1, 1000, 9, 9000})...)
	if v := g.metric().Verdict; v != v1alpha1.MetricPassing {
		t.Fatalf("after good blocks: %s", v)
	}
	g.rows(times(7, [4]float64{14, 1000, 9, 9000})...)
	m := g.metric()
	if m.Verdict != v1alpha1.MetricHolding && m.Verdict != v1alpha1.MetricFailed {
		t.Errorf("%s: %q, want it to hold after a minute of errors", m.Verdict, m.Message)
	}
	if want := "of late the canary had"; m.Verdict == v1alpha1.MetricHolding && !strings.Contains(m.Message, want) && !strings.Contains(m.Message, "nothing passes") {
		t.Errorf("message %q, want %q", m.Message, want)
	}
}

// feed has the processes take blocks of 1,000 requests of the canary beside 9,000 of stable.
func feed(t *testing.T, of *tally, blocks int, bad float64) {
	t.Helper()
	for range blocks {
		if err := of.take(&sample{canary: 1000, stable: 9000, canaryBad: [3]float64{bad}, stableBad: [3]float64{9}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFalseAbortsOfLongRuns: over six hours, at the edge of what is tolerated,
// at most 1 % of all runs are aborted, whatever begins anew on the way.
func TestFalseAbortsOfLongRuns(t *testing.T) {
	const (
		seed   = 5
		runs   = 300
		blocks = 6 * stats.Horizon
		base   = 0.001
		edge   = 1.5*base + 0.0005
	)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	binomial := func(n int, p float64) (bad float64) {
		for range n {
			if rng.Float64() < p {
				bad++
			}
		}
		return bad
	}
	j, r := List(slo())[0], rulesOf(slo().Judgement)
	aborted := 0
	for range runs {
		tally, err := begin(j, r, &v1alpha1.MetricEvidence{Noise: "1"}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for range blocks {
			s := sample{canary: 20, stable: 80, canaryBad: [3]float64{binomial(20, edge)}, stableBad: [3]float64{binomial(80, base)}}
			if err := tally.take(&s); err != nil {
				t.Fatal(err)
			}
			if value, _, _ := tally.fails(); value >= r.failAt() {
				aborted++
				break
			}
		}
	}
	t.Logf("%d of %d runs of %d blocks aborted", aborted, runs, blocks)
	if most := 8; aborted > most { // binomial 99.9 % of 1 % of 300 is 9
		t.Errorf("%d of %d runs at the edge were aborted, want at most %d", aborted, runs, most)
	}
}

// TestStrangeTraffic: what a canary or its stable may look like, and the verdict.
func TestStrangeTraffic(t *testing.T) {
	objective := func(o v1alpha1.Objective, next int32) v1alpha1.AnalysisRunSpec {
		s := slo()
		s.Objectives.Availability, s.Question = o, asked(0, next)
		return s
	}
	vanished := func(g *game) {
		g.rows(times(30, [4]float64{0, 100, 1, 900})...)
		for range 3 {
			g.next(Arm{}, Arm{})
		}
	}
	for name, tc := range map[string]struct {
		reason  string
		spec    v1alpha1.AnalysisRunSpec
		play    func(*game)
		phase   v1alpha1.AnalysisPhase
		verdict v1alpha1.MetricVerdict
		says    string
	}{
		"StableWithoutTraffic": {"what fails all of its requests needs no comparison", objective("99.9%", 5), func(g *game) { g.rows(times(4, [4]float64{100, 100, 0, 0})...) },
			v1alpha1.AnalysisFailed, v1alpha1.MetricFailed, "exceeds 0.2 %"},
		"OnePercentOfLittle": {"three requests, all bad, beside 297 good ones", objective("99.9%", 5), func(g *game) { g.rows(times(4, [4]float64{1, 1, 0, 99})...) },
			v1alpha1.AnalysisFailed, v1alpha1.MetricFailed, "1.5 × stable"},
		"CanaryWithoutTraffic": {"nothing sent is nothing proven", objective("99.9%", 5), func(g *game) { g.rows(times(6, [4]float64{0, 0, 1, 900})...) },
			v1alpha1.AnalysisRunning, v1alpha1.MetricUndecided, "the canary gets no requests"},
		"EightNines": {"an objective that no traffic proves in an hour holds, with an ETA", objective("99.999999%", 1), func(g *game) { g.rows(times(60, [4]float64{0, 1000, 0, 99000})...) },
			v1alpha1.AnalysisRunning, v1alpha1.MetricUndecided, "ETA 5 h"},
		"HalfIsGoodEnough": {"an objective of a coin is an objective", objective("50%", 1), func(g *game) { g.rows(times(6, [4]float64{10, 100, 90, 900})...) },
			v1alpha1.AnalysisRunning, v1alpha1.MetricPassing, "passed"},
		"NamesVanish": {"a counter that is renamed in mid-run passes no more", objective("99.9%", 100), vanished,
			v1alpha1.AnalysisRunning, v1alpha1.MetricUndecided, "NoSeries"},
		"BeyondCounts": {"what no counter can have counted", objective("99.9%", 100), func(g *game) { g.rows(times(3, [4]float64{0, 1e300, 0, 1e300})...) },
			v1alpha1.AnalysisRunning, v1alpha1.MetricUndecided, "InvalidSample"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, tc.spec)
			tc.play(g)
			m := g.metric()
			if g.status.Phase != tc.phase || m.Verdict != tc.verdict || !strings.Contains(m.Message, tc.says) {
				t.Errorf("%s: phase %s, verdict %s: %q; want %s, %s and %q", tc.reason, g.status.Phase, m.Verdict, m.Message, tc.phase, tc.verdict, tc.says)
			}
			if passed := g.status.Answer.Verdict == v1alpha1.AnalysisPassed; passed != (tc.verdict == v1alpha1.MetricPassing) {
				t.Errorf("%s: answer %s", tc.reason, fmt.Sprint(g.status.Answer))
			}
		})
	}
}
