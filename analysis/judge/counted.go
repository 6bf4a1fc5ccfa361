// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// leastBlocks is how many usable blocks any verdict needs.
	leastBlocks = 2
	// leastScalars is how many a scalar needs to pass.
	leastScalars = 10
	// lateness is how long after its due time a block may be counted and still
	// speak for now.
	lateness = 30 * time.Second
)

// foldBlocks adds the blocks that were counted, in order of time over all
// metrics, and reports the metric that brought the evidence to the limit, or -1.
// Nothing is added after that.
func foldBlocks(in Input, js []Judged, all []v1alpha1.MetricStatus) (culprit int, err error) {
	type counted struct {
		metric int
		block  Block
	}
	var blocks []counted
	for i, j := range js {
		for _, b := range in.Blocks[j.Name] {
			blocks = append(blocks, counted{i, b})
		}
	}
	slices.SortStableFunc(blocks, func(a, b counted) int { return a.block.End.Compare(b.block.End) })
	for n, c := range blocks {
		if all[c.metric], err = FoldBlock(in.Spec, js[c.metric], all[c.metric], c.block); err != nil {
			return -1, err
		}
		if last := n == len(blocks)-1; !last && blocks[n+1].block.End.Equal(c.block.End) {
			continue
		}
		if value, worst := combined(js, all); reached(in.Spec, all, value, worst) {
			return worst, nil
		}
	}
	return -1, nil
}

// combined is the mean of the evidence of all metrics that may abort, and the
// metric that brings the most to it; -1 without any.
func combined(js []Judged, all []v1alpha1.MetricStatus) (value float64, culprit int) {
	var evidence []stats.Evidence
	var of []int
	for i, j := range js {
		if e, can := against(j, all[i]); can {
			evidence, of = append(evidence, stats.Evidence{Value: e, Weight: 1}), append(of, i)
		}
	}
	value, worst, err := stats.Combine(evidence)
	if err != nil {
		return 1, -1
	}
	return value, of[worst]
}

// against is a metric's evidence that the canary is worse than tolerated, and
// whether it takes part in an abort. Before the first block it is 1.
func against(j Judged, st v1alpha1.MetricStatus) (value float64, can bool) {
	switch {
	case !j.Counted(), st.DryRun, j.Kind == Scalar && j.Metric.Scalar.OnFail != v1alpha1.OnFailAbort:
		return 1, false
	case st.Evidence == nil, st.Evidence.LastBlockEnd == nil:
		return 1, true
	case st.Evidence.Fail == "":
		return 1, false
	}
	value, _ = number(st.Evidence.Fail)
	return value, true
}

func reached(spec v1alpha1.AnalysisRunSpec, all []v1alpha1.MetricStatus, value float64, worst int) bool {
	return worst >= 0 && value >= rulesOf(spec.Judgement).failAt() && all[worst].Evidence != nil && all[worst].Evidence.Usable >= leastBlocks
}

// idle reports whether a metric can say nothing, because all it does is compare
// and there is nothing to compare with.
func idle(j Judged, st v1alpha1.MetricStatus) bool {
	return j.Counted() && j.Good <= 0 && st.Evidence != nil && st.Evidence.NoStable
}

// verdictOf judges what was counted of a metric so far. Failed is final.
func verdictOf(in Input, j Judged, st v1alpha1.MetricStatus) v1alpha1.MetricVerdict {
	ev := st.Evidence
	switch {
	case st.Verdict == v1alpha1.MetricFailed:
		return v1alpha1.MetricFailed
	case st.DryRun && overLimit(in.Spec, ev):
		return v1alpha1.MetricFailed
	case !idle(j, st) && silent(in, st) && !accused(in.Spec, j, ev):
		return v1alpha1.MetricNoData
	case ev == nil || ev.LastBlockEnd == nil:
		return v1alpha1.MetricPending
	case doubtful(ev):
		return v1alpha1.MetricHolding
	case incident(j, ev), relapse(in.Spec, j, ev):
		return v1alpha1.MetricHolding
	case suffices(in, j, st):
		return v1alpha1.MetricPassing
	}
	return v1alpha1.MetricUndecided
}

func overLimit(spec v1alpha1.AnalysisRunSpec, ev *v1alpha1.MetricEvidence) bool {
	if ev == nil || ev.Usable < leastBlocks {
		return false
	}
	value, ok := number(ev.Fail)
	return ok && value >= rulesOf(spec.Judgement).failAt()
}

// accused reports whether what is known of a canary forbids to ignore that
// nothing more comes: a canary that was bad and vanished has not become good.
func accused(spec v1alpha1.AnalysisRunSpec, j Judged, ev *v1alpha1.MetricEvidence) bool {
	return spec.OnNoData == v1alpha1.OnNoDataIgnore && ev != nil && (doubtful(ev) || relapse(spec, j, ev))
}

func doubtful(ev *v1alpha1.MetricEvidence) bool {
	value, ok := number(ev.Fail)
	return ok && value >= doubtAt
}

func relapse(spec v1alpha1.AnalysisRunSpec, j Judged, ev *v1alpha1.MetricEvidence) bool {
	_, _, is := relapsed(spec, j, ev)
	return is
}

func incident(j Judged, ev *v1alpha1.MetricEvidence) bool {
	_, is := unhealthy(j, ev)
	return is
}

// silentSince is since when a metric has had no usable block.
func silentSince(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, m v1alpha1.MetricStatus) time.Time {
	if ev := m.Evidence; ev != nil && ev.UsableAt != nil {
		return ev.UsableAt.Time
	}
	return st.StartedAt.Add(spec.WarmUp.Duration)
}

// silent reports whether a metric has had no usable block for noDataTimeout, and
// the time in which one is counted on top.
func silent(in Input, m v1alpha1.MetricStatus) bool {
	return in.Status.StartedAt != nil && !in.Now.Before(silentSince(in.Spec, in.Status, m).Add(noDataTimeout(in.Spec)+lag(m)))
}

// lag is how old the latest block of a metric may be.
func lag(m v1alpha1.MetricStatus) time.Duration {
	if m.Evidence == nil {
		return lateness
	}
	return m.Evidence.Block.Duration + m.Evidence.Settle.Duration + lateness
}

// suffices reports whether a metric passes now: by the question, or since the
// start where nothing is asked.
func suffices(in Input, j Judged, st v1alpha1.MetricStatus) bool {
	ev := st.Evidence
	if ev == nil || ev.LastBlockEnd == nil || !current(in, st) {
		return false
	}
	blocks := ev.Usable
	if q := in.Spec.Question; q != nil {
		if ev.Asked == nil || !ev.Asked.Equal(&q.Since) {
			return false
		}
		blocks = ev.AskedBlocks
	}
	if j.Kind == Scalar {
		return blocks >= leastScalars
	}
	return blocks >= leastBlocks && proven(in, j, ev) >= passAt
}

// proven is the evidence that a canary is good enough for what is asked now. The
// one that the status shows may be for a next weight that somebody has changed since.
func proven(in Input, j Judged, ev *v1alpha1.MetricEvidence) float64 {
	t, err := open(j, rulesOf(in.Spec.Judgement), ev, nextWeight(in.Spec.Question))
	if err != nil {
		return 0
	}
	value, can := t.passes(in.Spec.Question != nil)
	if !can {
		return 0
	}
	return value
}

// current reports whether the latest block speaks for now: it is not late, and
// what it lacks is no more than traffic.
func current(in Input, st v1alpha1.MetricStatus) bool {
	ev := st.Evidence
	last := ev.Blocks[len(ev.Blocks)-1]
	fresh := !in.Now.After(ev.LastBlockEnd.Add(2*ev.Block.Duration + lag(st)))
	return fresh && (last.Reason == "" || last.Reason == v1alpha1.BlockNoTraffic)
}
