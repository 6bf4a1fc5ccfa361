// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// analysisFailed: the AnalysisRun of this release found a breach.
func analysisFailed(c cursor, f facts) bool {
	run := runAt(c, f)
	return c.skipped == nil && run != nil && run.Status.Phase == v1alpha1.AnalysisFailed
}

func abortOnAnalysis(c cursor, f facts) cursor {
	return c.latch(f, v1alpha1.ReasonAnalysisFailed, runAt(c, f).Status.Message, "")
}

// inconclusive: an analyze step ran out of time and says Abort.
func inconclusive(c cursor, f facts) bool {
	return onInconclusive(c, f) == v1alpha1.OnInconclusiveAbort && answered(c, f, v1alpha1.AnalysisInconclusive)
}

// onInconclusive is what an unanswered question of the current step leads to.
func onInconclusive(c cursor, f facts) v1alpha1.OnInconclusive {
	step, ok := c.current(f)
	if !ok || step.Analyze == nil {
		return v1alpha1.OnInconclusiveHold
	}
	own := v1alpha1.OnInconclusiveHold
	if a := analysisAt(c, f); a != nil {
		own = cmp.Or(a.OnInconclusive, own)
	}
	return cmp.Or(step.Analyze.OnInconclusive, own)
}

func answered(c cursor, f facts, verdict v1alpha1.AnalysisPhase) bool {
	step, ok := c.current(f)
	if !ok || step.Analyze == nil {
		return false
	}
	a, ok := answer(c, f)
	return ok && a.Verdict == verdict
}

// analyzed: the analyze step has its evidence, or goes on without.
func analyzed(c cursor, f facts) bool {
	return c.skipped != nil || answered(c, f, v1alpha1.AnalysisPassed) ||
		onInconclusive(c, f) == v1alpha1.OnInconclusivePromote && answered(c, f, v1alpha1.AnalysisInconclusive)
}

func abortInconclusive(c cursor, f facts) cursor {
	a, _ := answer(c, f)
	return c.latch(f, v1alpha1.ReasonAnalysisInconclusive, a.Message, "")
}

// answer is the run's answer to the question of the current step. An answer to
// another step, or from before the question was seen, is none.
func answer(c cursor, f facts) (v1alpha1.Answer, bool) {
	run := runAt(c, f)
	if run == nil || run.Spec.Question == nil || run.Status.Answer == nil {
		return v1alpha1.Answer{}, false
	}
	current := run.Status.ObservedGeneration == run.Generation &&
		run.Spec.Question.Step == c.step && run.Status.Answer.Step == c.step
	return *run.Status.Answer, current
}

// analysisHold says why the analysis forbids the next step, if it does. Missing or
// doubtful evidence holds a release; only a verdict aborts it. Before a step that gives
// the canary more traffic each metric must have been measured, and before the last
// step that this analysis judges is left each must be passing.
func analysisHold(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if analysisAt(c, f) == nil || !ok || nobodyToJudge(c, f) {
		return hold{}, false
	}
	run := runAt(c, f)
	steps, last := f.strategy.steps, lastJudged(c, f)
	if run == nil {
		return waits(v1alpha1.ReasonAnalyzing, "waiting for AnalysisRun %s to start", runName(c, f)), last && step.Analyze == nil && watched(c, f)
	}
	if run.Status.Phase == v1alpha1.AnalysisError || run.Status.Phase == v1alpha1.AnalysisTerminated {
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisNoData,
			fmt.Sprintf("AnalysisRun %s is in phase %s: %s; mend it, or promote or abort by hand", run.Name, run.Status.Phase, run.Status.Message)}, true
	}
	h, held := metricsHold(run, f.Now, barFor(step, last, steps[min(int(c.step)+1, len(steps)-1)]))
	if held && h.reason == v1alpha1.ReasonAnalysisNoData {
		h.message = fmt.Sprintf("%s; see %s.%s", h.message, analysisPath(c, f), sourceOf(run, h.message))
	}
	return h, held
}

// lastJudged: no later step has the analysis that speaks at the current one.
func lastJudged(c cursor, f facts) bool {
	steps := f.strategy.steps
	return int(c.step) == len(steps)-1 || steps[c.step+1].where != steps[c.step].where
}

// unfed: the current step waits for an analysis that has not started, because the
// canary does not get the traffic yet that earlier steps asked for, as after a scale-up
// from zero. Then it is the cluster that the step waits for.
func unfed(c cursor, f facts) bool {
	step, ok := c.current(f)
	if !ok || analysisAt(c, f) == nil || nobodyToJudge(c, f) || runAt(c, f) != nil || !watched(c, f) {
		return false
	}
	return step.Analyze != nil || lastJudged(c, f)
}

// nobodyToJudge: the Rollout was scaled to zero before anything was measured.
// What was scaled to zero under way stays unproven until it is scaled up again.
func nobodyToJudge(c cursor, f facts) bool { return f.replicas == 0 && runAt(c, f) == nil }

// sourceOf is where an analysis says what the metric that a message begins with is asked of.
func sourceOf(run *v1alpha1.AnalysisRun, message string) string {
	for _, m := range run.Spec.Metrics {
		switch {
		case !strings.HasPrefix(message, "metric "+m.Name+":") && !strings.HasPrefix(message, "metric "+m.Name+" "):
		case m.Web != nil, m.Job != nil:
			return "metrics"
		case m.Threshold != nil && m.Threshold.Provider == v1alpha1.ProviderLoki,
			m.Scalar != nil && m.Scalar.Provider == v1alpha1.ProviderLoki,
			m.Proportion != nil && m.Proportion.Provider == v1alpha1.ProviderLoki:
			return "loki.address and the metric's query"
		}
	}
	return "prometheus.address and the metric's query"
}

// analysisPath is where in the Rollout the analysis that speaks at the cursor is written.
func analysisPath(c cursor, f facts) string {
	switch whereAt(c, f) {
	case prePromotion:
		return f.strategy.at + ".prePromotion.analysis"
	case postPromotion:
		return f.strategy.at + ".postPromotion.analysis"
	}
	return f.strategy.at + ".analysis"
}

// barFor is what a step asks of the metrics before the next one. An analyze
// step's own answer decides.
func barFor(step Step, last bool, next Step) bar {
	switch {
	case step.Analyze != nil:
		return noBar
	case last:
		return passing
	case next.SetWeight != nil:
		return measured
	}
	return noBar
}

// watched reports whether the canary gets requests that an analysis could judge.
func watched(c cursor, f facts) bool { return c.asks(f).weight > 0 }

// bar is what every metric must have reached before the next step.
type bar int

const (
	noBar bar = iota
	measured
	passing
)

func metricsHold(run *v1alpha1.AnalysisRun, now time.Time, want bar) (hold, bool) {
	if len(run.Status.Metrics) == 0 {
		return waits(v1alpha1.ReasonAnalyzing, "waiting for the first measurements of AnalysisRun %s", run.Name), want > noBar
	}
	for _, m := range run.Status.Metrics {
		if m.DryRun || m.Verdict == v1alpha1.MetricNoData && run.Spec.OnNoData == v1alpha1.OnNoDataIgnore {
			continue
		}
		if h, held := metricHold(run, m, now); held {
			return h, true
		}
		if want == measured && m.Verdict == v1alpha1.MetricPending || want == passing && m.Verdict != v1alpha1.MetricPassing {
			return waits(v1alpha1.ReasonAnalyzing, "metric %s must be %s %s: %s", m.Name, want, beforeNext, m.Message), true
		}
	}
	return hold{}, false
}

// beforeNext is where a metric holds the next step; how far it is follows.
const beforeNext = "before the next step"

// String says what the bar asks for.
func (b bar) String() string {
	if b == passing {
		return "passing"
	}
	return "measured"
}

// metricHold says why one metric forbids any step.
func metricHold(run *v1alpha1.AnalysisRun, m v1alpha1.MetricStatus, now time.Time) (hold, bool) {
	switch {
	case m.Verdict == v1alpha1.MetricNoData:
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisNoData,
			fmt.Sprintf("metric %s: %s", m.Name, m.Message)}, true
	case m.Verdict == v1alpha1.MetricHolding:
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisSuspicious, fmt.Sprintf("metric %s: %s", m.Name, m.Message)}, true
	case m.ConsecutiveOut > 0:
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisSuspicious, m.Message}, true
	case m.Delayed != "" && late(run, m, now):
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisNoData, fmt.Sprintf("metric %s: %s", m.Name, m.Message)}, true
	case late(run, m, now):
		return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisNoData,
			fmt.Sprintf("metric %s has not been measured since %s; look at the controller's log", m.Name, lastMeasured(m).UTC().Format(time.TimeOnly))}, true
	}
	return hold{}, false
}

// late: the latest measurement is too old to speak for now, because whoever
// measures has stopped. It never counts as a pass.
func late(run *v1alpha1.AnalysisRun, m v1alpha1.MetricStatus, now time.Time) bool {
	last, block, settle := lastMeasured(m), run.Spec.Block.Duration, time.Duration(0)
	if m.Evidence != nil {
		block, settle = m.Evidence.Block.Duration, m.Evidence.Settle.Duration
	}
	return !last.IsZero() && now.After(last.Add(3*block+settle+30*time.Second))
}

// lastMeasured is when the latest measurement, or block, ended; the zero time before that.
func lastMeasured(m v1alpha1.MetricStatus) time.Time {
	if m.Evidence != nil && m.Evidence.LastBlockEnd != nil {
		return m.Evidence.LastBlockEnd.Time
	}
	if n := len(m.Measurements); n > 0 {
		return m.Measurements[n-1].At.Time
	}
	return time.Time{}
}
