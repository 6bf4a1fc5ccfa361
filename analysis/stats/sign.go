// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"errors"
	"fmt"
	"math"
)

// ErrScalar is what [SignTest.Update] says about values that it cannot compare.
var ErrScalar = errors.New("not comparable: need finite values of 0 or more; leave the block out")

// SignTest collects evidence that a canary's gauge (CPU, memory, a queue) is
// above the stable revision's by more than a tolerance, from one pair of values
// per block. It looks only at which of the two is greater:
//
//	E = mean over lambda in {.2 .4 .6 .8} of product(1 + lambda*s)    s = +1 or -1
//
// with s = +1 when canary > (1+tolerance)*stable. Start mixture as in [NewFail].
// If, given the past, the canary is above with probability at most 1/2 in every
// block, the value ever reaches 1/alpha with probability at most alpha.
//
// That sentence is about the blocks, not about the revisions. Gauges that change
// slowly stay on one side for many blocks for no reason but chance, and the
// guarantee says nothing about them: let this test hold a rollout, not abort it.
type SignTest struct {
	settings  fingerprint
	tolerance float64
	mix       mixture
	up, down  [maxBets]float64
}

// NewSign makes the test with a tolerance of 0 or more (0.25 is a quarter) and
// a horizon of 2 blocks or more; 0 is 360. Where less is worse, swap the arms.
func NewSign(tolerance float64, horizon int64) (*SignTest, error) {
	if horizon == 0 {
		horizon = Horizon
	}
	if !within(tolerance, 0, maxRatio) {
		return nil, fmt.Errorf("tolerance %v: must be 0 to %d", tolerance, maxRatio)
	}
	if err := checkStart(0.5, horizon); err != nil {
		return nil, err
	}
	lambdas := []float64{0.2, 0.4, 0.6, 0.8}
	t := &SignTest{
		settings:  fingerprintOf([]float64{tolerance, float64(horizon)}),
		tolerance: tolerance,
		mix:       newMixture(len(lambdas), 0.5, horizon),
	}
	for j, lambda := range lambdas {
		t.up[j], t.down[j] = math.Log1p(lambda), math.Log1p(-lambda)
	}
	return t, nil
}

// Update takes in a block. Negative values, NaN and infinity give [ErrScalar]
// and change nothing. Equal values, such as two zeros, speak for the canary.
func (t *SignTest) Update(canary, stable float64) error {
	if !within(canary, 0, math.MaxFloat64) || !within(stable, 0, math.MaxFloat64) {
		return ErrScalar
	}
	factors := &t.down
	if canary/(1+t.tolerance) > stable {
		factors = &t.up
	}
	start := t.mix.open()
	for j := range t.mix.size {
		t.mix.add(j, start, factors[j])
	}
	return nil
}

// Value is the evidence so far, as in [EProcess.Value].
func (t *SignTest) Value() float64 { return t.mix.value() }

// Blocks is how many blocks were taken in.
func (t *SignTest) Blocks() int64 { return t.mix.blocks }

// State is what [SignTest.Load] needs to go on from here.
func (t *SignTest) State() State { return t.mix.state(t.settings) }

// Load puts a state back, under the rules of [EProcess.Load].
func (t *SignTest) Load(s State) error { return t.mix.load(s, t.settings, math.Inf(1)) }
