// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestAnswer(t *testing.T) {
	const running, passed, inconclusive = v1alpha1.AnalysisRunning, v1alpha1.AnalysisPassed, v1alpha1.AnalysisInconclusive
	tests := map[string]struct {
		reason      string
		consecutive int32
		before      string // blocks before the question, as in TestMetric
		after       string // blocks after it
		question    *v1alpha1.Question
		want        v1alpha1.AnalysisPhase
		message     string
	}{
		"nothing measured": {
			"no evidence is no pass", 3, "", "", ask(0, 0, time.Hour),
			running, "m not measured yet",
		},
		"old evidence": {
			"what was seen at the old weight does not count", 3, "iiiiiii", "ii", ask(8, 0, time.Hour),
			running, "m 0.01 ≤ max 0.05 for 2 of 3 blocks",
		},
		"at the very time": {
			"a measurement at the time of the question counts", 3, "iiiiiii", "iii", ask(8, 0, time.Hour),
			passed, "m 0.01 ≤ max 0.05 for 3 of 3 blocks",
		},
		"asked between blocks": {
			"only later ones count", 3, "ii", "", ask(2, 0, time.Hour),
			running, "m 0.01 ≤ max 0.05 for 1 of 3 blocks",
		},
		"not yet minDuration": {
			"enough evidence, too early", 3, "", "iii", ask(1, time.Minute, time.Hour),
			running, "m 0.01 ≤ max 0.05 for 3 of 3 blocks; waiting for the end of minDuration 1m",
		},
		"minDuration over": {
			"enough of both", 3, "", "iiiiiii", ask(1, time.Minute, time.Hour),
			passed, "m 0.01 ≤ max 0.05 for 3 of 3 blocks",
		},
		"out of bounds": {
			"the row has to be complete", 3, "", "iio", ask(1, 0, time.Hour),
			running, "m 0.12 > max 0.05 for 1 of 3 blocks",
		},
		"no data": {
			"a lack of data is no evidence", 3, "", "ii-", ask(1, 0, time.Hour),
			running, "m gone",
		},
		"too late": {
			"the time is over", 3, "", "i-i-i-i", ask(1, 0, time.Minute),
			inconclusive, "not passed within maxDuration 1m: m 0.01 ≤ max 0.05 for 1 of 3 blocks",
		},
		"late but passed": {
			"evidence that comes late is evidence", 3, "", "------iii", ask(1, 0, time.Minute),
			passed, "m 0.01 ≤ max 0.05 for 3 of 3 blocks",
		},
		"no limit": {
			"without maxDuration the question stays open", 3, "", "----------------", ask(1, 0, 0),
			running, "m gone",
		},
		"more than is kept, too few": {
			"needs beyond the ten kept measurements count from the question too", 12, strings.Repeat("i", 40), strings.Repeat("i", 11), ask(41, 0, time.Hour),
			running, "m 0.01 ≤ max 0.05 for 11 of 12 blocks",
		},
		"more than is kept, enough": {
			"and end with the last one needed", 12, strings.Repeat("i", 40), strings.Repeat("i", 12), ask(41, 0, time.Hour),
			passed, "m 0.01 ≤ max 0.05 for 12 of 12 blocks",
		},
		"all that are kept": {
			"ten are kept, and ten suffice", 10, strings.Repeat("i", 40), strings.Repeat("i", 10), ask(41, 0, time.Hour),
			passed, "m 0.01 ≤ max 0.05 for 10 of 10 blocks",
		},
		"all but one": {
			"nine of ten do not", 10, strings.Repeat("i", 40), strings.Repeat("i", 9), ask(41, 0, time.Hour),
			running, "m 0.01 ≤ max 0.05 for 9 of 10 blocks",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec(threshold("m", "", "0.05", tc.consecutive))
			st := play(s, tc.before)
			s.Question = tc.question
			n := len(tc.before)
			st = Run(Input{Spec: s, Status: st, Now: blockEnd(n)})
			st = playOn(s, st, n+1, tc.after)
			want := &v1alpha1.Answer{Step: 1, Verdict: tc.want, Message: tc.message}
			if diff := cmp.Diff(want, st.Answer); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAnswerByTimeAlone(t *testing.T) {
	s := spec(threshold("m", "", "0.05", 3))
	s.Question = ask(0, 45*time.Second, 2*time.Minute)
	st := play(s, "iii")
	deadlines := Deadlines(s, st)
	if diff := cmp.Diff([]time.Time{start.Add(45 * time.Second), start.Add(2 * time.Minute)}, deadlines); diff != "" {
		t.Errorf("both ends are deadlines: -want +got:\n%s", diff)
	}
	for _, tc := range []struct {
		at   time.Time
		want v1alpha1.AnalysisPhase
	}{{deadlines[0].Add(-time.Nanosecond), v1alpha1.AnalysisRunning}, {deadlines[0], v1alpha1.AnalysisPassed}} {
		if got := Run(Input{Spec: s, Status: st, Now: tc.at}).Answer.Verdict; got != tc.want {
			t.Errorf("answer %s after the start is %s, want %s", tc.at.Sub(start), got, tc.want)
		}
	}
	st = playOn(s, st, 4, "o")
	for _, tc := range []struct {
		at   time.Time
		want v1alpha1.AnalysisPhase
	}{{deadlines[1].Add(-time.Nanosecond), v1alpha1.AnalysisRunning}, {deadlines[1], v1alpha1.AnalysisInconclusive}} {
		if got := Run(Input{Spec: s, Status: st, Now: tc.at}).Answer.Verdict; got != tc.want {
			t.Errorf("answer %s after the start is %s, want %s", tc.at.Sub(start), got, tc.want)
		}
	}
}

func TestAnswerOfSeveral(t *testing.T) {
	good, bad := threshold("good", "", "0.05", 3), threshold("bad", "1", "", 5)
	s := spec(good, bad)
	s.Question = ask(1, 0, time.Hour)
	if got := play(s, "iii").Answer; got.Verdict != v1alpha1.AnalysisRunning || got.Message != "bad 0.01 < min 1 for 3 of 5 blocks" {
		t.Errorf("every metric has to pass; got %s: %q", got.Verdict, got.Message)
	}
	s.DryRun = []string{"bad"}
	if got := play(s, "iii").Answer; got.Verdict != v1alpha1.AnalysisPassed {
		t.Errorf("a dry run decides nothing; got %s: %q", got.Verdict, got.Message)
	}
	s.DryRun, s.Question = []string{"*"}, ask(0, 0, time.Hour)
	if got := play(s, "").Answer; got.Verdict != v1alpha1.AnalysisPassed {
		t.Errorf("nothing but dry runs holds nothing up; got %s: %q", got.Verdict, got.Message)
	}
	s.Question = nil
	if got := play(s, "iii").Answer; got != nil {
		t.Errorf("no question, no answer; got %+v", got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Second: "10s",
		time.Hour + 30*time.Minute: "1h30m", 0: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span = %q, want %q", got, want)
		}
	}
}
