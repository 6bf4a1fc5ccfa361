// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

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
