// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestGoldenVerdicts plays the sequences of which stats' golden file knows the
// evidence. A tenth of it is set aside here for the time without stable traffic.
func TestGoldenVerdicts(t *testing.T) {
	tests := map[string]struct {
		reason string
		rows   [][4]float64
		at     int // block of the abort; 0 for none
	}{
		"S1":  {"1 % against 0.1 %", times(30, [4]float64{1, 100, 1, 900}), 12},
		"S2":  {"5 % against 0.1 %", times(4, [4]float64{5, 100, 1, 900}), 2},
		"S4":  {"an outage: never by one block alone", times(3, [4]float64{100, 100, 1, 900}), 2},
		"S5":  {"a shared incident is no evidence", append(append(times(3, [4]float64{0, 100, 1, 900}), times(4, [4]float64{5, 100, 45, 900})...), times(2, [4]float64{0, 100, 1, 900})...), 0},
		"S6":  {"one blip", append(append(times(2, [4]float64{0, 100, 1, 900}), [4]float64{60, 100, 1, 900}), times(3, [4]float64{0, 100, 1, 900})...), 0},
		"S10": {"blocks without control say nothing about the comparison", [][4]float64{{0, 100, 0, 0}, {5, 100, 1, 900}, {0, 100, 0, 0}, {5, 100, 1, 900}}, 4},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g, at := newGame(t, slo()), 0
			for i, row := range tc.rows {
				g.rows(row)
				if Final(g.status) {
					at = i + 1
					break
				}
			}
			if at != tc.at {
				t.Errorf("%s: ends at block %d (%s), want %d", tc.reason, at, g.status.Message, tc.at)
			}
		})
	}
}

// ownMetric puts a metric that a person wrote in the place of the objective.
func ownMetric(s *v1alpha1.AnalysisRunSpec) {
	s.Preset, s.Objectives, s.Question = "", nil, asked(0, 25)
	s.Metrics = []v1alpha1.Metric{{Name: "checkout", Objective: "99.9%", Proportion: &v1alpha1.Proportion{Total: `a{t="$(arm)"}`, Bad: `b{t="$(arm)"}`}}}
}

func TestWords(t *testing.T) {
	const sloLimit = "1.5 × stable + 0.05 pp"
	tests := map[string]struct {
		reason string
		play   func(g *game)
		change func(*v1alpha1.MetricEvidence)
		spec   func(*v1alpha1.AnalysisRunSpec)
		want   string
	}{
		"abort": {
			"the numbers of both, the evidence, and what of", func(g *game) { g.rows(times(12, [4]float64{1, 100, 1, 900})...) }, nil, nil,
			"availability: canary 1 % bad (12/1200), stable 0.11 % (12/10800); evidence 143 of 100 needed that canary exceeds " + sloLimit + " → Abort",
		},
		"waiting": {
			"how much is missing, and how long that takes", func(g *game) { g.rows(times(4, [4]float64{0, 10, 0, 90})...) }, nil,
			func(s *v1alpha1.AnalysisRunSpec) { s.Question = asked(0, 10) },
			"availability: canary 0 % bad (0/40), stable 0 % (0/360); 40 of about 200 requests, ETA 3 min",
		},
		"no stable": {
			"judged by the objective alone", func(g *game) { g.rows(times(6, [4]float64{3, 100, 0, 0})...) },
			func(ev *v1alpha1.MetricEvidence) { ev.NoStable = true }, nil,
			"availability: canary 3 % bad (6/200); evidence 103 of 100 needed that canary exceeds 0.2 % → Abort",
		},
		"incident": {
			"nobody is blamed", func(g *game) { g.rows(times(3, [4]float64{5, 100, 45, 900})...) }, nil, nil,
			"availability: BaselineUnhealthy: stable had 5 % bad (135/2700) in the last 5m, more than 6 times what the objective leaves; an incident of both is no fault of the canary",
		},
		"doubt": {
			"evidence that does not suffice for an abort keeps from passing", func(g *game) { g.rows(times(8, [4]float64{1, 100, 1, 900})...) }, nil, nil,
			"availability: canary 1 % bad (8/800), stable 0.11 % (8/7200); evidence 17 of 100 needed that canary exceeds " + sloLimit + "; nothing passes from 10 on",
		},
		"passed": {
			"so many good ones suffice", func(g *game) { g.rows(times(3, [4]float64{0, 100, 0, 900})...) }, nil,
			func(s *v1alpha1.AnalysisRunSpec) { s.Question = asked(0, 10) },
			"availability: canary 0 % bad (0/300), stable 0 % (0/2700); passed",
		},
		"nothing is ever bad": {
			"as it is when the name is misspelled", func(g *game) {
				for range 2 {
					g.next(Arm{Total: Count{100, true, ""}, Bad: []Count{{}}}, Arm{Total: Count{900, true, ""}, Bad: []Count{{}}})
				}
			}, nil, ownMetric,
			"checkout: canary 0 % bad (0/200), stable 0 % (0/1800) (bad has selected no series yet, which counts as 0: check its spelling); 200 of about 499 requests, ETA 30 s",
		},
		"something was bad once": {
			"the name is right", func(g *game) {
				g.next(has(0, 100), has(1, 900))
				g.next(Arm{Total: Count{100, true, ""}, Bad: []Count{{}}}, Arm{Total: Count{900, true, ""}, Bad: []Count{{}}})
			}, nil, ownMetric,
			"checkout: canary 0 % bad (0/200), stable 0.06 % (1/1800); 200 of about 499 requests, ETA 30 s",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := slo()
			if tc.spec != nil {
				tc.spec(&spec)
			}
			if tc.change == nil {
				tc.change = func(*v1alpha1.MetricEvidence) {}
			}
			g := newGame(t, spec, tc.change)
			tc.play(g)
			if diff := cmp.Diff(tc.want, g.status.Message); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestQuestions(t *testing.T) {
	spec := slo()
	g := newGame(t, spec)
	g.rows(times(30, [4]float64{0, 100, 0, 900})...)
	fail := g.metric().Evidence.Fail
	g.spec.Question = asked(300*time.Second, 100)
	g.rows([4]float64{0, 100, 0, 900})
	ev := g.metric().Evidence
	if ev.AskedBlocks != 1 || ev.AskedCanary != "0/100" || g.status.Answer.Verdict != v1alpha1.AnalysisRunning {
		t.Errorf("a question begins anew: %d blocks, %s, %s", ev.AskedBlocks, ev.AskedCanary, g.status.Answer.Verdict)
	}
	if a, b := parse(t, fail), parse(t, ev.Fail); b > a || b < a/2 {
		t.Errorf("evidence to abort goes on: %v, then %v", a, b)
	}
	g.rows(times(18, [4]float64{0, 100, 0, 900})...)
	if g.status.Answer.Verdict != v1alpha1.AnalysisRunning {
		t.Errorf("1,900 requests do not prove 99.9 %% at all traffic: %s", g.status.Answer.Message)
	}
	g.rows(times(1, [4]float64{0, 100, 0, 900})...)
	if g.status.Answer.Verdict != v1alpha1.AnalysisPassed {
		t.Errorf("2,000 do: %s", g.status.Answer.Message)
	}
	g.rows([4]float64{2, 100, 0, 900})
	if g.status.Answer.Verdict == v1alpha1.AnalysisPassed {
		t.Errorf("passing is not latched: %s", g.status.Answer.Message)
	}
}

func TestInconclusiveSaysWhatIsKnown(t *testing.T) {
	spec := slo()
	spec.Question = asked(0, 10)
	g := newGame(t, spec)
	g.rows(times(90, [4]float64{0, 1, 0, 9})...)
	a := g.status.Answer
	if want := "0 bad of 90, so its rate is below 4.43 % with 95 % confidence"; a.Verdict != v1alpha1.AnalysisInconclusive || !strings.Contains(a.Message, want) {
		t.Errorf("%s: %q, want Inconclusive: %q", a.Verdict, a.Message, want)
	}
}

func TestWithoutARolloutARunEnds(t *testing.T) {
	tests := map[string]struct {
		reason string
		rows   [][4]float64
		want   v1alpha1.AnalysisPhase
	}{
		"passed":       {"as soon as it is proven", times(25, [4]float64{0, 100, 0, 900}), v1alpha1.AnalysisPassed},
		"failed":       {"as soon as it is proven", times(25, [4]float64{5, 100, 1, 900}), v1alpha1.AnalysisFailed},
		"inconclusive": {"at the end", times(90, [4]float64{0, 1, 0, 9}), v1alpha1.AnalysisInconclusive},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, slo())
			g.alone = true
			g.rows(tc.rows...)
			if g.status.Phase != tc.want || !Final(g.status) {
				t.Errorf("%s: %s: %q, want %s", tc.reason, g.status.Phase, g.status.Message, tc.want)
			}
		})
	}
}

func TestOnlyTheObjectiveAtFullWeight(t *testing.T) {
	g := newGame(t, slo())
	g.rows(times(10, [4]float64{0, 950, 0, 50})...)
	g.rows(times(2, [4]float64{400, 950, 20, 50})...)
	if g.status.Phase == v1alpha1.AnalysisFailed {
		t.Fatal("two blocks can't have sufficed")
	}
	g.rows(times(3, [4]float64{400, 950, 20, 50})...)
	if g.status.Phase != v1alpha1.AnalysisFailed || !strings.Contains(g.status.Message, "canary exceeds 0.2 %") {
		t.Errorf("an incident with 95 %% of the traffic on the canary: %s: %q, want Failed by the objective", g.status.Phase, g.status.Message)
	}
}

func TestScalars(t *testing.T) {
	value := func(v float64) Arm { return Arm{Total: Count{Value: v, Known: true}} }
	tests := map[string]struct {
		reason         string
		onFail         v1alpha1.OnFail
		canary, stable float64
		verdict        v1alpha1.MetricVerdict
		phase          v1alpha1.AnalysisPhase
	}{
		"same":  {"ten blocks suffice", v1alpha1.OnFailHold, 100, 100, v1alpha1.MetricPassing, v1alpha1.AnalysisRunning},
		"hold":  {"gauges hold", v1alpha1.OnFailHold, 150, 100, v1alpha1.MetricHolding, v1alpha1.AnalysisRunning},
		"abort": {"unless told otherwise", v1alpha1.OnFailAbort, 150, 100, v1alpha1.MetricFailed, v1alpha1.AnalysisFailed},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGame(t, v1alpha1.AnalysisRunSpec{
				Metrics: []v1alpha1.Metric{{Name: "memory", Scalar: &v1alpha1.Scalar{Query: "m{a='$(arm)'}", Tolerance: "25%", OnFail: tc.onFail}}},
				Block:   v1alpha1.Duration{Duration: 10 * time.Second},
			})
			for range 15 {
				g.next(value(tc.canary), value(tc.stable))
			}
			if g.metric().Verdict != tc.verdict || g.status.Phase != tc.phase {
				t.Errorf("%s: %s, %s: %q", tc.reason, g.metric().Verdict, g.status.Phase, g.status.Message)
			}
		})
	}
}

func TestSeveralMetricsTogether(t *testing.T) {
	spec := slo()
	spec.Objectives.Latency = &v1alpha1.LatencyObjectives{P99: &v1alpha1.Duration{Duration: 300 * time.Millisecond}}
	g := newGame(t, spec)
	two := func(bad, slow, total float64) Arm {
		return Arm{Total: Count{Value: total, Known: true}, Bad: []Count{{Value: bad, Known: true}, {Value: slow, Known: true}}}
	}
	for range 2 {
		g.next(two(5, 6, 100), two(1, 9, 900))
	}
	if g.status.Phase == v1alpha1.AnalysisFailed && !strings.Contains(g.status.Message, "the mean over 2 metrics is") {
		t.Errorf("what both bring is not said: %q", g.status.Message)
	}
	g.spec.DryRun = []string{"availability"}
	for range 3 {
		g.next(two(5, 6, 100), two(1, 9, 900))
	}
	raw, err := json.Marshal(g.status.Metrics[1].Message)
	if err != nil || !strings.Contains(string(raw), "no bucket ends at 300ms: it passes by 0.25 and fails by 0.5") {
		t.Errorf("the edges are not said: %s", raw)
	}
}

// TestStatusStaysSmall fills every field that grows.
func TestStatusStaysSmall(t *testing.T) {
	spec := v1alpha1.AnalysisRunSpec{Judgement: v1alpha1.Judgement{CompareLatency: true}, Block: v1alpha1.Duration{Duration: time.Second}}
	for i := range 32 {
		spec.Metrics = append(spec.Metrics, v1alpha1.Metric{
			Name: fmt.Sprintf("a-metric-with-a-name-that-is-as-long-as-names-may-be-which-is-%d", i), Proportion: &v1alpha1.Proportion{Total: "a", Bad: "b"}, Objective: "99.99%",
		})
	}
	spec.Question = asked(0, 10)
	spec.FalseAbortRate = "0.000001%"
	g := newGame(t, spec)
	for range 40 {
		g.rows([4]float64{1.5, 123456789.25, 7, 987654321.125})
		g.next(has(5, 1), Arm{})
	}
	raw, err := json.Marshal(g.status)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes with %d metrics", len(raw), len(g.status.Metrics))
	if len(raw) > 80<<10 {
		t.Errorf("status has %d bytes, want at most 80 KiB", len(raw))
	}
}

// Thresholds keep ten measurements each, and servers may say much.
func TestStatusOfThresholdsStaysSmall(t *testing.T) {
	var metrics []v1alpha1.Metric
	for i := range 32 {
		metrics = append(metrics, threshold(fmt.Sprintf("a-metric-with-a-name-that-is-as-long-as-names-may-be-which-is-%d", i), "", "1", 3))
	}
	s := spec(metrics...)
	st := Run(Input{Spec: s, Now: start})
	for n := range 12 {
		in := Input{Spec: s, Status: st, Now: blockEnd(n + 1), Taken: map[string]v1alpha1.Measurement{}}
		for _, m := range metrics {
			in.Taken[m.Name] = v1alpha1.Measurement{At: metav1.NewTime(in.Now), Message: strings.Repeat("the server refuses ", 200)}
		}
		st = Run(in)
	}
	raw, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 80<<10 || st.Metrics[0].NoData != 12 {
		t.Errorf("status has %d bytes after %d attempts, want at most 80 KiB after 12", len(raw), st.Metrics[0].NoData)
	}
}

// An objective above all buckets passes by the greatest of them, and is told by it.
func TestObjectiveAboveAllBuckets(t *testing.T) {
	s := slo()
	s.Objectives = &v1alpha1.Objectives{Latency: &v1alpha1.LatencyObjectives{P99: &v1alpha1.Duration{Duration: 20 * time.Second}}}
	s.Question = asked(0, 10)
	g := newGame(t, s, func(ev *v1alpha1.MetricEvidence) { ev.Edges = []string{"NaN", "10"} })
	row := func(slow, total float64) Arm {
		return Arm{Total: Count{Value: total, Known: true}, Bad: []Count{{}, {Value: slow, Known: true}}}
	}
	for range 3 {
		g.next(row(0, 100), row(1, 900))
	}
	m := g.metric()
	if want := "canary 0 % slower than 10 (no bucket ends at 20s or above, so it can't fail; add one) (0/300), stable 0.11 % (3/2700); passed"; m.Verdict != v1alpha1.MetricPassing || m.Message != want {
		t.Errorf("%s: %q, want Passing: %q", m.Verdict, m.Message, want)
	}
	for range 30 {
		g.next(row(50, 100), row(1, 900))
	}
	if m := g.metric(); m.Verdict == v1alpha1.MetricPassing || g.status.Phase != v1alpha1.AnalysisRunning {
		t.Errorf("half of the requests slow: %s, %s: %q; want neither passed nor failed", m.Verdict, g.status.Phase, m.Message)
	}
}

func parse(t *testing.T, text string) float64 {
	t.Helper()
	v, ok := number(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return v
}

// BenchmarkBlock is what one block costs one metric, once its processes are open.
func BenchmarkBlock(b *testing.B) {
	j := List(slo())[0]
	t, err := open(j, rulesOf(slo().Judgement), &v1alpha1.MetricEvidence{Noise: "1"}, 1)
	if err != nil {
		b.Fatal(err)
	}
	s := sample{canary: 100, stable: 900, canaryBad: [3]float64{1}, stableBad: [3]float64{1}, asked: true}
	b.ReportAllocs()
	for b.Loop() {
		if err := t.take(&s); err != nil {
			b.Fatal(err)
		}
	}
}
