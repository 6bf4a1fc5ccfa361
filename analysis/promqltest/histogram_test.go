// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/prometheus"
)

// latency is the one histogram of these tests: 100 requests in every 15s, of which 90 take at most 0.3 s.
const latency = `load 15s
	d_seconds_count{instance="a"}                 0+100x4
	d_seconds_bucket{instance="a",le="0.1"}       0+50x4
	d_seconds_bucket{instance="a",le="0.3"}       0+90x4
	d_seconds_bucket{instance="a",le="1.0"}       0+99x4
	d_seconds_bucket{instance="a",le="+Inf"}      0+100x4
	d_seconds_count{instance="b"}                 0+10x4
	d_seconds_bucket{instance="b",le="0.1"}       0+10x4
	d_seconds_bucket{instance="b",le="0.3"}       0+10x4
	d_seconds_bucket{instance="b",le="1"}         0+10x4
	d_seconds_bucket{instance="b",le="+Inf"}      0+10x4
	d_milliseconds_count{instance="a"}            0+7x4
	d_milliseconds_bucket{instance="a",le="300"}  0+5x4
	d_milliseconds_bucket{instance="a",le="3000"} 0+7x4
	d_bytes_count{instance="a"}                   0+2x4
	d_bytes_bucket{instance="a",le="1e+06"}       0+1x4
	d_bytes_bucket{instance="a",le="2000000.0"}   0+2x4`

func TestClassicHistogram(t *testing.T) {
	h := load(t, latency)
	tests := map[string]struct {
		reason, histogram string
		edge              float64
		observed, within  string
	}{
		"fraction": {
			reason:    "an edge that is no whole number has one form",
			histogram: "d_seconds", edge: 0.3, observed: "220", within: "200",
		},
		"whole number": {
			reason:    "Prometheus 3 writes 1.0 where 2 wrote 1; both count, and 10 is another edge",
			histogram: "d_seconds", edge: 1, observed: "220", within: "218",
		},
		"arm": {
			reason:    "labels select",
			histogram: `d_seconds{instance="b"}`, edge: 0.3, observed: "20", within: "20",
		},
		"milliseconds": {
			reason:    "300 is not 3000",
			histogram: "d_milliseconds", edge: 300, observed: "14", within: "10",
		},
		"great": {
			reason:    "great edges are written with an exponent",
			histogram: "d_bytes", edge: 1e6, observed: "4", within: "2",
		},
		"great and long": {
			reason:    "or without one, as Java does",
			histogram: "d_bytes", edge: 2e6, observed: "4", within: "4",
		},
		"no edge": {
			reason:    "nothing is interpolated: where no bucket ends there is no answer",
			histogram: "d_seconds", edge: 0.2, observed: "220", within: none,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := selector(t, tc.histogram)
			count := prometheus.Counter{Block: 30 * time.Second, Present: selector(t, `{__name__="d_seconds_count"}`)}
			got := []string{
				h.ask(t, count.Observed(s), time.Minute),
				h.ask(t, count.Within(s, tc.edge), time.Minute),
			}
			if diff := cmp.Diff([]string{tc.observed, tc.within}, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEdges(t *testing.T) {
	h := load(t, latency)
	if got := h.labels(t, prometheus.EdgesQuery(selector(t, `d_seconds{instance="a"}`)), "le", time.Minute); got != "+Inf 0.1 0.3 1.0" {
		t.Errorf("Edges: le %s, want all of the histogram's", got)
	}
}

func TestNativeHistogram(t *testing.T) {
	// Schema 0: buckets end at 1, 2, 4, 8. A step adds 3 observations up to 1, 5 up to 2 and 2 up to 4.
	const grows = `n{instance="a"} {{schema:0 count:100 sum:200 buckets:[30 50 20]}}+{{schema:0 count:10 sum:20 buckets:[3 5 2]}}x6`
	tests := map[string]struct {
		reason, samples  string
		bound            float64
		at               time.Duration
		observed, within string
	}{
		"at an edge": {
			reason:  "where a bucket ends, the answer is whole",
			samples: grows, bound: 2, at: time.Minute,
			observed: "20", within: "16",
		},
		"all": {
			reason:  "beyond the last bucket lies nothing",
			samples: grows, bound: 64, at: time.Minute,
			observed: "20", within: "20",
		},
		"between edges": {
			reason:  "within a bucket observations are taken as spread evenly by their logarithm",
			samples: grows, bound: 2.8284271247461903, at: time.Minute,
			observed: "20", within: "18",
		},
		"born within the block": {
			reason: "a histogram that appears on a target that was there counts whole",
			samples: `up{instance="a"} 1 1 1 1 1
				n{instance="a"} _ _ _ {{schema:0 count:10 sum:20 buckets:[3 5 2]}} {{schema:0 count:20 sum:40 buckets:[6 10 4]}}`,
			bound: 2, at: time.Minute, observed: "20", within: "16",
		},
		"reset": {
			reason: "a histogram that fell counts what it shows since",
			samples: `n{instance="a"} {{schema:0 count:100 sum:200 buckets:[30 50 20]}}x2 {{schema:0 count:10 sum:20 buckets:[3 5 2]}} {{schema:0 count:20 sum:40 buckets:[6 10 4]}}
				up{instance="a"} 1 1 1 1 1`,
			bound: 2, at: time.Minute, observed: "20", within: "16",
		},
		"empty": {
			reason: "a histogram without observations is no observation, not NaN",
			samples: `n{instance="a"} {{schema:0 count:0 sum:0}}x5
				n{instance="b"} {{schema:0 count:100 sum:200 buckets:[30 50 20]}}+{{schema:0 count:10 sum:20 buckets:[3 5 2]}}x6`,
			bound: 2, at: time.Minute, observed: "20", within: "16",
		},
		"gone": {
			reason:  "no answer when nobody is left",
			samples: `n{instance="a"} {{schema:0 count:100 sum:200 buckets:[30 50 20]}}x2 stale _ stale`,
			bound:   2, at: time.Minute, observed: none, within: none,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := load(t, "load 15s\n"+tc.samples)
			present := "n"
			if strings.Contains(tc.samples, "up{") {
				present = "up"
			}
			count := prometheus.Counter{Block: 30 * time.Second, Present: selector(t, present)}
			n := selector(t, "n")
			got := []string{h.ask(t, count.NativeObserved(n), tc.at), h.ask(t, count.NativeWithin(n, tc.bound), tc.at)}
			if diff := cmp.Diff([]string{tc.observed, tc.within}, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}
