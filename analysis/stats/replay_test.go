// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever golden sequence is made of the default limits comes out of a replay,
// number by number; the two that are not are built from their own limits above.
func TestGoldenReplay(t *testing.T) {
	replayed := 0
	for _, g := range readGolden(t).Sequences {
		objective, next, ok := asObjective(g.Rho, g.Delta)
		if !ok {
			continue
		}
		replayed++
		s := Series{Objective: objective, NextWeight: next, Phi: g.Phi}
		for _, b := range g.Blocks {
			canary, stable := block(b)
			s.Blocks = append(s.Blocks, Block{canary, stable})
		}
		r, err := Replay([]Series{s}, FalseAbortRate)
		if err != nil {
			t.Fatal(err)
		}
		values, crossed := r.Trails[0].Fail, r.FailedAt
		if g.Grid[0] < 1 {
			values = r.Trails[0].Pass
			crossed = 1 + slices.IndexFunc(values, func(m float64) bool { return m >= g.Threshold })
		}
		if len(values) != len(g.Values) || crossed != g.FirstCross {
			t.Errorf("%s: %d values, crossed at %d; want %d, %d", g.Name, len(values), crossed, len(g.Values), g.FirstCross)
			continue
		}
		for k, want := range g.Values {
			near(t, fmt.Sprintf("%s: M after block %d", g.Name, k+1), values[k], want)
		}
	}
	if replayed != 14 {
		t.Errorf("%d golden sequences were replayed, want 14: all but the one without a tolerance", replayed)
	}
}

// asObjective gives the objective and next weight that lead to a limit by default.
func asObjective(rho, delta float64) (objective, next float64, ok bool) {
	switch {
	case rho == 1.5 && delta == 0.0005:
		return 0.999, 1, true
	case rho == 0 && delta == 0.002:
		return 0.999, 1, true
	case rho == 0 && delta == 0.008:
		return 0.999, 0.25, true
	case rho == 0 && delta == 0.02:
		return 0.99, 1, true
	}
	return 0, 0, false
}

func repeat(n int, ec, nc, es, ns float64) []Block {
	return slices.Repeat([]Block{{Counts{ec, nc}, Counts{es, ns}}}, n)
}

func TestReplay(t *testing.T) {
	good := Series{Objective: 0.99, Phi: 1, Blocks: repeat(5, 0, 100, 1, 900)}
	bad := Series{Objective: 0.999, Phi: 1, Blocks: repeat(4, 5, 100, 1, 900)}
	type outcome struct{ FailedAt, PassedAt, Culprit, Blocks int }
	tests := map[string]struct {
		reason string
		series []Series
		want   outcome
	}{
		"passes":         {"200 good requests prove 99 % for everybody", []Series{good}, outcome{0, 2, 0, 5}},
		"fails":          {"two bad blocks are the least", []Series{bad}, outcome{2, 0, 0, 4}},
		"goes on":        {"all is replayed, also what comes after the verdict", []Series{{Objective: 0.999, Phi: 1, Blocks: append(slices.Clone(bad.Blocks), repeat(2000, 0, 100, 0, 900)...)}}, outcome{2, 179, 0, 2004}},
		"both":           {"one metric of two needs twice the evidence, and is named", []Series{good, bad}, outcome{3, 0, 1, 5}},
		"all must pass":  {"one that can't pass yet holds the others", []Series{good, {Objective: 0.999, Phi: 1, Blocks: repeat(5, 0, 100, 1, 900)}}, outcome{0, 0, 1, 5}},
		"suspected":      {"a metric near its limit does not pass", []Series{{Objective: 0.99, Phi: 1, Blocks: repeat(2, 11, 1000, 0, 9000)}}, outcome{0, 0, 0, 2}},
		"not latched":    {"passing must hold in the end", []Series{{Objective: 0.99, Phi: 1, Blocks: append(repeat(2, 0, 100, 0, 0), repeat(1, 1, 100, 0, 0)...)}}, outcome{0, 0, 0, 3}},
		"ends early":     {"a metric that ends keeps what it had", []Series{good, {Objective: 0.99, Phi: 1, Blocks: repeat(9, 0, 100, 1, 900)}}, outcome{0, 2, 0, 9}},
		"no blocks":      {"nothing is no proof", []Series{{Objective: 0.99}}, outcome{0, 0, 0, 0}},
		"one without":    {"a metric without data holds all", []Series{good, {Objective: 0.99}}, outcome{0, 0, 1, 5}},
		"no objective":   {"stable alone is a yardstick too", []Series{{Phi: 1, Blocks: repeat(15, 0, 100, 0, 900)}}, outcome{0, 11, 0, 15}},
		"compared fails": {"and can be failed", []Series{{Phi: 1, Blocks: repeat(3, 10, 100, 1, 900)}}, outcome{2, 0, 0, 3}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Replay(tc.series, FalseAbortRate)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome{r.FailedAt, r.PassedAt, r.Culprit, len(r.Combined)}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// A block that counts nothing is as if it had not been, and is named.
func TestReplayUnusable(t *testing.T) {
	s := Series{Objective: 0.999, Phi: 1, Blocks: slices.Concat(repeat(3, 1, 100, 1, 900), repeat(1, 101, 100, 0, 900), repeat(1, 0, 100, -1, 900))}
	r, err := Replay([]Series{s}, FalseAbortRate)
	if err != nil {
		t.Fatal(err)
	}
	trail := r.Trails[0]
	if diff := cmp.Diff([]int{4, 5}, trail.Unusable); diff != "" {
		t.Errorf("unusable: -want +got:\n%s", diff)
	}
	if trail.Fail[4] != trail.Fail[2] || trail.Pass[4] != trail.Pass[2] {
		t.Errorf("unusable blocks change the evidence: fail %v, pass %v", trail.Fail, trail.Pass)
	}
}

// The noise factor that is left out is the one learnt from the history.
func TestReplayLearnsNoise(t *testing.T) {
	s := Series{Objective: 0.999}
	var stable []Counts
	for _, bad := range []float64{10, 0, 0, 12, 0, 9, 0, 0} {
		s.Blocks = append(s.Blocks, Block{Counts{0, 100}, Counts{bad, 1000}})
		stable = append(stable, Counts{bad, 1000})
	}
	r, err := Replay([]Series{s}, FalseAbortRate)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "phi", r.Trails[0].Phi, NoiseFactor(stable))
	near(t, "phi", r.Trails[0].Phi, 3.5510283798276556)
}

func TestReplayRefuses(t *testing.T) {
	tests := map[string]struct {
		reason string
		series Series
		alpha  float64
		want   string
	}{
		"percent":      {"99.9 is a percentage", Series{Objective: 99.9}, 0.01, "objective 99.9"},
		"weight":       {"so is 25", Series{Objective: 0.999, NextWeight: 25}, 0.01, "next weight 25"},
		"noise":        {"the factor can't help", Series{Objective: 0.999, Phi: 0.5}, 0.01, "noise 0.5"},
		"alpha":        {"never to abort wrongly is never to abort", Series{Objective: 0.999}, 1, "false abort rate 1"},
		"no yardstick": {"something must be held to", Series{Blocks: repeat(1, 0, 100, 0, 0)}, 0.01, "no objective"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Replay([]Series{tc.series}, tc.alpha); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}
