// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/analysis/schedule"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// nothingToLearn is what a metric waits for that has no series yet.
const nothingToLearn = "no series to learn the buckets of the histogram, or stable's own durations, from yet; check that the data plane is scraped and exports the histogram"

// task is a counted metric that has something to learn or blocks to count.
type task struct {
	judged  judge.Judged
	counter analysis.Counter
	what    analysis.Counted
	// evidence so far; nil before anything was learned.
	evidence *v1alpha1.MetricEvidence
	// learnAt is the time to learn of.
	learnAt time.Time
}

// counted is what became of a task.
type counted struct {
	learned *v1alpha1.MetricEvidence
	blocks  []judge.Block
	delayed string
}

// tasks gives the counted metrics for which something is due. The error says
// that one of the run's metrics can't be asked for as it is written.
func (r *Reconciler) tasks(run *v1alpha1.AnalysisRun, now time.Time) ([]task, error) {
	var due []task
	learnAt, learnable := schedule.Learnable(run.Spec, run.Status, now)
	for _, j := range judge.List(run.Spec) {
		t, err := taskOf(r.providers, run, j)
		if err != nil {
			return nil, err
		}
		if !j.Counted() {
			continue
		}
		t.learnAt = learnAt
		i := slices.IndexFunc(run.Status.Metrics, func(m v1alpha1.MetricStatus) bool { return m.Name == j.Name })
		if i >= 0 {
			t.evidence = run.Status.Metrics[i].Evidence
		}
		if t.evidence == nil && learnable || t.evidence != nil && len(schedule.Ends(run.Spec, run.Status, *t.evidence, now)) > 0 {
			due = append(due, t)
		}
	}
	return due, nil
}

// taskOf is what there is to do for a counted metric, and nothing for others.
// The error says that the metric can't be asked for as it is written.
func taskOf(providers analysis.Registry, run *v1alpha1.AnalysisRun, j judge.Judged) (task, error) {
	t := task{judged: j}
	if !j.Counted() {
		return t, checkMetric(providers, j)
	}
	var err error
	if t.counter, err = providers.CounterFor(j.Name, j.Metric); err != nil {
		return t, err
	}
	if t.what, err = what(run, j); err != nil {
		return t, err
	}
	if err := t.counter.Check(t.what); err != nil {
		return t, fmt.Errorf("metric %q: %w", j.Name, err)
	}
	return t, nil
}

// Vet says what is wrong with the metrics that a run lists itself, without
// asking anybody. The error names the metric and the remedy. What a preset
// makes is right unless an object is missing, and that is said elsewhere.
func Vet(providers analysis.Registry, spec v1alpha1.AnalysisRunSpec) error {
	if err := judge.Check(spec); err != nil {
		return err
	}
	for _, j := range judge.List(spec) {
		if j.Metric.Name == "" {
			continue
		}
		if _, err := taskOf(providers, &v1alpha1.AnalysisRun{Spec: spec}, j); err != nil {
			return err
		}
	}
	return nil
}

// checkMetric has the provider of a metric look for mistakes in it.
func checkMetric(providers analysis.Registry, j judge.Judged) error {
	if j.Kind == judge.Job {
		return nil
	}
	p, err := providers.For(j.Metric)
	if err != nil {
		return err
	}
	if c, ok := p.(analysis.Checker); ok {
		if err := c.CheckMetric(j.Metric); err != nil {
			return fmt.Errorf("metric %q: %w", j.Name, err)
		}
	}
	return nil
}

// what gives the selectors of a metric, by the preset or as the spec has them.
func what(run *v1alpha1.AnalysisRun, j judge.Judged) (analysis.Counted, error) {
	c := analysis.Counted{Block: schedule.Block(run.Spec), History: judge.LearnsNoise(run.Spec.Judgement)}
	if run.Status.StartedAt != nil {
		c.Begin = schedule.Begin(run.Spec, run.Status, c.Block)
	}
	var err error
	if j.Metric.Name == "" {
		err = ofPreset(&c, run, j)
	} else {
		err = ofMetric(&c, run.Spec, j)
	}
	return c, err
}

func ofPreset(c *analysis.Counted, run *v1alpha1.AnalysisRun, j judge.Judged) error {
	o := presets.Objective{Name: j.Name, Good: j.Good, Within: j.Within}
	ms, err := presets.Metrics(string(run.Spec.Preset), subject(run), []presets.Objective{o})
	if err != nil {
		return fmt.Errorf("metric %q: %w", j.Name, err)
	}
	m := ms[0]
	c.Present, c.TargetLabels, c.Bound, c.Compare = m.Present, m.TargetLabels, m.Bound, j.Kind == judge.Comparison
	c.Canary, c.Stable = seriesOf(m.Canary), seriesOf(m.Stable)
	return nil
}

func seriesOf(s presets.Series) analysis.Series {
	return analysis.Series{Total: s.Total, Bad: s.Bad, Histogram: s.Histogram}
}

// subject is what a preset needs to know.
func subject(run *v1alpha1.AnalysisRun) presets.Subject {
	of := presets.Subject{Namespace: run.Namespace}
	s := run.Spec.Subject
	if s == nil {
		return of
	}
	of.Service, of.GRPC, of.Canary = s.Service, s.GRPC, armOf(s.Canary)
	if s.Stable != nil {
		of.Stable = armOf(*s.Stable)
		of.OneService = s.Canary.Service != "" && s.Canary.Service == s.Stable.Service
	}
	return of
}

func armOf(a v1alpha1.SubjectArm) presets.Arm {
	arm := presets.Arm{Service: a.Service, Workload: a.Workload, Revision: a.Revision}
	for _, b := range a.Backends {
		arm.Backends = append(arm.Backends, presets.Backend{Kind: b.Kind, Name: b.Name, Rule: int(b.Rule), Index: int(b.Index)})
	}
	return arm
}

// ofMetric fills the selectors of a spec's own metric in, for either revision.
// When nothing in them differs there is nothing to compare with.
func ofMetric(c *analysis.Counted, spec v1alpha1.AnalysisRunSpec, j judge.Judged) error {
	for i, arm := range judge.Arms(spec) {
		m, err := judge.Fill(j.Metric, arm, spec.Args)
		if err != nil {
			return err
		}
		var s analysis.Series
		if m.Scalar != nil {
			s.Query = m.Scalar.Query
		} else {
			s.Total, s.Bad = m.Proportion.Total, m.Proportion.Bad
			c.TargetLabels = m.Proportion.TargetLabels
		}
		switch {
		case i == 0:
			c.Canary = s
		case s != c.Canary:
			c.Stable = s
		}
	}
	return nil
}

// do learns what is not known yet, and counts what is over.
func (t task) do(ctx context.Context, s snapshot) counted {
	var c counted
	at := s.reach[t.judged.Name]
	if at.why != "" {
		return counted{delayed: at.why}
	}
	ev := t.evidence
	if ev == nil {
		l, ok, err := t.counter.Learn(ctx, at.target, t.what, t.learnAt)
		switch {
		case err != nil:
			return counted{delayed: err.Error()}
		case !ok:
			return counted{delayed: nothingToLearn}
		}
		ev = evidence(s.run.Spec, t, l)
		c.learned = ev
	}
	learned := learnedOf(*ev)
	for _, end := range schedule.Ends(s.run.Spec, s.run.Status, *ev, s.now) {
		b, err := t.counter.Count(ctx, at.target, t.what, learned, end)
		if err != nil {
			c.delayed = err.Error()
			break
		}
		c.blocks = append(c.blocks, judge.Block{End: end, Canary: arm(b.Canary), Stable: arm(b.Stable)})
	}
	return c
}

// evidence is where a metric's status begins.
func evidence(spec v1alpha1.AnalysisRunSpec, t task, l analysis.Learned) *v1alpha1.MetricEvidence {
	ev := &v1alpha1.MetricEvidence{
		Block: v1alpha1.Duration{Duration: l.Block}, Settle: v1alpha1.Duration{Duration: schedule.Settle(spec, l.Interval)},
		Native: l.Native, NoStable: t.what.Stable == analysis.Series{},
		Noise: strconv.FormatFloat(judge.Noise(spec.Judgement, l.History), 'g', -1, 64),
	}
	for _, e := range l.Edges {
		ev.Edges = append(ev.Edges, strconv.FormatFloat(e, 'g', -1, 64))
	}
	return ev
}

func learnedOf(ev v1alpha1.MetricEvidence) analysis.Learned {
	l := analysis.Learned{Block: ev.Block.Duration, Native: ev.Native}
	for _, text := range ev.Edges {
		e, _ := strconv.ParseFloat(text, 64) // written by evidence
		l.Edges = append(l.Edges, e)
	}
	return l
}

func arm(n analysis.Numbers) judge.Arm {
	a := judge.Arm{Total: numberOf(n.Total)}
	for _, b := range n.Bad {
		a.Bad = append(a.Bad, numberOf(b))
	}
	return a
}

func numberOf(a analysis.Answer) judge.Count {
	return judge.Count{Value: a.Value, Known: a.Known, Message: a.Message}
}
