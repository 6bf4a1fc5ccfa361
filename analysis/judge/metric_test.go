// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

var start = time.Unix(1_700_000_000, 0)

func TestOutcome(t *testing.T) {
	const in, out, none = v1alpha1.OutcomeInBounds, v1alpha1.OutcomeOutOfBounds, v1alpha1.OutcomeNoData
	tests := map[string]struct {
		reason, value, message string
		min, max               string
		outcome                v1alpha1.MeasurementOutcome
		want                   string
	}{
		"below max":        {"in bounds", "0.01", "", "", "0.05", in, ""},
		"at max":           {"bounds belong to what they bound", "0.05", "", "", "0.05", in, ""},
		"above max":        {"out of bounds", "0.0500001", "", "", "0.05", out, ""},
		"below min":        {"out of bounds", "0.98", "", "0.99", "", out, ""},
		"at min":           {"bounds belong to what they bound", "0.99", "", "0.99", "", in, ""},
		"between":          {"both bounds hold", "5", "", "1", "10", in, ""},
		"above both":       {"both bounds hold", "11", "", "1", "10", out, ""},
		"exponent":         {"decimal numbers may have one", "1e-3", "", "", "0.05", in, ""},
		"negative":         {"a number like any other", "-1", "", "0", "", out, ""},
		"nothing":          {"no value is not zero", "", "the query gives nothing", "", "0.05", none, "the query gives nothing"},
		"unexplained":      {"every lack is explained", "", "", "", "0.05", none, `the value "" is not a finite number; change the query so that it always gives one`},
		"NaN":              {"NaN compares false and must not fail", "NaN", "", "", "0.05", none, `the value "NaN" is not a finite number; change the query so that it always gives one`},
		"infinite":         {"+Inf would pass any minimum", "+Inf", "", "0.99", "", none, `the value "+Inf" is not a finite number; change the query so that it always gives one`},
		"no number":        {"text is no value", "many", "", "", "0.05", none, `the value "many" is not a finite number; change the query so that it always gives one`},
		"too large":        {"a value beyond floats is no number", "1e999", "", "", "0.05", none, `the value "1e999" is not a finite number; change the query so that it always gives one`},
		"value and reason": {"a value needs no excuse", "0.01", "left over", "", "0.05", in, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := Outcome(threshold("m", tc.min, tc.max, 3), v1alpha1.Measurement{At: metav1.NewTime(start), Value: tc.value, Message: tc.message})
			want := v1alpha1.Measurement{At: metav1.NewTime(start), Value: tc.value, Outcome: tc.outcome, Message: tc.want}
			if tc.outcome == none {
				want.Value = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMetric writes rows of measurements as letters: i within bounds, o out of
// bounds, - no data.
func TestMetric(t *testing.T) {
	tests := map[string]struct {
		reason, row string
		want        v1alpha1.MetricVerdict
		message     string
	}{
		"nothing yet":               {"before the first measurement", "", v1alpha1.MetricPending, "not measured yet"},
		"first good":                {"one is not enough", "i", v1alpha1.MetricUndecided, "0.01 ≤ max 0.05 for 1 of 3 blocks"},
		"enough good":               {"three in a row pass", "iii", v1alpha1.MetricPassing, "0.01 ≤ max 0.05 for 3 of 3 blocks"},
		"more than enough":          {"the count in the text ends at what is needed", "iiiiii", v1alpha1.MetricPassing, "0.01 ≤ max 0.05 for 3 of 3 blocks"},
		"passing is not final":      {"it must hold now", "iiio", v1alpha1.MetricUndecided, "0.12 > max 0.05 for 1 of 3 blocks"},
		"two bad":                   {"not yet", "oo", v1alpha1.MetricUndecided, "0.12 > max 0.05 for 2 of 3 blocks"},
		"three bad":                 {"three in a row fail", "iooo", v1alpha1.MetricFailed, "0.12 > max 0.05 for 3 of 3 blocks"},
		"failed is final":           {"what comes later does not heal it", "oooiii", v1alpha1.MetricFailed, "0.12 > max 0.05 for 3 of 3 blocks"},
		"bad, good, bad":            {"a good one ends the row", "ooioo", v1alpha1.MetricUndecided, "0.12 > max 0.05 for 2 of 3 blocks"},
		"no data":                   {"neither pass nor failure", "-", v1alpha1.MetricNoData, "gone"},
		"no data for long":          {"however long", "----------", v1alpha1.MetricNoData, "gone"},
		"no data after good":        {"three good attempts are needed without a gap", "ii-i", v1alpha1.MetricUndecided, "0.01 ≤ max 0.05 for 1 of 3 blocks"},
		"passing, then no data":     {"it must hold now", "iii-", v1alpha1.MetricNoData, "gone"},
		"no data between bad":       {"a gap does not excuse", "oo-o", v1alpha1.MetricFailed, "0.12 > max 0.05 for 3 of 3 blocks"},
		"no data is not a bad one":  {"a gap does not accuse", "oo-", v1alpha1.MetricNoData, "gone"},
		"gap among bad, then good":  {"a good one ends the row", "oo-io", v1alpha1.MetricUndecided, "0.12 > max 0.05 for 1 of 3 blocks"},
		"back after a lack of data": {"counted from there", "---iii", v1alpha1.MetricPassing, "0.01 ≤ max 0.05 for 3 of 3 blocks"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := threshold("m", "", "0.05", 3)
			got := play(spec(m), tc.row).Metrics[0]
			if got.Verdict != tc.want || got.Message != tc.message {
				t.Errorf("%s: %s is %s: %q, want %s: %q", tc.reason, tc.row, got.Verdict, got.Message, tc.want, tc.message)
			}
		})
	}
}

func TestFoldCounts(t *testing.T) {
	got := play(spec(threshold("m", "", "0.05", 5)), "io--iiiiiiiiiii-ii").Metrics[0]
	at := func(n int) *metav1.Time { at := metav1.NewTime(blockEnd(n)); return &at }
	want := v1alpha1.MetricStatus{
		Name: "m", Verdict: v1alpha1.MetricUndecided, Message: "0.01 ≤ max 0.05 for 2 of 5 blocks",
		InBounds: 14, OutOfBounds: 1, NoData: 3, ConsecutiveIn: 2, ConsecutiveInSince: at(17),
	}
	for n := 9; n <= 18; n++ {
		want.Measurements = append(want.Measurements, Outcome(threshold("m", "", "0.05", 5), taken(n, "i")))
	}
	want.Measurements[7] = v1alpha1.Measurement{At: *at(16), Outcome: v1alpha1.OutcomeNoData} // why is said of the latest only
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ten measurements are kept, the rest is counted: -want +got:\n%s", diff)
	}

	got = play(spec(threshold("m", "", "0.05", 5)), "oo--").Metrics[0]
	if got.ConsecutiveOut != 2 || !got.NoDataSince.Equal(at(3)) {
		t.Errorf("consecutiveOut %d, noDataSince %s; want 2, since the third block", got.ConsecutiveOut, got.NoDataSince)
	}
}

func TestCompare(t *testing.T) {
	tests := map[string]struct {
		min, max string
		value    float64
		want     string
	}{
		"four digits":         {"", "0.05", 0.00212345678, "0.002123 ≤ max 0.05"},
		"just above":          {"", "0.01", 0.0100000001, "0.0100000001 > max 0.01"},
		"just below":          {"0.99", "", 0.9899999, "0.9899999 < min 0.99"},
		"equal":               {"0.99", "", 0.99, "0.99 ≥ min 0.99"},
		"between":             {"1", "10", 4.5678901, "4.568 between min 1 and max 10"},
		"zero":                {"", "0.01", 0, "0 ≤ max 0.01"},
		"large":               {"", "2000000", 1234567, "1235000 ≤ max 2000000"},
		"tiny":                {"", "0.01", 0.00000000012345, "1.234e-10 ≤ max 0.01"},
		"bound with exponent": {"", "1e-3", 0.5, "0.5 > max 0.001"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := boundsOf(threshold("m", tc.min, tc.max, 1))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.compare(tc.value); got != tc.want {
				t.Errorf("compare = %q, want %q", got, tc.want)
			}
		})
	}
}

// threshold is a metric; empty bounds are absent.
func threshold(name, low, high string, consecutive int32) v1alpha1.Metric {
	m := v1alpha1.Metric{Name: name, Threshold: &v1alpha1.Threshold{Query: "up", Consecutive: consecutive}}
	if low != "" {
		m.Threshold.Min = &low
	}
	if high != "" {
		m.Threshold.Max = &high
	}
	return m
}

func spec(ms ...v1alpha1.Metric) v1alpha1.AnalysisRunSpec {
	return v1alpha1.AnalysisRunSpec{Metrics: ms, Block: v1alpha1.Duration{Duration: 10 * time.Second}}
}

// play runs blocks, one for each letter of the row, with the same letter for all metrics.
func play(s v1alpha1.AnalysisRunSpec, row string) v1alpha1.AnalysisRunStatus {
	st := Run(Input{Spec: s, Now: start})
	return playOn(s, st, 1, row)
}

// playOn goes on with block n.
func playOn(s v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, n int, row string) v1alpha1.AnalysisRunStatus {
	for i := range len(row) {
		all := map[string]v1alpha1.Measurement{}
		for _, m := range s.Metrics {
			all[m.Name] = taken(n+i, row[i:i+1])
		}
		st = Run(Input{Spec: s, Status: st, Now: blockEnd(n + i), Taken: all})
	}
	return st
}

// taken is a measurement in block n: i is 0.01, o is 0.12, - is none.
func taken(n int, letter string) v1alpha1.Measurement {
	x := v1alpha1.Measurement{At: metav1.NewTime(blockEnd(n))}
	switch letter {
	case "i":
		x.Value = "0.01"
	case "o":
		x.Value = "0.12"
	default:
		x.Message = "gone"
	}
	return x
}

func blockEnd(n int) time.Time { return start.Add(time.Duration(n) * 10 * time.Second) }
