// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

var start = time.Unix(1_700_000_000, 0)

func TestDue(t *testing.T) {
	type want struct {
		At    time.Duration // after the start
		Names []string
	}
	both := []string{"a", "b"}
	tests := map[string]struct {
		reason string
		spec   v1alpha1.AnalysisRunSpec
		status v1alpha1.AnalysisRunStatus
		now    time.Duration
		want   want
	}{
		"not started":          {"without a start there are no blocks", run(), v1alpha1.AnalysisRunStatus{}, time.Hour, want{}},
		"first block":          {"a block is measured at its end", run(), status(), 9 * time.Second, want{}},
		"end of first block":   {"on time", run(), status(), 10 * time.Second, want{10 * time.Second, both}},
		"late":                 {"the time is that of the block, not of the look", run(), status(), 19 * time.Second, want{10 * time.Second, both}},
		"measured":             {"a block is measured once", run(), status(at("a", 10), at("b", 10)), 19 * time.Second, want{}},
		"one missing":          {"each metric on its own", run(), status(at("a", 10), at("b", 0)), 19 * time.Second, want{10 * time.Second, []string{"b"}}},
		"after a long absence": {"missed blocks are not made up for", run(), status(at("a", 10), at("b", 10)), 75 * time.Second, want{70 * time.Second, both}},
		"warm-up":              {"nothing is judged during it", run(warmUp(30 * time.Second)), status(), 29 * time.Second, want{}},
		"after the warm-up":    {"its end is the first block's", run(warmUp(30 * time.Second)), status(), 30 * time.Second, want{30 * time.Second, both}},
		"odd warm-up":          {"times stay aligned to the start", run(warmUp(25 * time.Second)), status(), 29 * time.Second, want{}},
		"stopped":              {"a stopped run measures nothing more", run(stopped), status(), time.Hour, want{}},
		"over":                 {"nor does one that is over", run(), over(status()), time.Hour, want{}},
		"clock set back":       {"before the start nothing is due", run(), status(), -time.Hour, want{}},
		"block of 1.5s":        {"the API keeps whole seconds", run(block(1500 * time.Millisecond)), status(), 5 * time.Second, want{4 * time.Second, both}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			at, names := Due(tc.spec, tc.status, start.Add(tc.now))
			got := want{Names: names}
			if len(names) > 0 {
				got.At = at.Sub(start)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNext(t *testing.T) {
	tests := map[string]struct {
		reason    string
		spec      v1alpha1.AnalysisRunSpec
		status    v1alpha1.AnalysisRunStatus
		now       time.Duration
		deadlines []time.Duration
		want      time.Duration // after the start; -1 for never
	}{
		"first block":      {"the first look", run(), status(), 0, nil, 10 * time.Second},
		"within a block":   {"its end", run(), status(), 13 * time.Second, nil, 20 * time.Second},
		"at a block's end": {"the next one's", run(), status(), 20 * time.Second, nil, 30 * time.Second},
		"warm-up":          {"the end of the first block after it", run(warmUp(25 * time.Second)), status(), 0, nil, 30 * time.Second},
		"start rounded up": {"the start may lie ahead", run(), status(), -time.Second, nil, 10 * time.Second},
		"deadline":         {"whatever comes first", run(), status(), 0, []time.Duration{20 * time.Second, 4 * time.Second}, 4 * time.Second},
		"past deadline":    {"what has passed wakes nobody", run(), status(), 5 * time.Second, []time.Duration{4 * time.Second}, 10 * time.Second},
		"over":             {"no wake-ups at the end", run(), over(status()), 0, []time.Duration{time.Second}, -1},
		"error":            {"what is in the way may be mended meanwhile", run(), failing(status()), 0, nil, 10 * time.Second},
		"error, question":  {"it still answers in time", run(), failing(status()), 0, []time.Duration{5 * time.Second}, 5 * time.Second},
		"job":              {"one that runs is looked after", jobRun(), status(), 13 * time.Second, nil, 20 * time.Second},
		"job over":         {"one that has spoken needs no look", jobRun(), jobOver(status()), 13 * time.Second, nil, -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var deadlines []time.Time
			for _, d := range tc.deadlines {
				deadlines = append(deadlines, start.Add(d))
			}
			got := time.Duration(-1)
			if next := Next(tc.spec, tc.status, start.Add(tc.now), deadlines...); !next.IsZero() {
				got = next.Sub(start)
			}
			if got != tc.want {
				t.Errorf("%s: Next = %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestBlock(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, time.Millisecond: time.Second, 1500 * time.Millisecond: 2 * time.Second, time.Minute: time.Minute,
	} {
		if got := Block(run(block(given))); got != want {
			t.Errorf("Block of %s = %s, want %s", given, got, want)
		}
	}
}

func run(mods ...func(*v1alpha1.AnalysisRunSpec)) v1alpha1.AnalysisRunSpec {
	s := v1alpha1.AnalysisRunSpec{
		Metrics: []v1alpha1.Metric{{Name: "a"}, {Name: "b"}},
		Block:   v1alpha1.Duration{Duration: 10 * time.Second},
	}
	for _, mod := range mods {
		mod(&s)
	}
	return s
}

func warmUp(d time.Duration) func(*v1alpha1.AnalysisRunSpec) {
	return func(s *v1alpha1.AnalysisRunSpec) { s.WarmUp.Duration = d }
}

func block(d time.Duration) func(*v1alpha1.AnalysisRunSpec) {
	return func(s *v1alpha1.AnalysisRunSpec) { s.Block.Duration = d }
}

func stopped(s *v1alpha1.AnalysisRunSpec) { s.Stop = true }

func status(ms ...v1alpha1.MetricStatus) v1alpha1.AnalysisRunStatus {
	began := metav1.NewTime(start)
	return v1alpha1.AnalysisRunStatus{StartedAt: &began, Metrics: ms}
}

func over(st v1alpha1.AnalysisRunStatus) v1alpha1.AnalysisRunStatus {
	st.CompletedAt = st.StartedAt
	return st
}

func failing(st v1alpha1.AnalysisRunStatus) v1alpha1.AnalysisRunStatus {
	st.Phase = v1alpha1.AnalysisError
	return st
}

func at(name string, seconds int) v1alpha1.MetricStatus {
	when := metav1.NewTime(start.Add(time.Duration(seconds) * time.Second))
	return v1alpha1.MetricStatus{Name: name, Measurements: []v1alpha1.Measurement{{At: when}}}
}

// jobRun has a Job alone.
func jobRun() v1alpha1.AnalysisRunSpec {
	spec := run()
	spec.Metrics = []v1alpha1.Metric{{Name: "smoke", Job: &v1alpha1.JobMetric{}}}
	return spec
}

func jobOver(st v1alpha1.AnalysisRunStatus) v1alpha1.AnalysisRunStatus {
	st.Metrics = []v1alpha1.MetricStatus{{Name: "smoke", Verdict: v1alpha1.MetricPassing}}
	return st
}
