// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestJobMetric(t *testing.T) {
	const name = "shop-1-smoke"
	tests := map[string]struct {
		reason  string
		states  []JobState
		change  func(*Input)
		verdict v1alpha1.MetricVerdict
		phase   v1alpha1.AnalysisPhase
		answer  v1alpha1.AnalysisPhase
		message string
	}{
		"not started": {"nothing has been measured", []JobState{{}}, nil, v1alpha1.MetricPending, v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning, "its Job is not started yet"},
		"runs":        {"what runs has not passed", []JobState{{Name: name}}, nil, v1alpha1.MetricPending, v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, "Job shop-1-smoke runs, for 5m at most"},
		"suspended":   {"a queue holds it, and its time does not run", []JobState{{Name: name, Suspended: true}}, nil, v1alpha1.MetricPending, v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, "Job shop-1-smoke is suspended; resume it, or have the queue admit it that suspended it"},
		"succeeded":   {"success passes", []JobState{{Name: name}, {Name: name, Succeeded: true}}, nil, v1alpha1.MetricPassing, v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, "Job shop-1-smoke succeeded"},
		"gone after success": {
			"a Job speaks once; one that is cleaned up has spoken", []JobState{{Name: name, Succeeded: true}, {}}, nil,
			v1alpha1.MetricPassing, v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, "Job shop-1-smoke succeeded",
		},
		"failed": {
			"failure fails the run", []JobState{{Name: name, Failed: true, Message: "Job was active longer than specified deadline"}}, nil,
			v1alpha1.MetricFailed, v1alpha1.AnalysisFailed, v1alpha1.AnalysisRunning,
			"Job shop-1-smoke failed: Job was active longer than specified deadline; see the logs of its pods",
		},
		"failed in a dry run": {
			"what decides nothing fails nothing", []JobState{{Name: name, Failed: true, Message: "x"}}, func(in *Input) { in.Spec.DryRun = []string{"smoke"} },
			v1alpha1.MetricFailed, v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, "Job shop-1-smoke failed: x; see the logs of its pods",
		},
		"can't start": {"it holds, and says why", []JobState{{Problem: "quota"}}, nil, v1alpha1.MetricNoData, v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, "quota"},
		"can't start for long": {
			"onNoData decides", []JobState{{Problem: "quota"}, {Problem: "quota"}},
			func(in *Input) { in.Spec.OnNoData, in.Now = v1alpha1.OnNoDataAbort, in.Now.Add(5*time.Minute) },
			v1alpha1.MetricNoData, v1alpha1.AnalysisFailed, v1alpha1.AnalysisRunning, "quota",
		},
		"started after all": {"a problem that is mended is forgotten", []JobState{{Problem: "quota"}, {Name: name}}, nil, v1alpha1.MetricPending, v1alpha1.AnalysisRunning, v1alpha1.AnalysisRunning, "Job shop-1-smoke runs, for 5m at most"},
	}
	for title, tc := range tests {
		t.Run(title, func(t *testing.T) {
			begin := time.Unix(1_700_000_000, 0)
			in := Input{Now: begin, Spec: v1alpha1.AnalysisRunSpec{
				Metrics:  []v1alpha1.Metric{{Name: "smoke", Job: &v1alpha1.JobMetric{Timeout: &v1alpha1.Duration{Duration: 5 * time.Minute}}}},
				Question: &v1alpha1.Question{Since: metav1.NewTime(begin)},
			}}
			for i, s := range tc.states {
				if tc.change != nil && i == len(tc.states)-1 {
					tc.change(&in)
				}
				in.Jobs = map[string]JobState{"smoke": s}
				in.Status = Run(in)
			}
			m := in.Status.Metrics[0]
			if m.Verdict != tc.verdict || in.Status.Phase != tc.phase || m.Message != tc.message || in.Status.Answer.Verdict != tc.answer {
				t.Errorf("%s: %s %q, phase %s, answer %s; want %s %q, phase %s, answer %s", tc.reason,
					m.Verdict, m.Message, in.Status.Phase, in.Status.Answer.Verdict, tc.verdict, tc.message, tc.phase, tc.answer)
			}
		})
	}
}
