// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"testing"

	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryGoodRelease: a good version goes from 5 to 25 to 50 to 100 %, each
// time after an analysis, and stays.
func TestStoryGoodRelease(t *testing.T) {
	t.Parallel()
	s := tell(t, "good-release")
	s.open(fourWeights(s)...)
	s.truth("carries all traffic")

	generation := s.release(harness.Version("v2"))
	for _, percent := range []int32{5, 25, 50} {
		s.reaches("v2", percent)
		s.truth()
	}
	s.promoted(generation)
	s.share("v2", 100)

	s.wasAt("v2", 5, 25, 50, 100)
	s.neverBack("v2")
	s.truth("carries all traffic")
	s.plugin(0, "status", harness.Name, "--wait", "--timeout", "30s")
	r := s.seen.Latest()
	if len(r.Status.History) == 0 || r.Status.History[0].Cause != "Promoted" || r.Status.History[0].Revision != s.hash("v2") {
		t.Errorf("history %+v, want it to begin with v2 promoted", r.Status.History)
	}
}

// fourWeights are the steps of a careful release, each weight with an analysis.
func fourWeights(s *story) []harness.Modifier {
	return []harness.Modifier{
		harness.Analysis(s.shop.Cluster.Settings.PrometheusURL),
		harness.Steps(
			harness.Weight(5), harness.Analyze(hold),
			harness.Weight(25), harness.Analyze(hold),
			harness.Weight(50), harness.Analyze(hold),
			harness.Weight(100), harness.Analyze(hold),
		),
	}
}
