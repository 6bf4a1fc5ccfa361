// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeriods(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	v1 := map[string]int32{"a": 100}
	mixed := map[string]int32{"a": 75, "b": 25}
	cases := map[string]struct {
		reason string
		points []Point
		want   []Period
	}{
		"Nothing": {reason: "Without a point there is no period."},
		"Open": {
			reason: "The last period lasts until the end.",
			points: []Point{{At: at(1), Stable: "a", Confirmed: v1, Settled: true}},
			want:   []Period{{From: at(1), To: at(9), Newest: "a", Shares: v1}},
		},
		"Gap": {
			reason: "A time without confirmation belongs to no period.",
			points: []Point{
				{At: at(1), Stable: "a", Confirmed: v1, Settled: true},
				{At: at(2), Stable: "a", Canary: "b"},
				{At: at(4), Stable: "a", Canary: "b", Confirmed: mixed, Settled: true},
			},
			want: []Period{
				{From: at(1), To: at(2), Newest: "a", Shares: v1},
				{From: at(4), To: at(9), Newest: "b", Shares: mixed},
			},
		},
		"Talk": {
			reason: "Another message does not end a period.",
			points: []Point{
				{At: at(1), Stable: "a", Canary: "b", Confirmed: mixed, Settled: true, Message: "x"},
				{At: at(2), Stable: "a", Canary: "b", Confirmed: mixed, Settled: true, Message: "y"},
				{At: at(3), Stable: "a", Canary: "b", Confirmed: mixed},
			},
			want: []Period{{From: at(1), To: at(3), Newest: "b", Shares: mixed}},
		},
		"NewCanary": {
			reason: "The share of another revision is another measurement.",
			points: []Point{
				{At: at(1), Stable: "a", Confirmed: v1, Settled: true},
				{At: at(3), Stable: "a", Canary: "b", Confirmed: v1, Settled: true},
			},
			want: []Period{
				{From: at(1), To: at(3), Newest: "a", Shares: v1},
				{From: at(3), To: at(9), Newest: "b", Shares: v1},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Periods(tc.points, at(9))); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}
