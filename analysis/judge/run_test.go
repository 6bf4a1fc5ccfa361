// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestRun(t *testing.T) {
	errors, traffic := threshold("errors", "", "0.05", 3), threshold("traffic", "1", "", 3)
	type want struct {
		Phase   v1alpha1.AnalysisPhase
		Message string
		Final   bool
	}
	tests := map[string]struct {
		reason string
		spec   v1alpha1.AnalysisRunSpec
		row    string // errors as in TestMetric; traffic is out of bounds with i and o
		after  time.Duration
		stop   bool
		want   want
	}{
		"no block yet": {
			"a run starts before it measures", spec(errors), "", 0, false,
			want{v1alpha1.AnalysisPending, "the first block is not over yet", false},
		},
		"warm-up": {
			"the wait has a reason", warmUp(spec(errors)), "", 0, false,
			want{v1alpha1.AnalysisPending, "nothing is measured during the warm-up of 1m30s", false},
		},
		"running": {
			"the numbers are in the message", spec(errors), "ii", 0, false,
			want{v1alpha1.AnalysisRunning, "errors: 0.01 ≤ max 0.05 for 2 of 3 blocks", false},
		},
		"failed": {
			"a metric that decides ends the run", spec(errors), "iooo", 0, false,
			want{v1alpha1.AnalysisFailed, "errors: 0.12 > max 0.05 for 3 of 3 blocks", true},
		},
		"dry run": {
			"one that does not decide does not", dry(spec(errors), "err*"), "iooo", 0, false,
			want{v1alpha1.AnalysisRunning, "errors: 0.12 > max 0.05 for 3 of 3 blocks (dry run)", false},
		},
		"worst first": {
			"what keeps it from passing is told first", dry(spec(errors, traffic), "errors"), "i", 0, false,
			want{v1alpha1.AnalysisRunning, "traffic: 0.01 < min 1 for 1 of 3 blocks; errors: 0.01 ≤ max 0.05 for 1 of 3 blocks (dry run)", false},
		},
		"no data, hold": {
			"a lack of data holds, for ever", spec(errors), "i-", time.Hour, false,
			want{v1alpha1.AnalysisRunning, "errors: gone; the release holds until there is a value", false},
		},
		"no data, abort, in time": {
			"until the time is over", abort(spec(errors)), "i-", time.Minute - time.Second, false,
			want{v1alpha1.AnalysisRunning, "errors: gone; the release is aborted after 1m without a value", false},
		},
		"no data, abort, too long": {
			"then it fails", abort(spec(errors)), "i-", time.Minute, false,
			want{v1alpha1.AnalysisFailed, "errors: no value for noDataTimeout 1m: gone", true},
		},
		"no data in a dry run, abort": {
			"what decides nothing aborts nothing", dry(abort(spec(errors)), "*"), "i-", time.Hour, false,
			want{v1alpha1.AnalysisRunning, "errors: gone (dry run)", false},
		},
		"stopped": {
			"a stop is no pass", spec(errors), "iii", 0, true,
			want{v1alpha1.AnalysisTerminated, "stopped by spec.stop", true},
		},
		"stopped before it began": {
			"at any time", spec(errors), "", 0, true,
			want{v1alpha1.AnalysisTerminated, "stopped by spec.stop", true},
		},
		"stopped too late": {
			"a failure stays one", spec(errors), "ooo", 0, true,
			want{v1alpha1.AnalysisFailed, "errors: 0.12 > max 0.05 for 3 of 3 blocks", true},
		},
		"unknown variable": {
			"a run that can't be carried out ends", querying("up{pod='$(canary)'}"), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "errors": threshold.query: $(canary) is unknown; known are $(arm)`, true},
		},
		"bounds that cross": {
			"bounds that nothing meets are a slip", spec(threshold("errors", "2", "1", 3)), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "errors": threshold.min: 2 is above max 1, so no value is in bounds; swap them`, true},
		},
		"bound out of range": {
			"as is a bound that is no number", spec(threshold("errors", "", "1e999", 3)), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "errors": threshold.max: "1e999" is not a decimal number such as "0.01"`, true},
		},
		"no bounds": {
			"as are none", spec(threshold("errors", "", "", 3)), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "errors": threshold: set min, max or both`, true},
		},
		"no kind": {
			"as is a metric of nothing", spec(v1alpha1.Metric{Name: "errors"}), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "errors": no kind is set; set proportion, scalar, threshold or job`, true},
		},
		"no template of a Job": {
			"the API server takes any", spec(v1alpha1.Metric{Name: "smoke", Job: &v1alpha1.JobMetric{Template: v1alpha1.JobTemplate{Unreadable: "spec is a text"}}}), "", 0, false,
			want{v1alpha1.AnalysisError, `metric "smoke": job.template is no template of a batch/v1 Job (spec is a text); correct it`, true},
		},
		"many metrics": {
			"a message stays short", spec(threshold("a", "", "1", 3), threshold("b", "", "1", 3), threshold("c", "", "1", 3), threshold("d", "", "1", 3)),
			"i", 0, false,
			want{v1alpha1.AnalysisRunning, "a: 0.01 ≤ max 1 for 1 of 3 blocks; b: 0.01 ≤ max 1 for 1 of 3 blocks; " +
				"c: 0.01 ≤ max 1 for 1 of 3 blocks; and 1 more", false},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			st := play(tc.spec, tc.row)
			tc.spec.Stop = tc.stop
			st = Run(Input{Spec: tc.spec, Status: st, Now: blockEnd(len(tc.row)).Add(tc.after)})
			if diff := cmp.Diff(tc.want, want{st.Phase, st.Message, Final(st)}); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRunWithObstacle(t *testing.T) {
	s := spec(threshold("m", "", "0.05", 3))
	in := Input{Spec: s, Generation: 7, Now: start.Add(time.Millisecond), Obstacle: "there is no server"}
	st := Run(in)
	if st.Phase != v1alpha1.AnalysisError || st.Message != "there is no server" || Final(st) {
		t.Errorf("an obstacle is an error that can heal; got %s: %q, final %t", st.Phase, st.Message, Final(st))
	}
	if want := start.Add(time.Second); !st.StartedAt.Time.Equal(want) || st.ObservedGeneration != 7 {
		t.Errorf("startedAt %s, generation %d; want %s, rounded up, and 7", st.StartedAt, st.ObservedGeneration, want)
	}
	in.Obstacle, in.Status = "", st
	if st = Run(in); st.Phase != v1alpha1.AnalysisPending {
		t.Errorf("without the obstacle the run goes on; got %s", st.Phase)
	}
}

func TestRunIsOverForGood(t *testing.T) {
	s := spec(threshold("m", "", "0.05", 3))
	failed := play(s, "ooo")
	s.Stop = true
	s.Question = ask(0, 0, 0)
	again := playOn(s, failed, 4, "iii")
	if diff := cmp.Diff(failed, again); diff != "" {
		t.Errorf("nothing changes a run that is over: -want +got:\n%s", diff)
	}
}

func TestRunFollowsTheSpec(t *testing.T) {
	s := spec(threshold("a", "", "0.05", 3), threshold("b", "", "0.05", 3))
	st := play(s, "ii")
	s.Metrics = []v1alpha1.Metric{threshold("c", "", "0.05", 3), s.Metrics[1]}
	st = playOn(s, st, 3, "i")
	got := map[string]int32{}
	for _, m := range st.Metrics {
		got[m.Name] = m.InBounds
	}
	if diff := cmp.Diff(map[string]int32{"b": 3, "c": 1}, got); diff != "" {
		t.Errorf("metrics are kept by name: -want +got:\n%s", diff)
	}
}

// TestReplay holds that a status depends on the measurements alone: not on how
// often a block was judged, nor on restarts in between, where the status goes
// through the API and comes back.
func TestReplay(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := spec(threshold("a", "", "0.05", r.Int32N(14)+1), threshold("b", "", "0.05", 3))
		s.DryRun = []string{"b"}
		if seed%2 == 0 {
			s.Question = ask(int(r.Int32N(20)), time.Duration(r.Int32N(60))*time.Second, time.Minute)
		}
		row := make([]byte, r.IntN(60))
		for i := range row {
			row[i] = "iiiiiio-"[r.IntN(8)]
		}
		once := play(s, string(row))

		again := Run(Input{Spec: s, Now: start})
		for i := range row {
			for range 1 + r.IntN(3) {
				again = playOn(s, stored(t, again), i+1, string(row[i]))
			}
		}
		if diff := cmp.Diff(stored(t, once), stored(t, again)); diff != "" {
			t.Fatalf("seed %d, row %s: -once +with repetitions and restarts:\n%s", seed, row, diff)
		}
	}
}

// stored is a status as it comes back from the API.
func stored(t *testing.T, st v1alpha1.AnalysisRunStatus) v1alpha1.AnalysisRunStatus {
	t.Helper()
	raw, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back v1alpha1.AnalysisRunStatus
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func warmUp(s v1alpha1.AnalysisRunSpec) v1alpha1.AnalysisRunSpec {
	s.WarmUp.Duration = 90 * time.Second
	return s
}

func abort(s v1alpha1.AnalysisRunSpec) v1alpha1.AnalysisRunSpec {
	s.OnNoData = v1alpha1.OnNoDataAbort
	s.NoDataTimeout.Duration = time.Minute
	return s
}

func dry(s v1alpha1.AnalysisRunSpec, names ...string) v1alpha1.AnalysisRunSpec {
	s.DryRun = names
	return s
}

func querying(query string) v1alpha1.AnalysisRunSpec {
	m := threshold("errors", "", "0.05", 3)
	m.Threshold.Query = query
	return spec(m)
}

// ask is a question at the end of block n.
func ask(n int, least, most time.Duration) *v1alpha1.Question {
	return &v1alpha1.Question{
		Step: 1, Since: metav1.NewTime(blockEnd(n)),
		MinDuration: v1alpha1.Duration{Duration: least}, MaxDuration: v1alpha1.Duration{Duration: most},
	}
}
