// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestSummaryFitsAColumn(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, position, message, want string
	}{
		"short": {"nothing is left out", "", "waiting for a pod template", "waiting for a pod template"},
		"step":  {"the step has a column of its own", "2/4", "step 2/4: pause: paused until promoted", "pause: paused until promoted"},
		"long": {"it is cut where a word ends", "2/4", "step 2/4: analyze: waiting for the analysis to pass: availability: canary 0 % bad (0/41), stable 0 % (0/360)",
			"analyze: waiting for the analysis to pass: availability: canary 0 % bad …"},
		"one word": {"or within one", "", "https://example.com/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789",
			"https://example.com/0123456789/0123456789/0123456789/0123456789/01234567 …"},
	} {
		s := v1alpha1.RolloutStatus{Message: tc.message}
		if tc.position != "" {
			s.CurrentStep = &v1alpha1.CurrentStep{Position: tc.position}
		}
		if got := summary(s); got != tc.want {
			t.Errorf("%s: %s: %q, want %q", name, tc.reason, got, tc.want)
		}
	}
}

// TestTheEndOfAWaitHasItsDay: a time of day alone would mean today.
func TestTheEndOfAWaitHasItsDay(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		30 * time.Minute: "step 2/3: pause: paused for 30m0s until 12:29:00 UTC",
		48 * time.Hour:   "step 2/3: pause: paused for 48h0m0s until 2026-01-03 11:59:00 UTC",
		9 * time.Hour:    "step 2/3: pause: paused for 9h0m0s until 20:59:00 UTC",
	} {
		pause := v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: wait}}}
		s := scene(inSteps(weightStep(25), pause, weightStep(50)), canaryOf(1, 1, 25), settledNow)
		if got := Decide(s).Status.Message; got != want {
			t.Errorf("says %q, want %q", got, want)
		}
	}
}
