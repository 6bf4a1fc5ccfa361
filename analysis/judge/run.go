// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// defaultNoDataTimeout serves runs that never met the API server's defaults.
const defaultNoDataTimeout = 5 * time.Minute

// defaultEnd bounds a run that nobody asks anything.
const defaultEnd = 15 * time.Minute

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
	// Learned is what was learned of metrics before their first block.
	Learned map[string]*v1alpha1.MetricEvidence
	// Blocks are those counted since, by metric, oldest first.
	Blocks map[string][]Block
	// Delayed says, by metric, why blocks that are over could not be counted.
	Delayed map[string]string
	// Jobs are those of the metrics that run one, by metric.
	Jobs map[string]JobState
	// Invalid says why the run can't be carried out as it is written, if it can't.
	Invalid string
	// Alone: no Rollout asks questions, so the run ends by itself.
	Alone bool
	// Obstacle says what keeps every measurement from being taken and what to
	// do about it. Empty when nothing does.
	Obstacle string
}

// Final reports whether a run is over: its status never changes again.
func Final(st v1alpha1.AnalysisRunStatus) bool { return st.CompletedAt != nil }

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
	in.Status.StartedAt = st.StartedAt
	in.Spec.Question = Question(in.Spec, st, in.Alone)
	culprit, err := -1, Check(in.Spec)
	if err == nil && in.Invalid != "" {
		err = errors.New(in.Invalid)
	}
	if err == nil {
		st.Metrics, culprit, err = metrics(in)
	}
	var ended bool
	if err != nil {
		st.Phase, st.Message, ended = v1alpha1.AnalysisError, err.Error(), true
	} else {
		st.Evidence = together(in, st.Metrics)
		st.Answer = answer(in, st.Metrics)
		st.Phase, st.Message, ended = phase(in, st, culprit)
	}
	if ended {
		st.CompletedAt = ptrTime(in.Now)
	}
	return st
}

// Question is what a run is asked: by its Rollout, or by its own end.
func Question(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, alone bool) *v1alpha1.Question {
	if spec.Question != nil || st.StartedAt == nil || spec.End == nil && !alone {
		return spec.Question
	}
	q := &v1alpha1.Question{Since: *st.StartedAt, MaxDuration: v1alpha1.Duration{Duration: defaultEnd}}
	if spec.End != nil {
		q.MinDuration = spec.End.MinDuration
		if spec.End.MaxDuration.Duration > 0 {
			q.MaxDuration = spec.End.MaxDuration
		}
	}
	return q
}

// together is the evidence of all metrics, as the status shows it.
func together(in Input, all []v1alpha1.MetricStatus) string {
	value, worst := combined(List(in.Spec), all)
	if worst < 0 {
		return ""
	}
	return rounded(value)
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
		if m.Evidence != nil || m.Delayed != "" {
			ds = append(ds, silentSince(spec, st, m).Add(noDataTimeout(spec)+lag(m)))
		}
	}
	return ds
}

// metrics gives the status of every metric of the spec, in its order, and the
// one that brought the evidence of all to the limit, or -1.
func metrics(in Input) (all []v1alpha1.MetricStatus, culprit int, err error) {
	js := List(in.Spec)
	for _, j := range js {
		st := v1alpha1.MetricStatus{Name: j.Name, Verdict: v1alpha1.MetricPending}
		if i := slices.IndexFunc(in.Status.Metrics, func(s v1alpha1.MetricStatus) bool { return s.Name == j.Name }); i >= 0 {
			st = *in.Status.Metrics[i].DeepCopy()
		}
		st.DryRun = dryRun(in.Spec.DryRun, j.Name)
		switch {
		case j.Counted():
			all = append(all, prepared(in, j, st))
		case j.Kind == Job:
			all = append(all, ran(in, j, st))
		default:
			all = append(all, measured(in, j.Metric, st))
		}
	}
	if culprit, err = foldBlocks(in, js, all); err != nil {
		return all, -1, err
	}
	for i, j := range js {
		if !j.Counted() || all[i].Verdict == v1alpha1.MetricFailed {
			continue
		}
		if i == culprit {
			all[i].Verdict = v1alpha1.MetricFailed
		}
		all[i].Verdict = verdictOf(in, j, all[i])
		all[i].Message = sentence(in, j, all[i])
	}
	return all, culprit, nil
}

// prepared takes over what was learned of a metric that is counted.
func prepared(in Input, j Judged, st v1alpha1.MetricStatus) v1alpha1.MetricStatus {
	if ev := in.Learned[st.Name]; ev != nil && st.Evidence == nil {
		st.Evidence, st.Delayed = ev.DeepCopy(), ""
	}
	if why := in.Delayed[st.Name]; why != "" {
		st.Delayed = clip(why)
	}
	st.DryRun = st.DryRun || idle(j, st)
	return st
}

// measured folds a measurement of a threshold in.
func measured(in Input, m v1alpha1.Metric, st v1alpha1.MetricStatus) v1alpha1.MetricStatus {
	if x, ok := in.Taken[m.Name]; ok {
		st = Fold(m, st, x)
	}
	if q := in.Spec.Question; q != nil {
		st = cutRow(m, st, q.Since.Time)
	}
	failedBefore := st.Verdict == v1alpha1.MetricFailed
	st.Verdict = patient(in, st, Metric(m, st))
	if !failedBefore { // the message of a failure stays the one of its moment
		st.Message = explain(m, st)
	}
	return st
}

// patient is the verdict of a metric that is measured, until a lack of data has
// lasted for noDataTimeout: what is to be ignored then is undecided until then.
func patient(in Input, st v1alpha1.MetricStatus, v v1alpha1.MetricVerdict) v1alpha1.MetricVerdict {
	switch {
	case v != v1alpha1.MetricNoData || in.Spec.OnNoData != v1alpha1.OnNoDataIgnore || st.NoDataSince == nil,
		!in.Now.Before(st.NoDataSince.Add(noDataTimeout(in.Spec))):
		return v
	case st.InBounds+st.OutOfBounds == 0:
		return v1alpha1.MetricPending
	}
	return v1alpha1.MetricUndecided
}

// phase gives the verdict of the whole run; the first that applies counts.
func phase(in Input, st v1alpha1.AnalysisRunStatus, culprit int) (p v1alpha1.AnalysisPhase, message string, ended bool) {
	if in.Spec.Stop {
		return v1alpha1.AnalysisTerminated, "stopped by spec.stop", true
	}
	if failed := failures(in, st.Metrics, culprit); len(failed) > 0 {
		return v1alpha1.AnalysisFailed, list(failed), true
	}
	if a := st.Answer; a != nil && a.Verdict != v1alpha1.AnalysisRunning && (in.Alone || in.Spec.End != nil) {
		return a.Verdict, a.Message, true
	}
	if in.Obstacle != "" {
		return v1alpha1.AnalysisError, in.Obstacle, false
	}
	if !slices.ContainsFunc(st.Metrics, begun) {
		return v1alpha1.AnalysisPending, beginning(in.Spec, st.Metrics), false
	}
	return v1alpha1.AnalysisRunning, summary(in.Spec, st.Metrics), false
}

// begun reports whether anything was measured of a metric.
func begun(m v1alpha1.MetricStatus) bool {
	return len(m.Measurements) > 0 || m.Job != "" || m.Evidence != nil && m.Evidence.LastBlockEnd != nil || m.Verdict == v1alpha1.MetricNoData
}

// failures are the sentences about the metrics that end the run.
func failures(in Input, metrics []v1alpha1.MetricStatus, culprit int) []string {
	var failed []string
	timeout := noDataTimeout(in.Spec)
	for i, m := range metrics {
		counted := m.Evidence != nil || m.Delayed != ""
		abort := in.Spec.OnNoData == v1alpha1.OnNoDataAbort
		switch {
		case m.DryRun:
		case i == culprit:
			failed = append(failed, m.Name+": "+m.Message+company(in, metrics))
		case m.Verdict == v1alpha1.MetricFailed:
			failed = append(failed, m.Name+": "+m.Message)
		case abort && counted && m.Verdict == v1alpha1.MetricNoData:
			failed = append(failed, m.Name+": "+m.Message)
		case abort && m.NoDataSince != nil && !in.Now.Before(m.NoDataSince.Add(timeout)):
			failed = append(failed, fmt.Sprintf("%s: no value for noDataTimeout %s: %s", m.Name, span(timeout), m.Message))
		}
	}
	return failed
}

// company says how much evidence all metrics bring together, where there are several.
func company(in Input, metrics []v1alpha1.MetricStatus) string {
	js, n := List(in.Spec), 0
	for i, j := range js {
		if _, can := against(j, metrics[i]); can {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	value, _ := combined(js, metrics)
	return fmt.Sprintf(" (the mean over %d metrics is %s)", n, rounded(value))
}

func beginning(spec v1alpha1.AnalysisRunSpec, metrics []v1alpha1.MetricStatus) string {
	for _, m := range metrics {
		if m.Delayed != "" {
			return m.Name + ": " + m.Message
		}
	}
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
		case m.NoDataSince != nil && spec.OnNoData == v1alpha1.OnNoDataIgnore:
			text += fmt.Sprintf("; the other metrics decide after %s without a value", span(noDataTimeout(spec)))
		}
		texts = append(texts, text)
	}
	return list(texts)
}

// consequence says what a lack of data leads to.
func consequence(spec v1alpha1.AnalysisRunSpec) string {
	switch spec.OnNoData {
	case v1alpha1.OnNoDataAbort:
		return fmt.Sprintf("; the release is aborted after %s without a value", span(noDataTimeout(spec)))
	case v1alpha1.OnNoDataIgnore:
		return "; the other metrics decide"
	case v1alpha1.OnNoDataHold:
	}
	return "; the release holds until there is a value"
}

func rank(m v1alpha1.MetricStatus) int {
	order := []v1alpha1.MetricVerdict{v1alpha1.MetricFailed, v1alpha1.MetricNoData, v1alpha1.MetricHolding, v1alpha1.MetricUndecided,
		v1alpha1.MetricPending, v1alpha1.MetricPassing}
	place := slices.Index(order, m.Verdict)
	if m.DryRun {
		place += len(order)
	}
	return place
}

// Decides reports whether a metric of a run is no dry run.
func Decides(spec v1alpha1.AnalysisRunSpec, metric string) bool { return !dryRun(spec.DryRun, metric) }

// dryRun reports whether a name is on the list.
func dryRun(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool { return matches(entry, name) })
}

// matches reports whether an entry of dryRun means a metric: a trailing * matches any rest.
func matches(entry, name string) bool {
	start, wild := strings.CutSuffix(entry, "*")
	return entry == name || wild && strings.HasPrefix(name, start)
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
