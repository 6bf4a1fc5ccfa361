// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSelector(t *testing.T) {
	tests := map[string]struct {
		reason, text string
		want         string
		err          string
	}{
		"plain": {
			reason: "a name is a selector",
			text:   "r_total", want: "r_total",
		},
		"matchers": {
			reason: "all matchers are kept",
			text:   `( r_total{code=~"5..", app!="x",} )`, want: `r_total{app!="x",code=~"5.."}`,
		},
		"name among the labels": {
			reason: "the name may stand anywhere",
			text:   `{__name__="r_total",app="x"}`, want: `r_total{app="x"}`,
		},
		"name in quotes": {
			reason: "names from OpenTelemetry need quotes",
			text:   `{"http.requests",app="x"}`, want: `{__name__="http.requests",app="x"}`,
		},
		"rate": {
			reason: "rates are no counts, wherever they hide",
			text:   `sum(rate(r_total[1m]))`,
			err: `"sum(rate(r_total[1m]))" uses rate(), which guesses beyond the samples and misses the first errors of a series; ` +
				`write the counter's selector alone, such as requests_total{code=~"5.."}`,
		},
		"increase": {
			reason: "increase guesses as well",
			text:   `increase(r_total[1m])`,
			err: `"increase(r_total[1m])" uses increase(), which guesses beyond the samples and misses the first errors of a series; ` +
				`write the counter's selector alone, such as requests_total{code=~"5.."}`,
		},
		"sum": {
			reason: "a sum taken before resets are seen hides them",
			text:   `sum(r_total)`,
			err:    `"sum(r_total)" is an expression where the selector of a counter is needed; write one such as requests_total{code=~"5.."}`,
		},
		"range": {
			reason: "the block is the range",
			text:   `r_total[5m]`,
			err:    `"r_total[5m]" selects a range; leave out the [...], the block says how far to look`,
		},
		"offset": {
			reason: "blocks have times of their own",
			text:   `r_total offset 5m`,
			err:    `"r_total offset 5m" looks at another time; leave out offset and @, blocks have times of their own`,
		},
		"at": {
			reason: "so it is with @",
			text:   `r_total @ 5`,
			err:    `"r_total @ 5" looks at another time; leave out offset and @, blocks have times of their own`,
		},
		"nameless": {
			reason: "several metrics would be mixed up",
			text:   `{app="x"}`,
			err:    `"{app=\"x\"}" names no metric; write its name before the braces, such as requests_total{...}`,
		},
		"names": {
			reason: "several metrics would be mixed up",
			text:   `{__name__=~"r_.*"}`,
			err:    `"{__name__=~\"r_.*\"}" names no metric; write its name before the braces, such as requests_total{...}`,
		},
		"typo": {
			reason: "the parser's own words say where",
			text:   `r_total{app=x}`,
			err: `"r_total{app=x}" is not PromQL (1:13: parse error: unexpected identifier "x" in label matching, expected string); ` +
				`write a selector such as requests_total{code=~"5.."}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSelector(tc.text)
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("%s: -want error +got:\n%s", tc.reason, diff)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, s.String()); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCounterReads(t *testing.T) {
	c := Counter{Block: 90 * time.Second, Present: Select("up"), Targets: []string{"pod", "k8s.cluster"}}
	tests := map[string]struct{ query, want string }{
		"count": {
			c.Count(Select("r_total", Label{"app", "x"})),
			`sum((((r_total{app="x"} - last_over_time(r_total{app="x"}[15m] offset 1m30s)) >= 0) or r_total{app="x"}) ` +
				`and on (pod, "k8s.cluster") (up offset 1m30s))`,
		},
		"within": {
			Counter{Block: 10 * time.Second, Present: Select("up")}.Within(Select("d"), 300),
			`sum((((d_bucket{le=~"300|300\\.0"} - last_over_time(d_bucket{le=~"300|300\\.0"}[15m] offset 10s)) >= 0) or d_bucket{le=~"300|300\\.0"}) ` +
				`and on (instance) (up offset 10s))`,
		},
	}
	for name, tc := range tests {
		if diff := cmp.Diff(tc.want, tc.query); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestBracket(t *testing.T) {
	none, inf := math.NaN(), math.Inf(1)
	tests := map[string]struct {
		reason       string
		edges        []float64
		bound        float64
		below, above float64
	}{
		"between": {"both neighbours, whatever the order", []float64{inf, 0.5, 1, 0.25, 0.1}, 0.3, 0.25, 0.5},
		"exact":   {"an edge brackets itself", []float64{0.1, 0.3, 1, inf}, 0.3, 0.3, 0.3},
		"above":   {"beyond the last edge only +Inf is left, and that is none", []float64{0.1, 0.3, inf}, 2, 0.3, none},
		"below":   {"there may be none below", []float64{0.1, 0.3, inf}, 0.05, none, 0.1},
		"empty":   {"no histogram, no edges", nil, 0.3, none, none},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			below, above := Bracket(tc.edges, tc.bound)
			same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
			if !same(below, tc.below) || !same(above, tc.above) {
				t.Errorf("%s: got %g and %g, want %g and %g", tc.reason, below, above, tc.below, tc.above)
			}
		})
	}
}
