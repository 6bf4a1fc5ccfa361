// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// shown is how many metrics a message names.
const shown = 3

// answer judges whether the evidence since the question suffices now. Passed
// is not final: it must hold when it is read.
func answer(in Input, metrics []v1alpha1.MetricStatus) *v1alpha1.Answer {
	q := in.Spec.Question
	if q == nil {
		return nil
	}
	a := &v1alpha1.Answer{Step: q.Step, Verdict: v1alpha1.AnalysisRunning}
	enough, lacking := evidence(in, metrics)
	early := in.Now.Before(q.Since.Add(q.MinDuration.Duration))
	late := q.MaxDuration.Duration > 0 && !in.Now.Before(q.Since.Add(q.MaxDuration.Duration))
	switch {
	case len(lacking) == 0 && !early:
		a.Verdict, a.Message = v1alpha1.AnalysisPassed, list(enough)
	case len(lacking) == 0:
		a.Message = fmt.Sprintf("%s; waiting for the end of minDuration %s", list(enough), span(q.MinDuration.Duration))
	case late:
		a.Verdict = v1alpha1.AnalysisInconclusive
		a.Message = fmt.Sprintf("not passed within maxDuration %s: %s", span(q.MaxDuration.Duration), list(lacking))
	default:
		a.Message = list(lacking)
	}
	a.Warning = warning(in, metrics, a.Verdict == v1alpha1.AnalysisPassed)
	return a
}

// evidence sorts the metrics that decide into those that pass since the
// question, and those that don't; a sentence for each.
func evidence(in Input, metrics []v1alpha1.MetricStatus) (enough, lacking []string) {
	var others []string
	for i, j := range List(in.Spec) {
		st := metrics[i]
		if dryRun(in.Spec.DryRun, j.Name) {
			continue
		}
		if idle(j, st) || st.Verdict == v1alpha1.MetricNoData && in.Spec.OnNoData == v1alpha1.OnNoDataIgnore {
			others = append(others, j.Name+": "+st.Message)
			continue
		}
		text, ok := decides(in, j, st)
		if ok {
			enough = append(enough, text)
			continue
		}
		lacking = append(lacking, text)
	}
	switch {
	case len(enough)+len(lacking) > 0:
	case len(others) > 0: // what was not measured never passes
		lacking = others
	default:
		enough = []string{"every metric is a dry run, so nothing decides"}
	}
	return enough, lacking
}

// decides says whether a metric passes, and why.
func decides(in Input, j Judged, st v1alpha1.MetricStatus) (text string, ok bool) {
	if j.Kind == Threshold {
		count := rowSince(st, in.Spec.Question.Since.Time)
		return j.Name + " " + progress(j.Metric, st, count), count >= consecutive(j.Metric) && st.Verdict != v1alpha1.MetricFailed
	}
	text = j.Name + ": " + st.Message
	if ok = st.Verdict == v1alpha1.MetricPassing; !ok {
		text += bound(j, st)
	}
	return text, ok
}

func progress(m v1alpha1.Metric, st v1alpha1.MetricStatus, count int32) string {
	last, measured := latest(st)
	if measured && last.Outcome == v1alpha1.OutcomeInBounds {
		return relation(m, last) + blocks(count, consecutive(m))
	}
	return explain(m, st)
}

// rowSince counts the latest measurements in a row within bounds that were
// taken at or after a time. A row that began before it is counted in the
// measurements kept, which suffice for metrics that need no more than those;
// [cutRow] sees to the others.
func rowSince(st v1alpha1.MetricStatus, since time.Time) int32 {
	if st.ConsecutiveInSince == nil {
		return 0
	}
	if !st.ConsecutiveInSince.Time.Before(since) {
		return st.ConsecutiveIn
	}
	var count int32
	for _, x := range slices.Backward(st.Measurements) {
		if x.Outcome != v1alpha1.OutcomeInBounds || x.At.Time.Before(since) {
			break
		}
		count++
	}
	return count
}

// cutRow lets the row of a metric begin with the question when the metric needs
// more measurements than are kept. It is done on every pass, hence before any
// measurement after the question can be forgotten.
func cutRow(m v1alpha1.Metric, st v1alpha1.MetricStatus, since time.Time) v1alpha1.MetricStatus {
	if consecutive(m) <= kept || st.ConsecutiveInSince == nil || !st.ConsecutiveInSince.Time.Before(since) {
		return st
	}
	st.ConsecutiveIn = rowSince(st, since)
	st.ConsecutiveInSince = nil
	if st.ConsecutiveIn > 0 {
		st.ConsecutiveInSince = st.Measurements[len(st.Measurements)-int(st.ConsecutiveIn)].At.DeepCopy()
	}
	return st
}

// list joins sentences; it names a few and counts the rest.
func list(texts []string) string {
	if len(texts) <= shown {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(texts[:shown], "; "), len(texts)-shown)
}

// span writes a duration without zero parts at its end: 15m, not 15m0s.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
