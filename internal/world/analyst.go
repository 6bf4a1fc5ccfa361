// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// analyst is the AnalysisRun controller with a Prometheus behind it.
type analyst struct {
	w *World
	// silent is until when no measurement gives a value.
	silent time.Duration
}

// streak is how many measurements in a row pass or fail a metric.
const streak = 3

// edit changes the spec of a run.
func (a *analyst) edit(name string, change func(*v1alpha1.AnalysisRunSpec)) error {
	i := a.w.live.run(name)
	if i < 0 {
		return nil
	}
	a.replace(i, func(r *v1alpha1.AnalysisRun) {
		change(&r.Spec)
		r.Generation++
	})
	a.w.in(a.w.lags.Notice, "AnalysisRun changed", func() { a.look(name) })
	return nil
}

// forget deletes a run.
func (a *analyst) forget(name string) {
	a.w.live.runs = slices.DeleteFunc(slices.Clone(a.w.live.runs), func(r v1alpha1.AnalysisRun) bool { return r.Name == name })
	a.w.touch(runs)
}

func (a *analyst) replace(i int, change func(*v1alpha1.AnalysisRun)) {
	all := slices.Clone(a.w.live.runs)
	change(&all[i])
	a.w.live.runs = all
	a.w.touch(runs)
}

// follow measures a run until it is complete.
func (a *analyst) follow(name string) {
	a.w.in(a.w.lags.Measure, "measure", func() {
		if a.look(name) {
			a.follow(name)
		}
	})
}

// look takes one measurement and judges; false when the run is complete.
func (a *analyst) look(name string) bool {
	i := a.w.live.run(name)
	if i < 0 || a.w.live.runs[i].Status.CompletedAt != nil {
		return false
	}
	s := a.status(&a.w.live.runs[i])
	a.replace(i, func(r *v1alpha1.AnalysisRun) { r.Status = s })
	return s.CompletedAt == nil
}

func (a *analyst) status(run *v1alpha1.AnalysisRun) v1alpha1.AnalysisRunStatus {
	at := metav1.NewTime(a.w.time())
	s := v1alpha1.AnalysisRunStatus{ObservedGeneration: run.Generation, Phase: v1alpha1.AnalysisRunning, StartedAt: run.Status.StartedAt}
	if s.StartedAt == nil {
		s.StartedAt = &at
	}
	if run.Spec.Stop {
		s.Phase, s.CompletedAt, s.Metrics = v1alpha1.AnalysisTerminated, &at, run.Status.Metrics
		return s
	}
	m := v1alpha1.MetricStatus{Name: run.Spec.Metrics[0].Name, Verdict: v1alpha1.MetricPending}
	if len(run.Status.Metrics) > 0 {
		m = run.Status.Metrics[0]
	}
	a.measure(&m, run, at)
	if m.Verdict == v1alpha1.MetricFailed {
		s.Phase, s.CompletedAt, s.Message = v1alpha1.AnalysisFailed, &at, "metric "+m.Name+" is out of bounds"
	}
	s.Metrics = []v1alpha1.MetricStatus{m}
	s.Answer = answerTo(run.Spec.Question, m, a.w.time())
	return s
}

// measure takes one measurement and judges the metric by it.
func (a *analyst) measure(m *v1alpha1.MetricStatus, run *v1alpha1.AnalysisRun, at metav1.Time) {
	if a.w.now < a.silent {
		m.Verdict, m.Message, m.ConsecutiveIn, m.ConsecutiveInSince = v1alpha1.MetricNoData, "no answer", 0, nil
		return
	}
	m.Measurements, m.Message = []v1alpha1.Measurement{{At: at}}, ""
	a.count(m, run, at)
	behaviour := a.w.catalogue.byHash[run.Labels[v1alpha1.RevisionLabel]].Behaviour
	step := int32(0)
	if ro := a.w.live.rollout; ro != nil {
		step = stepOf(ro.Status)
	}
	if behaviour.Bad && step >= behaviour.BadFrom {
		m.ConsecutiveIn, m.ConsecutiveInSince = 0, nil
		m.ConsecutiveOut++
		m.Verdict, m.Message = v1alpha1.MetricUndecided, "out of bounds"
		if m.ConsecutiveOut >= streak {
			m.Verdict = v1alpha1.MetricFailed
		}
		return
	}
	m.ConsecutiveOut = 0
	m.ConsecutiveIn++
	if m.ConsecutiveInSince == nil {
		m.ConsecutiveInSince = &at
	}
	m.Verdict = v1alpha1.MetricUndecided
	if m.ConsecutiveIn >= streak {
		m.Verdict = v1alpha1.MetricPassing
	}
}

const (
	// blockLength is of what a measurement counts, and perBlock how many requests come within it.
	blockLength = 10 * time.Second
	perBlock    = 3000
	// keptBlocks is how many a run keeps.
	keptBlocks = 8
)

// count adds the block that ends now: what the proxies send to either revision.
// Only where nobody reports what they serve does a decision hang on that.
func (a *analyst) count(m *v1alpha1.MetricStatus, run *v1alpha1.AnalysisRun, at metav1.Time) {
	s := run.Spec.Subject
	if !a.w.plane.silent || s == nil || s.Stable == nil {
		return
	}
	part := func(hash string) string { return fmt.Sprintf("0/%.0f", perBlock*a.w.plane.mean(hash)/100) }
	ev := &v1alpha1.MetricEvidence{Block: v1alpha1.Duration{Duration: blockLength}}
	if m.Evidence != nil {
		ev.Blocks = slices.Clone(m.Evidence.Blocks)
	}
	ev.Blocks = append(ev.Blocks, v1alpha1.BlockStatus{At: at, Canary: part(s.Canary.Revision), Stable: part(s.Stable.Revision)})
	ev.Blocks = ev.Blocks[max(0, len(ev.Blocks)-keptBlocks):]
	m.Evidence = ev
}

func answerTo(q *v1alpha1.Question, m v1alpha1.MetricStatus, now time.Time) *v1alpha1.Answer {
	if q == nil {
		return nil
	}
	a := &v1alpha1.Answer{Step: q.Step, Verdict: v1alpha1.AnalysisRunning}
	asked := now.Sub(q.Since.Time)
	switch {
	case m.Verdict == v1alpha1.MetricPassing && asked > 0 && asked >= q.MinDuration.Duration:
		a.Verdict = v1alpha1.AnalysisPassed
	case asked >= q.MaxDuration.Duration:
		a.Verdict, a.Message = v1alpha1.AnalysisInconclusive, "not enough evidence in time"
	}
	return a
}
