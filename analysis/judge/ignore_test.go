// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Where requests suffice it is said what does not.
func TestEnoughRequestsWaitForBlocks(t *testing.T) {
	s := slo()
	s.Question = asked(0, 10)
	g := newGame(t, s)
	g.rows([4]float64{0, 5000, 1, 9000})
	if m := g.metric(); !strings.HasSuffix(m.Message, "; 1 of 2 blocks") {
		t.Errorf("%s: %q, want it to wait for the second block", m.Verdict, m.Message)
	}
	g.rows([4]float64{0, 5000, 1, 9000})
	g.block += 8
	g.judge(nil)
	if m := g.metric(); m.Verdict != v1alpha1.MetricUndecided || !strings.HasSuffix(m.Message, "; the requests suffice, and a block of now is awaited") {
		t.Errorf("%s: %q, want it to wait for a block of now", m.Verdict, m.Message)
	}
}

// What proves that a small weight is affordable proves nothing of a greater one
// that somebody writes into the next step meanwhile, not even until the next block.
func TestAnotherNextWeightIsAnotherQuestion(t *testing.T) {
	s := slo()
	s.Question = asked(0, 10)
	g := newGame(t, s)
	g.rows(times(2, [4]float64{0, 5000, 1, 9000})...)
	if m := g.metric(); m.Verdict != v1alpha1.MetricPassing {
		t.Fatalf("%s: %q, want 10 %% to be affordable", m.Verdict, m.Message)
	}
	g.spec.Question = asked(0, 100)
	g.judge(nil)
	if m := g.metric(); m.Verdict != v1alpha1.MetricUndecided || g.status.Answer.Verdict != v1alpha1.AnalysisRunning {
		t.Errorf("asked for 100 %%: %s, answer %s: %q; want nothing to be proven before a block of now", m.Verdict, g.status.Answer.Verdict, g.status.Answer.Message)
	}
	g.rows(times(2, [4]float64{0, 5000, 1, 9000})...)
	if m := g.metric(); m.Verdict != v1alpha1.MetricPassing {
		t.Errorf("%s: %q, want the blocks since to prove it", m.Verdict, m.Message)
	}
}

// One value that is missing is no lack of data for noDataTimeout: until then
// onNoData: Ignore waits for it as every other policy does.
func TestIgnoreWaitsForNoDataTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		row     string // of errors; traffic is within bounds throughout
		after   time.Duration
		verdict v1alpha1.MetricVerdict
		answer  v1alpha1.AnalysisPhase
	}{
		"about to fail":   {"two of three out of bounds are not forgotten by one value that is missing", "oo-", 0, v1alpha1.MetricUndecided, v1alpha1.AnalysisRunning},
		"at the start":    {"nothing was measured yet", "---", 0, v1alpha1.MetricPending, v1alpha1.AnalysisRunning},
		"almost too long": {"to the last second", "oo-", time.Minute - time.Second, v1alpha1.MetricUndecided, v1alpha1.AnalysisRunning},
		"too long":        {"then the others decide", "oo-", time.Minute, v1alpha1.MetricNoData, v1alpha1.AnalysisPassed},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(threshold("errors", "", "0.05", 3), threshold("traffic", "", "1", 3))
			s.OnNoData, s.NoDataTimeout = v1alpha1.OnNoDataIgnore, v1alpha1.Duration{Duration: time.Minute}
			s.Question = &v1alpha1.Question{Since: metav1.NewTime(start)}
			in := Input{Spec: s, Now: start}
			in.Status = Run(in)
			for i, c := range tc.row {
				in.Now = blockEnd(i + 1)
				in.Taken = map[string]v1alpha1.Measurement{"errors": taken(i+1, string(c)), "traffic": taken(i+1, "i")}
				in.Status = Run(in)
			}
			in.Now, in.Taken = in.Now.Add(tc.after), nil
			st := Run(in)
			if st.Metrics[0].Verdict != tc.verdict || st.Answer.Verdict != tc.answer {
				t.Errorf("%s: errors %s, answer %s: %q; want %s, %s", tc.reason, st.Metrics[0].Verdict, st.Answer.Verdict, st.Answer.Message, tc.verdict, tc.answer)
			}
		})
	}
}

// So does a Job that can't be started.
func TestIgnoredJob(t *testing.T) {
	in := Input{Now: start, Jobs: map[string]JobState{"smoke": {Problem: "quota"}}, Spec: v1alpha1.AnalysisRunSpec{
		OnNoData: v1alpha1.OnNoDataIgnore, Metrics: []v1alpha1.Metric{{Name: "smoke", Job: &v1alpha1.JobMetric{}}},
	}}
	in.Status = Run(in)
	if v := in.Status.Metrics[0].Verdict; v != v1alpha1.MetricPending {
		t.Errorf("at once: %s, want Pending", v)
	}
	in.Now = in.Now.Add(5 * time.Minute)
	if v := Run(in).Metrics[0].Verdict; v != v1alpha1.MetricNoData {
		t.Errorf("after noDataTimeout: %s, want NoData", v)
	}
}

// A canary that was about to be aborted and then vanished has not become good.
func TestIgnoreExcusesNoEvidence(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		rows    [][4]float64
		away    bool
		verdict v1alpha1.MetricVerdict
		says    string
	}{
		"doubt":   {"evidence of 10 holds", append(times(3, [4]float64{0, 100, 1, 900}), times(2, [4]float64{4, 100, 1, 900})...), false, v1alpha1.MetricHolding, "nothing passes from 10 on"},
		"relapse": {"so does what it had when the server went away", append(times(60, [4]float64{0, 1000, 9, 9000}), [4]float64{900, 1000, 9, 9000}), true, v1alpha1.MetricHolding, "blocks wait to be counted"},
		"good":    {"a good one is left to the others", times(3, [4]float64{0, 100, 1, 900}), false, v1alpha1.MetricNoData, "the other metrics decide"},
	} {
		t.Run(name, func(t *testing.T) {
			s := slo()
			s.OnNoData, s.Question = v1alpha1.OnNoDataIgnore, asked(0, 10)
			g := newGame(t, s)
			g.rows(tc.rows...)
			if f := parse(t, g.metric().Evidence.Fail); f >= 100 {
				t.Fatalf("evidence %g before, want less than aborts", f)
			}
			for range 40 {
				if !tc.away {
					g.next(Arm{}, has(1, 900))
					continue
				}
				g.block++
				g.judge(nil, "Prometheus is away")
			}
			if m := g.metric(); m.Verdict != tc.verdict || !strings.Contains(g.status.Message, tc.says) {
				t.Errorf("%s: %s: %q; want %s with %q", tc.reason, m.Verdict, g.status.Message, tc.verdict, tc.says)
			}
		})
	}
}
