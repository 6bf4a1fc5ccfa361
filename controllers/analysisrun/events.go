// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// maxNote bounds the text of an event in characters; the API allows 1 KiB.
const maxNote = 250

// event is something that happened to a run.
type event struct {
	kind, reason, action, note string
}

// changes lists what happened between two statuses of a run.
func changes(old, now v1alpha1.AnalysisRunStatus) []event {
	var es []event
	if old.Phase != now.Phase {
		es = append(es, phaseChanged(now)...)
	}
	for _, m := range now.Metrics {
		i := slices.IndexFunc(old.Metrics, func(o v1alpha1.MetricStatus) bool { return o.Name == m.Name })
		if i >= 0 && old.Metrics[i].Verdict != m.Verdict {
			es = append(es, metricChanged(old.Metrics[i].Verdict, m)...)
		}
	}
	if now.Answer != nil {
		es = append(es, answered(old.Answer, *now.Answer)...)
	}
	return es
}

func phaseChanged(st v1alpha1.AnalysisRunStatus) []event {
	switch st.Phase {
	case v1alpha1.AnalysisRunning:
		return []event{normal("AnalysisRunning", "Measure", st.Message)}
	case v1alpha1.AnalysisFailed:
		return []event{warning("AnalysisFailed", "Judge", st.Message)}
	case v1alpha1.AnalysisError:
		return []event{warning("AnalysisError", "Judge", st.Message)}
	case v1alpha1.AnalysisTerminated:
		return []event{normal("AnalysisTerminated", "Stop", st.Message)}
	default: // the others are where a run begins, or answers
		return nil
	}
}

func metricChanged(before v1alpha1.MetricVerdict, m v1alpha1.MetricStatus) []event {
	note := m.Name + ": " + m.Message
	switch {
	case m.Verdict == v1alpha1.MetricNoData:
		return []event{warning("NoData", "Measure", note)}
	case m.Verdict == v1alpha1.MetricFailed && m.DryRun:
		return []event{warning("DryRunFailed", "Judge", note)}
	case m.Verdict == v1alpha1.MetricHolding:
		return []event{warning("AnalysisHolding", "Judge", note)}
	case before == v1alpha1.MetricNoData:
		return []event{normal("DataReturned", "Measure", note)}
	}
	return nil
}

// answered lists what an answer says that the one before did not.
func answered(before *v1alpha1.Answer, a v1alpha1.Answer) []event {
	if before == nil || before.Step != a.Step {
		before = &v1alpha1.Answer{}
	}
	var es []event
	if a.Warning != "" && before.Warning == "" {
		es = append(es, warning(v1alpha1.ReasonTooLittleTraffic, "Answer", fmt.Sprintf("step %d: %s", a.Step+1, a.Warning)))
	}
	if before.Verdict == a.Verdict {
		return es
	}
	note := fmt.Sprintf("step %d: %s", a.Step+1, a.Message)
	switch a.Verdict {
	case v1alpha1.AnalysisPassed:
		es = append(es, normal("AnalysisPassed", "Answer", note))
	case v1alpha1.AnalysisInconclusive:
		es = append(es, warning("AnalysisInconclusive", "Answer", note))
	default: // not answered yet
	}
	return es
}

func normal(reason, action, note string) event {
	return event{corev1.EventTypeNormal, reason, action, clip(note)}
}

func warning(reason, action, note string) event {
	return event{corev1.EventTypeWarning, reason, action, clip(note)}
}

func clip(text string) string {
	if runes := []rune(text); len(runes) > maxNote {
		return string(runes[:maxNote]) + "…"
	}
	return text
}
