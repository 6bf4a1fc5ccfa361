// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnswer(t *testing.T) {
	tests := map[string]struct {
		reason string
		answer Answer
		text   string
		count  int64
		err    string
	}{
		"count":    {"a whole number is a count", Number(37), "37", 37, ""},
		"none":     {"no events are a count too", Number(0), "0", 0, ""},
		"fraction": {"events come whole", Number(2.5), "2.5", 0, "the query gives 2.5 events, which is no whole number; select a counter of events"},
		"negative": {"never fewer than none", Number(-1), "-1", 0, "the query gives -1 events; select a counter, which never falls"},
		"great":    {"beyond 2^53 counts are not exact", Number(1 << 60), "1.152921504606847e+18", 0, "the query gives 1.152921504606847e+18 events, which is no whole number; select a counter of events"},
		"nothing":  {"nothing is not zero", Answer{}, "", 0, "there is no number to count with"},
		"NaN":      {"NaN is not zero", Number(math.NaN()), "", 0, "there is no number to count with"},
		"infinite": {"nor is infinity a number", Number(math.Inf(-1)), "", 0, "there is no number to count with"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			count, err := tc.answer.Count()
			var text string
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff([]any{tc.text, tc.count, tc.err}, []any{tc.answer.String(), count, text}); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}
