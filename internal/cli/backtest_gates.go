// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// enoughValues is how many comparisons of scalars a pass needs, and settled
	// the evidence below which they must have stayed.
	enoughValues, settled = 10, 10
	// inARow is how many values in a row decide a threshold that does not say.
	inARow = 3
)

// gate is a metric that counts nothing: a threshold, or a comparison of scalars.
type gate struct {
	name string
	// canary and stable are the values after each block, as people read them.
	canary, stable []string
	// fail and pass are the evidence, or how many values in a row.
	fail, pass []float64
	failedAt   int
	passing    []bool
	// needed says what decides.
	needed string
}

// step is what one block brings to a gate.
type step struct {
	canary, stable string
	fail, pass     float64
	failed, passes bool
}

// add takes in what the next block brought.
func (g *gate) add(s step) {
	g.canary, g.stable = append(g.canary, s.canary), append(g.stable, s.stable)
	g.fail, g.pass = append(g.fail, s.fail), append(g.pass, s.pass)
	if s.failed && g.failedAt == 0 {
		g.failedAt = len(g.fail)
	}
	g.passing = append(g.passing, s.passes && g.failedAt == 0)
}

// gate replays a threshold or a scalar.
func (p past) gate(ctx context.Context, q question, alpha float64) (gate, error) {
	if q.scalar != nil {
		return p.compared(ctx, q, alpha)
	}
	values, err := p.ask(ctx, q.threshold.Threshold.Query)
	if err != nil {
		return gate{}, err
	}
	most := float64(q.threshold.Threshold.Consecutive)
	if most < 1 {
		most = inARow
	}
	g := gate{name: q.name, needed: fmt.Sprintf("%v values in a row decide", most)}
	var in, out float64
	for _, v := range values {
		x := judge.Outcome(*q.threshold, v1alpha1.Measurement{Value: strconv.FormatFloat(v, 'g', -1, 64)})
		switch x.Outcome {
		case v1alpha1.OutcomeInBounds:
			in, out = in+1, 0
		case v1alpha1.OutcomeOutOfBounds:
			in, out = 0, out+1
		default: // a gap ends a row of good values, and does not excuse a row of bad ones
			in = 0
		}
		g.add(step{canary: shown(v), fail: out, pass: in, failed: out >= most, passes: in >= most})
	}
	return g, nil
}

// compared replays a scalar.
func (p past) compared(ctx context.Context, q question, alpha float64) (gate, error) {
	test, err := stats.NewSign(q.scalar.tolerance, 0)
	if err != nil {
		return gate{}, err //nolint:wrapcheck // it names the setting
	}
	canary, err := p.ask(ctx, q.scalar.canary)
	if err != nil {
		return gate{}, err
	}
	stable, err := p.ask(ctx, q.scalar.stable)
	if err != nil {
		return gate{}, err
	}
	g := gate{name: q.name, needed: fmt.Sprintf("it holds below evidence %d that canary is more than %s %% above stable, after %d values", settled, digits(100*q.scalar.tolerance, significant), enoughValues)}
	for k := range canary {
		// What can't be compared changes nothing.
		_ = test.Update(canary[k], stable[k])
		m := test.Value()
		g.add(step{
			canary: shown(canary[k]), stable: shown(stable[k]), fail: m, pass: float64(test.Blocks()),
			failed: m >= 1/alpha && !q.scalar.hold, passes: test.Blocks() >= enoughValues && m < settled,
		})
	}
	return g, nil
}

// noValue stands for what was not there to be measured.
const noValue = "no value"

func shown(v float64) string {
	if math.IsNaN(v) {
		return noValue
	}
	return digits(v, significant)
}
