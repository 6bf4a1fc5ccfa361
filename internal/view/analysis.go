// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Analysis is the AnalysisRun of the current or last release.
type Analysis struct {
	// Run is the name of the AnalysisRun.
	Run string `json:"run"`
	// Phase is the verdict so far.
	Phase v1alpha1.AnalysisPhase `json:"phase,omitempty"`
	// Message says why, with the numbers.
	Message string `json:"message,omitempty"`
	// StartedAt is when the run started; nil before.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// CompletedAt is when the phase became final; nil before.
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`
	// Answer to the analyze step that asked last; nil when none did.
	Answer *v1alpha1.Answer `json:"answer,omitempty"`
	// Metrics in the order of the run's spec; empty when the run can't be read.
	Metrics []Metric `json:"metrics,omitempty"`
}

// Metric is one metric and its judgement.
type Metric struct {
	// Name of the metric.
	Name string `json:"name"`
	// Verdict so far.
	Verdict v1alpha1.MetricVerdict `json:"verdict"`
	// Value measured last, as the provider gave it; empty when it gave none.
	Value string `json:"value,omitempty"`
	// At is the time that the value speaks of; nil before the first measurement.
	At *metav1.Time `json:"at,omitempty"`
	// Bounds in words, such as "at most 0.01".
	Bounds string `json:"bounds,omitempty"`
	// Message says why, with the numbers.
	Message string `json:"message,omitempty"`
	// DryRun is true for a metric that decides nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// InBounds counts measurements within bounds.
	InBounds int32 `json:"inBounds,omitempty"`
	// OutOfBounds counts measurements out of bounds.
	OutOfBounds int32 `json:"outOfBounds,omitempty"`
	// NoData counts attempts that gave no usable value.
	NoData int32 `json:"noData,omitempty"`
}

func analysis(r *v1alpha1.Rollout, runs []v1alpha1.AnalysisRun) *Analysis {
	run := pickRun(r, runs)
	summary := r.Status.Analysis
	if run == nil && summary == nil {
		return nil
	}
	if run == nil {
		return &Analysis{Run: summary.Run, Phase: summary.Phase, Message: summary.Message}
	}
	st := run.Status
	out := &Analysis{
		Run: run.Name, Phase: st.Phase, Message: st.Message,
		StartedAt: st.StartedAt.DeepCopy(), CompletedAt: st.CompletedAt.DeepCopy(), Answer: st.Answer.DeepCopy(),
	}
	if out.Phase == "" {
		out.Phase = v1alpha1.AnalysisPending
	}
	for _, m := range run.Spec.Metrics {
		out.Metrics = append(out.Metrics, metric(m, st.Metrics))
	}
	return out
}

// pickRun prefers the run that the status names. Before the status does, the
// newest run of the canary revision is the one.
func pickRun(r *v1alpha1.Rollout, runs []v1alpha1.AnalysisRun) *v1alpha1.AnalysisRun {
	var newest *v1alpha1.AnalysisRun
	for i := range runs {
		run := &runs[i]
		if run.Namespace != r.Namespace || run.Labels[v1alpha1.RolloutLabel] != r.Name {
			continue
		}
		if r.Status.Analysis != nil && run.Name == r.Status.Analysis.Run {
			return run
		}
		ofCanary := r.Status.CanaryRevision != "" && run.Labels[v1alpha1.RevisionLabel] == r.Status.CanaryRevision
		if ofCanary && (newest == nil || newest.CreationTimestamp.Before(&run.CreationTimestamp)) {
			newest = run
		}
	}
	if r.Status.Analysis != nil {
		return nil
	}
	return newest
}

func metric(m v1alpha1.Metric, measured []v1alpha1.MetricStatus) Metric {
	out := Metric{Name: m.Name, Verdict: v1alpha1.MetricPending, Bounds: bounds(m.Threshold)}
	at := slices.IndexFunc(measured, func(s v1alpha1.MetricStatus) bool { return s.Name == m.Name })
	if at < 0 {
		return out
	}
	s := measured[at]
	out.Verdict, out.Message, out.DryRun = s.Verdict, s.Message, s.DryRun
	out.InBounds, out.OutOfBounds, out.NoData = s.InBounds, s.OutOfBounds, s.NoData
	if n := len(s.Measurements); n > 0 {
		out.Value, out.At = s.Measurements[n-1].Value, s.Measurements[n-1].At.DeepCopy()
	}
	return out
}

func bounds(t *v1alpha1.Threshold) string {
	switch {
	case t == nil:
		return ""
	case t.Min != nil && t.Max != nil:
		return *t.Min + " to " + *t.Max
	case t.Min != nil:
		return "at least " + *t.Min
	case t.Max != nil:
		return "at most " + *t.Max
	}
	return ""
}
