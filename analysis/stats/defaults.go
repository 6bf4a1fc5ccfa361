// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"fmt"
	"math"
)

// Defaults of what a user may leave out.
const (
	// FalseAbortRate is alpha: how often a canary within tolerance may be aborted, per rollout.
	FalseAbortRate = 0.01
	// MissRate is beta: how often a canary beyond the limit may pass, per step.
	MissRate = 0.05
	// Horizon is K, the number of blocks that are planned for: an hour of blocks of 10 s.
	Horizon = 360
	// MaxBurnRate is b: how many times its budget the service may burn after the next step.
	MaxBurnRate = 2
	// ToleranceRatio is rho: the canary may be this many times as bad as stable ...
	ToleranceRatio = 1.5
	// ToleranceAbsolute is delta without an objective: ... plus this probability.
	ToleranceAbsolute = 0.001
)

// maxPassLimit bounds what a canary has to prove: below 25 % bad in any case.
const maxPassLimit = 0.25

// Tolerance is how much worse than stable a canary may be by default: 1.5 times
// its rate plus half the budget, where the budget is 1 - objective, 0.001 for
// 99.9 %. With a budget of 0, which is no objective, plus 0.1 percentage points.
func Tolerance(budget float64) Limit {
	if budget <= 0 {
		return Limit{Ratio: ToleranceRatio, Absolute: ToleranceAbsolute}
	}
	return Limit{Ratio: ToleranceRatio, Absolute: budget / 2}
}

// BurnLimit is the bad rate that a canary must prove to be under before it gets
// nextWeight, above 0 and at most 1, of the traffic: the one with which the
// service as a whole would burn maxBurnRate times its budget. At most 0.25.
//
//	p_bad = maxBurnRate * budget / nextWeight
func BurnLimit(maxBurnRate, budget, nextWeight float64) Limit {
	return Limit{Absolute: min(maxPassLimit, maxBurnRate*budget/nextWeight)}
}

// FailOptions tune [NewFail]. The zero value is the default of each.
type FailOptions struct {
	// Alpha is the false abort rate, above 0 and at most 0.5. Default 0.01.
	Alpha float64
	// Horizon is the number of planned blocks, 2 or more. Default 360.
	Horizon int64
	// Phi is the noise factor, 1 to 20. Default 1.5, what [NoiseFactor] says
	// when there is no history.
	Phi float64
}

// NewFail makes the process against "the canary is within the limit": it grows
// when the canary is worse. Abort when the evidence of all metrics together,
// see [Combine], reaches 1/alpha; make one per metric and rollout, and never
// restart it in between, or alpha holds per start.
//
// Bets are 1.5, 2, 4, 8, 16 and 64, so that any excess is found. A block counts
// at most 2/sqrt(alpha) = 20 times, so that from a neutral state no single block
// can abort. Half of the start mass goes to the first block and the rest evenly
// to the others, so that a regression after an hour is seen nearly as fast.
func NewFail(limit Limit, o FailOptions) (*EProcess, error) {
	alpha := orDefault(o.Alpha, FalseAbortRate)
	if !within(alpha, math.SmallestNonzeroFloat64, 0.5) {
		return nil, fmt.Errorf("false abort rate %v: must be above 0 and at most 0.5", alpha)
	}
	horizon := o.Horizon
	if horizon == 0 {
		horizon = Horizon
	}
	return New(Settings{
		Limit:   limit,
		Bets:    []float64{1.5, 2, 4, 8, 16, 64},
		Cap:     2 / math.Sqrt(alpha),
		First:   0.5,
		Horizon: horizon,
		Phi:     orDefault(o.Phi, priorPhi),
	})
}

// NewPass makes the process against "the canary is at the limit or beyond": it
// grows while the canary is better. A step may pass while Value is at least
// 1/beta now; make a new one for each step. Phi 0 is 1.5, as for [NewFail].
//
// Bets are 0.02, 0.25, 0.5 and 0.75. There is no cap and one start, since what
// is to be proven is the whole step. With an Absolute of 0 and a Ratio of 0
// nothing can be proven, and it stays at 1 or below.
func NewPass(limit Limit, phi float64) (*EProcess, error) {
	return New(Settings{Limit: limit, Bets: passBets(), First: 1, Phi: orDefault(phi, priorPhi)})
}

func passBets() []float64 { return []float64{0.02, 0.25, 0.5, 0.75} }

func orDefault(value, otherwise float64) float64 {
	if value == 0 {
		return otherwise
	}
	return value
}
