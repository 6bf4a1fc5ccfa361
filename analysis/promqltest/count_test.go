// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/prometheus"
)

func TestCount(t *testing.T) {
	const block = 30 * time.Second
	tests := map[string]struct {
		reason string
		// samples are taken every 15s.
		samples string
		series  string
		// first is the end of the first block.
		first time.Duration
		want  string
		// increase, if set, is what sum(increase(series[block])) says of the same blocks: why it is not used.
		increase string
	}{
		"first errors": {
			reason: "the burst with which an error series is born counts whole",
			samples: `r_total{instance="a",code="200"} 0+100x8
				r_total{instance="a",code="500"} _ _ _ _ 37 74 111 111 111`,
			series: `r_total{code="500"}`, first: 60 * time.Second,
			want: "37, 74, 0", increase: "none, 74, 0",
		},
		"slow errors": {
			reason: "counts are whole, and add up to the counter's growth of 8",
			samples: `r_total{instance="a",code="200"} 0+100x8
				r_total{instance="a",code="500"} 101 101 104 104 104 105 109 109 109`,
			series: `r_total{code="500"}`, first: 45 * time.Second,
			want: "3, 1, 4", increase: "0, 2, 0",
		},
		"reset": {
			reason:  "a restarted process counts what it shows since: at least that much happened",
			samples: `r_total{instance="a"} 700 720 740 20 80 140 200`,
			series:  `r_total`, first: 60 * time.Second,
			want: "80, 120",
		},
		"new pod": {
			reason: "what a pod did before it was first scraped is nobody's block; after that it is exact",
			samples: `r_total{instance="a"} 0+10x8
				r_total{instance="b"} _ _ _ 1000+20x5`,
			series: `r_total`, first: 60 * time.Second,
			want: "20, 60, 60",
		},
		"scrape gap": {
			reason:  "after ten minutes without scrapes the first block has no answer and the next is exact",
			samples: `r_total{instance="a"} 0 100 200 _x40 9999 10099 10199 10299`,
			series:  `r_total`, first: 660 * time.Second,
			want: "none, 200",
		},
		"short outage": {
			reason:  "a minute without scrapes loses nothing: the first block after it has all of its events",
			samples: `r_total{instance="a"} 0 10 20 _ _ _ _ 75 85 95 105`,
			series:  `r_total`, first: 30 * time.Second,
			want: "20, 0, 0, 65, 20",
		},
		"series away": {
			reason: "a series that comes back after two minutes goes on where it was",
			samples: `r_total{instance="a",code="200"} 0+100x20
				r_total{instance="a",code="500"} 4980 5000 stale _ _ _ _ _ _ _ 5007 5007`,
			series: `r_total{code="500"}`, first: 120 * time.Second,
			want: "none, 7",
		},
		"pod gone": {
			reason: "the pods that are left count on; the sum never falls",
			samples: `r_total{instance="a"} 0+10x8
				r_total{instance="b"} 500+20x3 stale _ _ _ _`,
			series: `r_total`, first: 30 * time.Second,
			want: "60, 20, 20",
		},
		"all pods gone": {
			reason:  "nobody left to ask is no answer, not zero",
			samples: `r_total{instance="a"} 0+10x3 stale _ _ _`,
			series:  `r_total`, first: 30 * time.Second,
			want: "20, none",
		},
		"never an error": {
			reason:  "no error series gives nothing, which the caller takes as none of the requests",
			samples: `r_total{instance="a",code="200"} 0+60x4`,
			series:  `r_total{code="500"}`, first: 30 * time.Second,
			want: "none, none",
		},
		"requests without an error": {
			reason:  "the requests themselves are all there",
			samples: `r_total{instance="a",code="200"} 0+60x4`,
			series:  `r_total`, first: 30 * time.Second,
			want: "120, 120",
		},
		"no traffic": {
			reason:  "a counter that stands still is zero requests, which is an answer",
			samples: `r_total{instance="a"} 7 7 7 7`,
			series:  `r_total`, first: 30 * time.Second,
			want: "0",
		},
		"not a number": {
			reason:  "a broken sample stays visible: the caller must refuse it",
			samples: `r_total{instance="a"} 0 10 NaN`,
			series:  `r_total`, first: 30 * time.Second,
			want: "NaN",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := load(t, "load 15s\n"+tc.samples)
			n := len(strings.Split(tc.want, ", "))
			count := prometheus.Counter{Block: block, Present: selector(t, "r_total")}
			if diff := cmp.Diff(tc.want, h.blocks(t, count.Count(selector(t, tc.series)), tc.first, block, n)); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if tc.increase == "" {
				return
			}
			if diff := cmp.Diff(tc.increase, h.blocks(t, fmt.Sprintf("sum(increase(%s[30s]))", tc.series), tc.first, block, n)); diff != "" {
				t.Errorf("increase() for comparison: -want +got:\n%s", diff)
			}
		})
	}
}
