// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/prometheus"
)

// serve puts the HTTP API in front of a history, as far as the provider uses it.
func (h history) serve(t *testing.T) analysis.Target {
	t.Helper()
	seconds := func(r *http.Request, name string) time.Time {
		s, err := strconv.ParseFloat(r.FormValue(name), 64)
		if err != nil {
			t.Errorf("%s=%q: %v", name, r.FormValue(name), err)
		}
		return time.UnixMilli(int64(s * 1000))
	}
	answer := func(w http.ResponseWriter, q promql.Query, err error) {
		if err != nil {
			t.Errorf("query: %v", err)
			return
		}
		defer q.Close()
		result := q.Exec(t.Context())
		if result.Err != nil {
			t.Errorf("query %s: %v", q, result.Err)
			return
		}
		kind := map[parser.ValueType]string{parser.ValueTypeVector: "vector", parser.ValueTypeMatrix: "matrix", parser.ValueTypeScalar: "scalar"}[result.Value.Type()]
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result.Value}}); err != nil {
			t.Errorf("encode: %v", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		q, err := h.engine.NewInstantQuery(t.Context(), h.storage, nil, r.FormValue("query"), seconds(r, "time"))
		answer(w, q, err)
	})
	mux.HandleFunc("/api/v1/query_range", func(w http.ResponseWriter, r *http.Request) {
		step, err := strconv.ParseFloat(r.FormValue("step"), 64)
		if err != nil {
			t.Errorf("step: %v", err)
		}
		q, err := h.engine.NewRangeQuery(t.Context(), h.storage, nil, r.FormValue("query"), seconds(r, "start"), seconds(r, "end"), time.Duration(step*float64(time.Second)))
		answer(w, q, err)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return analysis.Target{Address: server.URL}
}

func at(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }

// TestLearnAndCount runs what the controller does against the real engine: a
// stable version with an hour of history, and a canary that is born after it.
func TestLearnAndCount(t *testing.T) {
	// Stable: 900 requests and 9 errors in 15s. Canary: from minute 70 on, 100 requests; errors from minute 75 on.
	h := load(t, `load 15s
requests_total{track="stable",code="200",instance="s"} 0+891x400
requests_total{track="stable",code="500",instance="s"} 0+9x400
requests_total{track="canary",code="200",instance="c"} _x280 0+100x20 2095+95x99
requests_total{track="canary",code="500",instance="c"} _x301 5+5x99
`)
	target := h.serve(t)
	p := prometheus.New(prometheus.Options{})
	want := analysis.Counted{
		Canary: analysis.Series{Total: `requests_total{track="canary"}`, Bad: `requests_total{track="canary",code="500"}`},
		Stable: analysis.Series{Total: `requests_total{track="stable"}`, Bad: `requests_total{track="stable",code="500"}`},
		Block:  10 * time.Second, History: true, Begin: at(71 * time.Minute),
	}
	if err := p.Check(want); err != nil {
		t.Fatal(err)
	}
	l, ok, err := p.Learn(t.Context(), target, want, at(71*time.Minute))
	if err != nil || !ok {
		t.Fatalf("Learn: %v, %v", ok, err)
	}
	if l.Block != 15*time.Second || l.Interval != 15*time.Second {
		t.Errorf("block %s by an interval of %s, want 15s", l.Block, l.Interval)
	}
	if len(l.History) < 200 {
		t.Fatalf("%d blocks of history, want an hour of them", len(l.History))
	}
	for _, b := range l.History[10:] {
		if b != [2]float64{9, 900} {
			t.Fatalf("stable's history has a block %v, want 9 of 900", b)
		}
	}
	type row struct{ EC, NC, ES, NS string }
	var got []row
	for _, end := range []time.Duration{72 * time.Minute, 75*time.Minute + 15*time.Second, 75*time.Minute + 30*time.Second} {
		b, err := p.Count(t.Context(), target, want, l, at(end))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row{b.Canary.Bad[0].String(), b.Canary.Total.String(), b.Stable.Bad[0].String(), b.Stable.Total.String()})
	}
	if diff := cmp.Diff([]row{{"", "100", "9", "900"}, {"5", "100", "9", "900"}, {"5", "100", "9", "900"}}, got); diff != "" {
		t.Errorf("before any error, with the first ones, and after: -want +got:\n%s", diff)
	}
}

// TestIntervalBetweenSamples: blocks are no longer than samples are apart, also
// where scraping stood still just before they began. Blocks of a minute for
// samples every 15 s would find a broken canary four times as late.
func TestIntervalBetweenSamples(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, series string
		want           time.Duration
	}{
		"steady":     {"four a minute", "0+10x160", 15 * time.Second},
		"gap":        {"two minutes without, until just before", "0+10x147 _x7 1600+10x3", 15 * time.Second},
		"gap, over":  {"the gap ended two minutes before", "0+10x143 _x4 1600+10x10", 15 * time.Second},
		"first ones": {"the second sample has come", "_x158 0 10", 15 * time.Second},
		"only one":   {"its age is all that is known", "_x157 0 _x2", 45 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := load(t, "load 15s\n"+`requests_total{track="canary",instance="c"} `+tc.series+"\n")
			want := analysis.Counted{Canary: analysis.Series{Total: `requests_total{track="canary"}`, Bad: `requests_total{track="canary",code="500"}`}, Block: time.Second}
			l, ok, err := prometheus.New(prometheus.Options{}).Learn(t.Context(), h.serve(t), want, at(160*15*time.Second))
			if err != nil || !ok || l.Interval != tc.want || l.Block != tc.want {
				t.Errorf("%s: interval %s, block %s, %t, error %v; want %s", tc.reason, l.Interval, l.Block, ok, err, tc.want)
			}
		})
	}
}

// TestLearnEdges runs latency objectives and the comparison of distributions.
func TestLearnEdges(t *testing.T) {
	h := load(t, `load 10s
d_bucket{arm="stable",le="0.1",instance="s"} 0+50x500
d_bucket{arm="stable",le="0.25",instance="s"} 0+90x500
d_bucket{arm="stable",le="0.5",instance="s"} 0+99x500
d_bucket{arm="stable",le="+Inf",instance="s"} 0+100x500
d_count{arm="stable",instance="s"} 0+100x500
d_bucket{arm="canary",le="0.1",instance="c"} 0+1x500
d_bucket{arm="canary",le="0.25",instance="c"} 0+5x500
d_bucket{arm="canary",le="0.5",instance="c"} 0+8x500
d_bucket{arm="canary",le="+Inf",instance="c"} 0+10x500
d_count{arm="canary",instance="c"} 0+10x500
`)
	target := h.serve(t)
	series := func(arm string) analysis.Series {
		return analysis.Series{Total: `d_count{arm="` + arm + `"}`, Bad: `d_count{arm="` + arm + `"}`, Histogram: `d{arm="` + arm + `"}`}
	}
	tests := map[string]struct {
		reason  string
		bound   float64
		compare bool
		edges   []float64
		bad     []string // of the canary, by edge
	}{
		"on an edge":      {"one edge serves both", 0.25, false, []float64{0.25, 0.25}, []string{"5", "5"}},
		"between edges":   {"surely slow above, surely fast below", 0.3, false, []float64{0.5, 0.25}, []string{"2", "5"}},
		"above all":       {"nothing is surely slow, and the history of what is not surely fast is learned", 2, false, []float64{math.NaN(), 0.5}, []string{"", "2"}},
		"below all":       {"nothing is surely fast", 0.01, false, []float64{0.1, math.NaN()}, []string{"9", ""}},
		"stable's spread": {"the edges nearest to its p50, p90 and p99", 0, true, []float64{0.1, 0.25, 0.5}, []string{"9", "5", "2"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p := prometheus.New(prometheus.Options{})
			want := analysis.Counted{
				Canary: series("canary"), Stable: series("stable"), Block: 10 * time.Second,
				Bound: tc.bound, Compare: tc.compare, History: true, Begin: at(70 * time.Minute),
			}
			l, ok, err := p.Learn(t.Context(), target, want, at(70*time.Minute))
			if err != nil || !ok {
				t.Fatalf("%s: Learn: %v, %v", tc.reason, ok, err)
			}
			if diff := cmp.Diff(tc.edges, l.Edges, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("%s: edges -want +got:\n%s", tc.reason, diff)
			}
			b, err := p.Count(t.Context(), target, want, l, at(75*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			var bad []string
			for _, a := range b.Canary.Bad {
				bad = append(bad, a.String())
			}
			if diff := cmp.Diff(tc.bad, bad); diff != "" || b.Canary.Total.String() != "10" {
				t.Errorf("%s: %s requests, bad -want +got:\n%s", tc.reason, b.Canary.Total, diff)
			}
		})
	}
}
