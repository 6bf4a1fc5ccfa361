// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// defaultNoDataTimeout serves runs that never met the API server's defaults.
const defaultNoDataTimeout = 5 * time.Minute

// Input is all that the judgement of a run depends on.
type Input struct {
	// Spec of the run.
	Spec v1alpha1.AnalysisRunSpec
	// Generation of the run's metadata.
	Generation int64
	// Status as it was last reported.
	Status v1alpha1.AnalysisRunStatus
	// Now is the time of judging.
	Now time.Time
	// Taken are the measurements taken since, by metric.
	Taken map[string]v1alpha1.Measurement
	// Obstacle says what keeps every measurement from being taken and what to
	// do about it. Empty when nothing does.
	Obstacle string
}

// Final reports whether a run is over: its status never changes again.
func Final(st v1alpha1.AnalysisRunStatus) bool { return st.CompletedAt != nil }

// Check reports why a run can't be carried out as it is written: an unknown
// variable, bounds that no value meets. Waiting does not mend that.
func Check(spec v1alpha1.AnalysisRunSpec) error {
	for _, m := range spec.Metrics {
		if _, err := Fill(m, spec.Args); err != nil {
			return err
		}
		if _, err := boundsOf(m); err != nil {
			return fmt.Errorf("metric %q: %w", m.Name, err)
		}
	}
	return nil
}

// Run judges a run: it folds in what was measured, gives every metric its
// verdict, answers the question and sets phase and message. The status of a
// run that is over is returned as it is.
func Run(in Input) v1alpha1.AnalysisRunStatus {
	if Final(in.Status) {
		return in.Status
	}
	st := *in.Status.DeepCopy()
	st.ObservedGeneration = in.Generation
	if st.StartedAt == nil {
		st.StartedAt = ptrTime(in.Now.Add(time.Second - 1)) // rounded up, so that no wait is shorter than it says
	}
	var ended bool
	if err := Check(in.Spec); err != nil {
		st.Phase, st.Message, ended = v1alpha1.AnalysisError, err.Error(), true
	} else {
		st.Metrics = metrics(in)
		st.Answer = answer(in.Spec, st.Metrics, in.Now)
		st.Phase, st.Message, ended = phase(in, st.Metrics)
	}
	if ended {
		st.CompletedAt = ptrTime(in.Now)
	}
	return st
}

// Deadlines are the times at which the judgement of a run may change without
// a new measurement. Those that have passed are among them.
func Deadlines(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus) []time.Time {
	var ds []time.Time
	if q := spec.Question; q != nil {
		ds = append(ds, q.Since.Add(q.MinDuration.Duration))
		if q.MaxDuration.Duration > 0 {
			ds = append(ds, q.Since.Add(q.MaxDuration.Duration))
		}
	}
	for _, m := range st.Metrics {
		if spec.OnNoData == v1alpha1.OnNoDataAbort && !m.DryRun && m.NoDataSince != nil {
			ds = append(ds, m.NoDataSince.Add(noDataTimeout(spec)))
		}
	}
	return ds
}

// metrics gives the status of every metric of the spec, in its order.
func metrics(in Input) []v1alpha1.MetricStatus {
	all := make([]v1alpha1.MetricStatus, 0, len(in.Spec.Metrics))
	for _, m := range in.Spec.Metrics {
		st := v1alpha1.MetricStatus{Name: m.Name, Verdict: v1alpha1.MetricPending}
		if i := slices.IndexFunc(in.Status.Metrics, func(s v1alpha1.MetricStatus) bool { return s.Name == m.Name }); i >= 0 {
			st = *in.Status.Metrics[i].DeepCopy()
		}
		st.DryRun = dryRun(in.Spec.DryRun, m.Name)
		if x, ok := in.Taken[m.Name]; ok {
			st = Fold(m, st, x)
		}
		if q := in.Spec.Question; q != nil {
			st = cutRow(m, st, q.Since.Time)
		}
		failedBefore := st.Verdict == v1alpha1.MetricFailed
		st.Verdict = Metric(m, st)
		if !failedBefore { // the message of a failure stays the one of its moment
			st.Message = explain(m, st)
		}
		all = append(all, st)
	}
	return all
}

// phase gives the verdict of the whole run; the first that applies counts.
func phase(in Input, metrics []v1alpha1.MetricStatus) (p v1alpha1.AnalysisPhase, message string, ended bool) {
	if in.Spec.Stop {
		return v1alpha1.AnalysisTerminated, "stopped by spec.stop", true
	}
	if failed := failures(in, metrics); len(failed) > 0 {
		return v1alpha1.AnalysisFailed, list(failed), true
	}
	if in.Obstacle != "" {
		return v1alpha1.AnalysisError, in.Obstacle, false
	}
	if !slices.ContainsFunc(metrics, func(m v1alpha1.MetricStatus) bool { return len(m.Measurements) > 0 }) {
		return v1alpha1.AnalysisPending, beginning(in.Spec), false
	}
	return v1alpha1.AnalysisRunning, summary(in.Spec, metrics), false
}

// failures are the sentences about the metrics that end the run.
func failures(in Input, metrics []v1alpha1.MetricStatus) []string {
	var failed []string
	for _, m := range metrics {
		timeout := noDataTimeout(in.Spec)
		switch {
		case m.DryRun:
		case m.Verdict == v1alpha1.MetricFailed:
			failed = append(failed, m.Name+": "+m.Message)
		case in.Spec.OnNoData == v1alpha1.OnNoDataAbort && m.NoDataSince != nil && !in.Now.Before(m.NoDataSince.Add(timeout)):
			failed = append(failed, fmt.Sprintf("%s: no value for noDataTimeout %s: %s", m.Name, span(timeout), m.Message))
		}
	}
	return failed
}

func beginning(spec v1alpha1.AnalysisRunSpec) string {
	if spec.WarmUp.Duration > 0 {
		return fmt.Sprintf("nothing is measured during the warm-up of %s", span(spec.WarmUp.Duration))
	}
	return "the first block is not over yet"
}

// summary names the metrics, those first that keep the run from passing.
func summary(spec v1alpha1.AnalysisRunSpec, metrics []v1alpha1.MetricStatus) string {
	urgent := slices.Clone(metrics)
	slices.SortStableFunc(urgent, func(a, b v1alpha1.MetricStatus) int { return cmp.Compare(rank(a), rank(b)) })
	texts := make([]string, 0, len(urgent))
	for _, m := range urgent {
		text := m.Name + ": " + m.Message
		switch {
		case m.DryRun:
			text += " (dry run)"
		case m.Verdict == v1alpha1.MetricNoData:
			text += consequence(spec)
		}
		texts = append(texts, text)
	}
	return list(texts)
}

// consequence says what a lack of data leads to.
func consequence(spec v1alpha1.AnalysisRunSpec) string {
	if spec.OnNoData == v1alpha1.OnNoDataAbort {
		return fmt.Sprintf("; the release is aborted after %s without a value", span(noDataTimeout(spec)))
	}
	return "; the release holds until there is a value"
}

func rank(m v1alpha1.MetricStatus) int {
	order := []v1alpha1.MetricVerdict{v1alpha1.MetricFailed, v1alpha1.MetricNoData, v1alpha1.MetricUndecided,
		v1alpha1.MetricPending, v1alpha1.MetricPassing}
	place := slices.Index(order, m.Verdict)
	if m.DryRun {
		place += len(order)
	}
	return place
}

// dryRun reports whether a name is on the list, where a trailing * matches any rest.
func dryRun(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		start, wild := strings.CutSuffix(entry, "*")
		return entry == name || wild && strings.HasPrefix(name, start)
	})
}

func noDataTimeout(spec v1alpha1.AnalysisRunSpec) time.Duration {
	if spec.NoDataTimeout.Duration <= 0 {
		return defaultNoDataTimeout
	}
	return spec.NoDataTimeout.Duration
}

// ptrTime is a time as the API keeps it, in whole seconds.
func ptrTime(t time.Time) *metav1.Time {
	whole := metav1.NewTime(t.Truncate(time.Second))
	return &whole
}
