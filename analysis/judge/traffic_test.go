// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// A question that the traffic can't answer in time is known to be one after
// three blocks, with what helps; slow evidence for other reasons is not blamed on it.
func TestTooLittleTraffic(t *testing.T) {
	const helps = "; give the canary a higher weight before, allow more time, send synthetic load, or loosen maxBurnRate; onInconclusive: Promote goes on with what is known then"
	tests := map[string]struct {
		reason string
		rows   [][4]float64
		most   time.Duration
		change func(*v1alpha1.AnalysisRunSpec)
		want   string
	}{
		"1 request in 5 s": {
			"180 requests in 15 minutes are less than 200", times(3, [4]float64{0, 2, 0, 18}), 15 * time.Minute, nil,
			"availability: passing takes about 200 requests, and at about 0.2 a second the canary gets 180 within maxDuration 15m" + helps,
		},
		"just enough":   {"200 in 17 minutes", times(3, [4]float64{0, 2, 0, 18}), 17 * time.Minute, nil, ""},
		"not known yet": {"two blocks may be chance", times(2, [4]float64{0, 2, 0, 18}), 15 * time.Minute, nil, ""},
		"no request": {
			"nothing comes", times(3, [4]float64{0, 0, 0, 18}), 15 * time.Minute, nil,
			"availability: passing takes about 200 requests, and at about 0 a second the canary gets 0 within maxDuration 15m" + helps,
		},
		"bad requests":  {"errors are no lack of traffic", times(6, [4]float64{1, 10, 9, 90}), 15 * time.Minute, nil, ""},
		"dry run":       {"what decides nothing needs nothing", times(3, [4]float64{0, 2, 0, 18}), 15 * time.Minute, func(s *v1alpha1.AnalysisRunSpec) { s.DryRun = []string{"*"} }, ""},
		"no end":        {"without a limit time helps", times(3, [4]float64{0, 2, 0, 18}), 0, nil, ""},
		"comes back":    {"a warning that was given stays while it is not passed", append(times(3, [4]float64{0, 2, 0, 18}), times(3, [4]float64{0, 5, 0, 45})...), 15 * time.Minute, nil, "availability: passing takes about 200 requests, and at about 0.2 a second the canary gets 180 within maxDuration 15m" + helps},
		"passed anyway": {"what has passed needs no warning", append(times(3, [4]float64{0, 2, 0, 18}), times(3, [4]float64{0, 100, 0, 900})...), 15 * time.Minute, nil, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := slo()
			spec.Question = asked(0, 10)
			spec.Question.MaxDuration = v1alpha1.Duration{Duration: tc.most}
			if tc.change != nil {
				tc.change(&spec)
			}
			g := newGame(t, spec)
			g.rows(tc.rows...)
			if got := g.status.Answer.Warning; got != tc.want {
				t.Errorf("%s: warning %q, want %q; %s", tc.reason, got, tc.want, g.status.Message)
			}
		})
	}
}
