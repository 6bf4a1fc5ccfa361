// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"fmt"
	"math"
)

// comparedLimit is what a canary without an objective must prove to be under:
// three times stable's rate plus 0.4 percentage points.
var comparedLimit = Limit{Ratio: 3, Absolute: 0.004}

// suspicious is the evidence from which on a metric does not pass, although it
// is far from enough to abort.
const suspicious = 10

// Block is what both revisions did in one block.
type Block struct {
	// Canary and Stable count the requests of either.
	Canary, Stable Counts
}

// Series is the history of one metric, to be replayed.
type Series struct {
	// Objective is the share of requests that must be good, such as 0.999. With 0
	// there is none, and the canary is compared with stable alone.
	Objective float64
	// NextWeight is the share of traffic that must be proven affordable, above 0 and at most 1. 0 is 1.
	NextWeight float64
	// Phi is the noise factor, 1 to 20. 0 takes the one that [NoiseFactor] learns from
	// the stable revision's blocks of this very history: good for looking back,
	// while a live run must take it from the blocks before it.
	Phi float64
	// Blocks in the order of time. One whose counts are none changes nothing.
	Blocks []Block
	// Proof, if any, are the same blocks in stricter counting, for passing: a
	// duration objective between two edges of a histogram fails by what was
	// surely slow, and passes by what was surely fast.
	Proof []Block
}

// Trail is what a replay makes of one metric.
type Trail struct {
	// Phi is the noise factor in use.
	Phi float64
	// FailLimit is what the canary is aborted for exceeding, PassLimit what it
	// must be proven to be under.
	FailLimit, PassLimit Limit
	// Fail and Pass are the evidence after each block.
	Fail, Pass []float64
	// Unusable are the blocks whose counts were none, from 1.
	Unusable []int
}

// Replayed is what comes of replaying all metrics together.
type Replayed struct {
	// Trails of the metrics, in their order.
	Trails []Trail
	// Combined is the evidence to abort of all metrics after each block.
	Combined []float64
	// FailedAt is the first block, from 1, in which Combined reaches 1/alpha. 0 if
	// none does.
	FailedAt int
	// Culprit is the metric that brings the most to Combined, at FailedAt or else in the end.
	Culprit int
	// Passing tells for each block whether every metric passes.
	Passing []bool
	// PassedAt is the block, from 1, since which they do without a break until the
	// end. 0 if they do not in the end.
	PassedAt int
}

// Replay puts the evidence together for metrics of equal weight, block by block
// and to the end. Alpha is the false abort rate. Limits, caps, bets and horizon
// are the defaults; where stable never has any traffic, the canary is judged by
// the objective alone. A metric whose blocks end early stays as it was. The
// error names what can't be.
func Replay(all []Series, alpha float64) (Replayed, error) {
	var r Replayed
	length := 0
	for _, s := range all {
		t, err := s.replay(alpha)
		if err != nil {
			return Replayed{}, err
		}
		r.Trails = append(r.Trails, t)
		length = max(length, len(s.Blocks))
	}
	for k := range length {
		evidence := make([]Evidence, len(all))
		passes := true
		for i, t := range r.Trails {
			fail, pass := t.after(k)
			evidence[i] = Evidence{Value: fail, Weight: 1}
			passes = passes && pass >= 1/MissRate && fail < suspicious
		}
		combined, culprit, err := Combine(evidence)
		if err != nil {
			return Replayed{}, err
		}
		r.note(combined, culprit, 1/alpha, passes)
	}
	return r, nil
}

// note takes in what the next block brought.
func (r *Replayed) note(combined float64, culprit int, threshold float64, passes bool) {
	r.Combined = append(r.Combined, combined)
	r.Passing = append(r.Passing, passes)
	now := len(r.Combined)
	if r.FailedAt == 0 {
		r.Culprit = culprit
		if combined >= threshold {
			r.FailedAt = now
		}
	}
	switch {
	case !passes:
		r.PassedAt = 0
	case r.PassedAt == 0:
		r.PassedAt = now
	}
}

// after is the evidence after block k, from 0.
func (t Trail) after(k int) (fail, pass float64) {
	if len(t.Fail) == 0 {
		return 1, 1
	}
	k = min(k, len(t.Fail)-1)
	return t.Fail[k], t.Pass[k]
}

func (s Series) replay(alpha float64) (Trail, error) {
	t, err := s.limits()
	if err != nil {
		return t, err
	}
	fail, err := NewFail(t.FailLimit, FailOptions{Alpha: alpha, Phi: t.Phi})
	if err != nil {
		return t, err
	}
	pass, err := NewPass(t.PassLimit, t.Phi)
	if err != nil {
		return t, err
	}
	for k, b := range s.Blocks {
		proof := b
		if s.Proof != nil {
			proof = s.Proof[k]
		}
		unusable := fail.Update(b.Canary, b.Stable) != nil
		if pass.Update(proof.Canary, proof.Stable) != nil || unusable {
			t.Unusable = append(t.Unusable, k+1)
		}
		t.Fail, t.Pass = append(t.Fail, fail.Value()), append(t.Pass, pass.Value())
	}
	return t, nil
}

// limits are what the history is held to.
func (s Series) limits() (Trail, error) {
	t := Trail{Phi: s.Phi}
	if err := s.check(); err != nil {
		return t, err
	}
	if s.Phi == 0 {
		t.Phi = NoiseFactor(s.stable())
	}
	budget, weight := budgetOf(s.Objective), orDefault(s.NextWeight, 1)
	switch {
	case s.Objective == 0:
		t.FailLimit, t.PassLimit = Tolerance(0), comparedLimit
	case s.compared():
		t.FailLimit, t.PassLimit = Tolerance(budget), BurnLimit(MaxBurnRate, budget, weight)
	default:
		t.FailLimit, t.PassLimit = BurnLimit(MaxBurnRate, budget, 1), BurnLimit(MaxBurnRate, budget, weight)
	}
	return t, nil
}

func (s Series) check() error {
	switch {
	case s.Objective != 0 && !(s.Objective > 0 && s.Objective < 1):
		return fmt.Errorf("objective %v: must be a share above 0 and below 1, such as 0.999", s.Objective)
	case s.NextWeight != 0 && !within(s.NextWeight, math.SmallestNonzeroFloat64, 1):
		return fmt.Errorf("next weight %v: must be a share above 0 and at most 1, such as 0.25", s.NextWeight)
	case s.Phi != 0 && !within(s.Phi, 1, maxPhi):
		return fmt.Errorf("noise %v: must be 1 to %d", s.Phi, maxPhi)
	case s.Proof != nil && len(s.Proof) != len(s.Blocks):
		return fmt.Errorf("%d blocks of proof for %d blocks: must be as many", len(s.Proof), len(s.Blocks))
	case s.Objective == 0 && !s.compared():
		return errors.New("stable has no traffic to compare with, and there is no objective")
	}
	return nil
}

// budgetOf is 1 - objective without the dust of the subtraction.
func budgetOf(objective float64) float64 { return math.Round((1-objective)*1e12) / 1e12 }

// compared reports whether stable ever had traffic.
func (s Series) compared() bool {
	for _, b := range s.Blocks {
		if b.Stable.Total > 0 {
			return true
		}
	}
	return false
}

func (s Series) stable() []Counts {
	all := make([]Counts, 0, len(s.Blocks))
	for _, b := range s.Blocks {
		all = append(all, b.Stable)
	}
	return all
}
