// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistory(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	var h History
	// In the order of ending, which is not the order of sending.
	h.add(Record{At: at(1), Version: "v1", Outcome: OK})
	h.add(Record{At: at(3), Version: "v2", Outcome: InjectedFault})
	h.add(Record{At: at(2), Version: "v1", Outcome: OK})
	h.add(Record{At: at(5), Outcome: Failed, Reason: "late"})
	h.add(Record{At: at(4), Version: "v2", Outcome: Failed, Reason: "early"})

	cases := map[string]struct {
		reason   string
		from, to time.Time
		want     Tally
	}{
		"All": {
			reason: "A request that nobody answered has no version.",
			from:   at(0), to: at(9),
			want: Tally{Requests: 5, ByVersion: map[string]int{"v1": 2, "v2": 2}, ByOutcome: map[Outcome]int{OK: 2, InjectedFault: 1, Failed: 2}},
		},
		"Window": {
			reason: "The start belongs to a window, the end does not.",
			from:   at(2), to: at(4),
			want: Tally{Requests: 2, ByVersion: map[string]int{"v1": 1, "v2": 1}, ByOutcome: map[Outcome]int{OK: 1, InjectedFault: 1}},
		},
		"Empty": {
			reason: "Nothing was sent then.",
			from:   at(6), to: at(9),
			want: Tally{ByVersion: map[string]int{}, ByOutcome: map[Outcome]int{}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, h.Count(tc.from, tc.to)); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
	if got := h.FirstFailures(1); len(got) != 1 || got[0].Reason != "early" {
		t.Errorf("FirstFailures(1) = %v, want the one sent first", got)
	}
	first, last, found := h.Span(func(r Record) bool { return r.Version == "v2" })
	if !found || !first.Equal(at(3)) || !last.Equal(at(4)) {
		t.Errorf("Span of v2 = %v, %v, %v, want seconds 3 to 4", first, last, found)
	}
	if _, _, found := h.Span(func(r Record) bool { return r.Version == "v9" }); found {
		t.Error("Span found a version that never answered")
	}
}
