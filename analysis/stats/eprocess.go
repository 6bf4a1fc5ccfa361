// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"fmt"
	"math"
)

// Limit is the line between a good and a bad canary: Ratio times the stable
// revision's probability of a bad request, plus Absolute.
type Limit struct {
	// Ratio is rho, 0 to 1000. With 0 the stable revision is not looked at.
	Ratio float64
	// Absolute is delta, a probability: 0.0005 is 0.05 percentage points. 0 to 1.
	Absolute float64
}

// Settings are what an [EProcess] is made of. [NewFail] and [NewPass] fill them;
// whoever makes others keeps the guarantee as long as they are chosen before the
// first block and never touched again.
type Settings struct {
	Limit Limit
	// Bets are the kappas, all above 1 for evidence that the limit is passed,
	// all between 0 and 1 for evidence that it is kept. Weights are equal. 1 to 8.
	Bets []float64
	// Cap bounds the factor of one block and bet. 0 is no cap; otherwise above 1.
	Cap float64
	// First is the share of the start mass spent on the first block, above 0 and
	// at most 1. It must be 1 when Horizon is below 2.
	First float64
	// Horizon is the number of blocks over which the rest is spent evenly.
	// Later blocks start nothing, so later regressions take longer to see. At
	// most a million.
	Horizon int64
	// Phi is the noise factor, the number of bad events that one independent
	// cause may bring; see [NoiseFactor]. 1 to 20.
	Phi float64
}

// EProcess collects evidence against one sentence about the canary, block after
// block. It starts at 1 and is about 1 or less while the sentence is true:
//
//	P(Value ever reaches 1/alpha | the sentence holds in every block) <= alpha
//
// however often and at whatever time one looks and stops. That is Ville's
// inequality for a nonnegative supermartingale: factors with expectation at most
// 1 stay so when they are capped, raised to 1/Phi, multiplied over blocks, and
// averaged over bets and start times (Shin, Ramdas & Rinaldo, arXiv 2203.03532).
//
// Equal blocks in equal order give equal state, bit for bit on one processor
// architecture; so does a process loaded from a [State] half-way. It is not safe
// for concurrent use.
type EProcess struct {
	settings fingerprint
	limit    Limit
	bets     [maxBets]bet
	logCap   float64
	phi      float64
	mix      mixture
}

// New makes a process at 1. The error names the setting that cannot be.
func New(s Settings) (*EProcess, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	p := &EProcess{
		settings: s.fingerprint(),
		limit:    s.Limit,
		logCap:   math.Inf(1),
		phi:      s.Phi,
		mix:      newMixture(len(s.Bets), s.First, s.Horizon),
	}
	if s.Cap > 0 {
		p.logCap = math.Log(s.Cap)
	}
	for j, kappa := range s.Bets {
		p.bets[j] = bet{kappa: kappa, log: math.Log(kappa)}
	}
	return p, nil
}

// Update takes in a block. A block in which the canary had no traffic, or in
// which there is no stable traffic to compare with, leaves Value as it is.
// Counts that are none give [ErrCounts] and change nothing, as if the block had
// not been: an unusable block neither counts nor spends.
func (p *EProcess) Update(canary, stable Counts) error {
	if canary.Valid() != nil || stable.Valid() != nil {
		return ErrCounts
	}
	start := p.mix.open()
	for j := range p.mix.size {
		p.mix.add(j, start, min(logE(canary, stable, p.limit, p.bets[j])/p.phi, p.logCap))
	}
	return nil
}

// Value is the evidence M, without unit: at least 0, 1 before the first block.
// It means "as surprising as a bet won at M to 1". It is finite: beyond e^700 it
// is no longer exact.
func (p *EProcess) Value() float64 { return p.mix.value() }

// Blocks is how many blocks were taken in.
func (p *EProcess) Blocks() int64 { return p.mix.blocks }

// Clone is an independent copy, for looking ahead.
func (p *EProcess) Clone() *EProcess {
	c := *p
	return &c
}

func (s Settings) check() error {
	switch {
	case !within(s.Limit.Ratio, 0, maxRatio):
		return fmt.Errorf("ratio %v: must be 0 to %d", s.Limit.Ratio, maxRatio)
	case !within(s.Limit.Absolute, 0, 1):
		return fmt.Errorf("absolute %v: must be a probability, 0 to 1", s.Limit.Absolute)
	case s.Cap != 0 && (!within(s.Cap, 1, math.MaxFloat64) || s.Cap == 1):
		return fmt.Errorf("cap %v: must be above 1, or 0 for none", s.Cap)
	case !within(s.Phi, 1, maxPhi):
		return fmt.Errorf("phi %v: must be 1 to %d", s.Phi, maxPhi)
	}
	if err := checkStart(s.First, s.Horizon); err != nil {
		return err
	}
	return checkBets(s.Bets)
}

func checkStart(first float64, horizon int64) error {
	switch {
	case horizon < 0 || horizon > maxHorizon:
		return fmt.Errorf("horizon %d: must be 0 to %d blocks", horizon, maxHorizon)
	case !within(first, dust, 1):
		return fmt.Errorf("first %v: must be above 0 and at most 1", first)
	case horizon < 2 && first != 1:
		return fmt.Errorf("first %v: must be 1 when the horizon is %d, or the rest is never spent", first, horizon)
	}
	return nil
}

func checkBets(bets []float64) error {
	if len(bets) < 1 || len(bets) > maxBets {
		return fmt.Errorf("%d bets: must be 1 to %d", len(bets), maxBets)
	}
	for _, kappa := range bets {
		switch {
		case !within(kappa, minBet, 1/minBet) || kappa == 1:
			return fmt.Errorf("bet %v: must be %v to %v, and not 1", kappa, minBet, 1/minBet)
		case (kappa > 1) != (bets[0] > 1):
			return fmt.Errorf("bets %v: must all be above 1 or all below, since each side is a test of its own", bets)
		}
	}
	return nil
}

const (
	maxRatio   = 1000
	maxHorizon = 1_000_000 // blocks of 10 s: 115 days
	minBet     = 0.001
)

// within is false for NaN.
func within(x, low, high float64) bool { return x >= low && x <= high }
