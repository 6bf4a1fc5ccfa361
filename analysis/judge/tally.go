// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// aloneFrom is the share of the requests from which on a canary is judged by
	// the objective alone as well: rollback helps there whoever is to blame.
	aloneFrom = 0.9
	// alonePart of the evidence is set aside for that from the beginning, as the
	// false abort rate demands.
	alonePart = 0.1
	// latePart is set aside for what begins after the horizon of planned blocks.
	// Hours of good blocks wear the other evidence down, and it would take as
	// long to grow again.
	latePart = 0.01
)

// tally holds the statistical processes of one metric.
type tally struct {
	tests [3]test
	used  int
	sign  *stats.SignTest
}

// test is one comparison. A latency objective between two edges fails by the
// one above and passes by the one below, so the two read different counts.
type test struct {
	failBad, passBad int
	// fail: evidence that the canary is worse than tolerated. Nil when it can't be told.
	fail *stats.EProcess
	// alone: the same by the objective alone, while there is next to no stable traffic. Nil without.
	alone *stats.EProcess
	// late: the same as fail since the latest whole horizon, and anew as it is when it begins.
	late, anew *stats.EProcess
	// pass: evidence since the start that all traffic is affordable; asked: since
	// the question, that the next weight is. Nil when it can't be told.
	pass, asked *stats.EProcess
}

// sample is a usable block: the requests of either arm, and the bad ones by edge.
type sample struct {
	canary, stable float64
	canaryBad      [3]float64
	stableBad      [3]float64
	// asked: the block lies after the question.
	asked bool
}

// open makes the processes of a metric and puts their state back. A state that
// does not fit begins anew.
func open(j Judged, r rules, ev *v1alpha1.MetricEvidence, nextWeight float64) (*tally, error) {
	t, err := begin(j, r, ev, nextWeight)
	if err != nil {
		return nil, err
	}
	states := ev.State
	for _, p := range t.processes() {
		if len(states) == 0 {
			break
		}
		if states[0] != "" {
			_ = p.Load(stats.State(states[0])) // ErrState: as new
		}
		states = states[1:]
	}
	return t, nil
}

func begin(j Judged, r rules, ev *v1alpha1.MetricEvidence, nextWeight float64) (*tally, error) {
	t := &tally{}
	if j.Kind == Scalar {
		var err error
		t.sign, err = stats.NewSign(share(string(j.Metric.Scalar.Tolerance)), 0)
		return t, err
	}
	phi, ok := number(ev.Noise)
	if !ok {
		return nil, fmt.Errorf("metric %q: the noise factor %q is no number", j.Name, ev.Noise)
	}
	t.used = 1
	if j.Kind == Comparison {
		t.used = max(1, min(len(ev.Edges), len(t.tests)))
	}
	for i := range t.used {
		x, err := newTest(j, r, ev, phi, nextWeight)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", j.Name, err)
		}
		x.failBad, x.passBad = i, i
		if j.Kind == Latency {
			x.passBad = 1
			x.drop(edge(ev, 0), edge(ev, 1))
		}
		t.tests[i] = x
	}
	return t, nil
}

// drop leaves out what a missing edge can't tell.
func (x *test) drop(above, below float64) {
	if math.IsNaN(above) {
		x.fail, x.alone, x.late = nil, nil, nil
	}
	if math.IsNaN(below) {
		x.pass, x.asked = nil, nil
	}
}

func newTest(j Judged, r rules, ev *v1alpha1.MetricEvidence, phi, nextWeight float64) (x test, err error) {
	if ev.NoStable && j.Good <= 0 {
		return x, nil // nothing to compare with, and no objective
	}
	options := stats.FailOptions{Alpha: r.alpha, Phi: phi}
	limit := r.tolerance(j)
	if ev.NoStable {
		limit = r.burning(j)
	}
	for _, p := range []**stats.EProcess{&x.fail, &x.late, &x.anew} {
		if *p, err = stats.NewFail(limit, options); err != nil {
			return x, err
		}
	}
	if j.Good > 0 && !ev.NoStable {
		if x.alone, err = stats.NewFail(r.burning(j), options); err != nil {
			return x, err
		}
	}
	if x.pass, err = stats.NewPass(r.mustProve(j, 1), phi); err != nil {
		return x, err
	}
	x.asked, err = stats.NewPass(r.mustProve(j, nextWeight), phi)
	return x, err
}

// take adds a block. Every count has been checked before.
func (t *tally) take(s *sample) error {
	for i := range t.used {
		if err := t.tests[i].take(s); err != nil {
			return err
		}
	}
	return nil
}

func (x *test) take(s *sample) error {
	canary := stats.Counts{Bad: s.canaryBad[x.failBad], Total: s.canary}
	stable := stats.Counts{Bad: s.stableBad[x.failBad], Total: s.stable}
	if x.fail != nil {
		if err := x.takeLate(canary, stable); err != nil {
			return err
		}
		if err := x.fail.Update(canary, stable); err != nil {
			return err
		}
	}
	if x.alone != nil && s.canary >= aloneFrom*(s.canary+s.stable) {
		if err := x.alone.Update(canary, stable); err != nil {
			return err
		}
	}
	if x.pass == nil {
		return nil
	}
	canary.Bad, stable.Bad = s.canaryBad[x.passBad], s.stableBad[x.passBad]
	if err := x.pass.Update(canary, stable); err != nil {
		return err
	}
	if s.asked {
		return x.asked.Update(canary, stable)
	}
	return nil
}

// takeLate adds a block beyond the horizon. Each further horizon begins anew, and
// what was gained in the one before is given up.
func (x *test) takeLate(canary, stable stats.Counts) error {
	switch n := x.fail.Blocks(); {
	case n < stats.Horizon:
		return nil
	case n%stats.Horizon == 0:
		x.late = x.anew.Clone()
	}
	return x.late.Update(canary, stable)
}

// against is the evidence of fail and late, of which other is set aside for
// something else. The i-th further horizon has the share 1/(i*(i+1)) of what is
// set aside for all of them; 1/(i+1) is left for those to come.
func (x *test) against(other float64) float64 {
	value := (1 - other - latePart) * x.fail.Value()
	i := float64(max(0, x.fail.Blocks()-1) / stats.Horizon)
	if i > 0 {
		value += latePart / (i * (i + 1)) * x.late.Value()
	}
	return value + latePart/(i+1)
}

// fails is the evidence that the canary is worse than tolerated, and whether
// most of it is about the objective alone. It is false for one that can't fail.
func (t *tally) fails() (value float64, alone, can bool) {
	if t.sign != nil {
		return t.sign.Value(), false, true
	}
	var n, byAlone float64
	for i := range t.used {
		x := &t.tests[i]
		if x.fail == nil {
			continue
		}
		n++
		if x.alone == nil {
			value += x.against(0)
			continue
		}
		part := alonePart * x.alone.Value()
		value += x.against(alonePart) + part
		byAlone += part
	}
	if n == 0 {
		return 1, false, false
	}
	return value / n, byAlone > value/2, true
}

// passes is the least evidence that the canary is good enough, by the question
// or since the start. It is false for one that can't pass.
func (t *tally) passes(asked bool) (value float64, can bool) {
	value = math.Inf(1)
	for i := range t.used {
		p := t.tests[i].pass
		if asked {
			p = t.tests[i].asked
		}
		if p == nil {
			return 0, false
		}
		value = min(value, p.Value())
	}
	return value, t.used > 0
}

// remaining is how many good requests are needed still; infinite when that can't be told.
func (t *tally) remaining(asked bool) float64 {
	p := t.tests[0].pass
	if asked {
		p = t.tests[0].asked
	}
	if p == nil || t.used != 1 {
		return math.Inf(1)
	}
	return p.Remaining(passAt)
}

// process is what has a state to keep.
type process interface {
	State() stats.State
	Load(s stats.State) error
}

// absent keeps the place of a process that there is none of.
type absent struct{}

func (absent) State() stats.State     { return "" }
func (absent) Load(stats.State) error { return nil }

// ofTest is how many processes of one test are kept.
const ofTest = 5

// processes in the order of the status; asked is the last of each test.
func (t *tally) processes() []process {
	if t.sign != nil {
		return []process{t.sign}
	}
	var all []process
	for i := range t.used {
		x := &t.tests[i]
		for _, p := range []*stats.EProcess{x.fail, x.alone, x.late, x.pass, x.asked} {
			if p == nil {
				all = append(all, absent{})
				continue
			}
			all = append(all, p)
		}
	}
	return all
}

// state of all processes, for the status.
func (t *tally) state() []string {
	all := t.processes()
	texts := make([]string, 0, len(all))
	for _, p := range all {
		texts = append(texts, string(p.State()))
	}
	return texts
}

// edge reads one of the edges that were learned; NaN when there is none.
func edge(ev *v1alpha1.MetricEvidence, i int) float64 {
	if i >= len(ev.Edges) {
		return math.NaN()
	}
	v, ok := number(ev.Edges[i])
	if !ok {
		return math.NaN()
	}
	return v
}
