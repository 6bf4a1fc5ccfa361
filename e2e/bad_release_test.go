// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// TestStoryBadRelease: a version that answers a part of its requests with 5xx
// is taken back by itself, and stays back.
func TestStoryBadRelease(t *testing.T) {
	t.Parallel()
	s := tell(t, "bad-release")
	s.open(
		harness.Analysis(s.shop.Cluster.Settings.PrometheusURL),
		harness.Steps(harness.Weight(20), harness.Analyze(time.Minute), harness.Weight(60), harness.Analyze(time.Minute)),
	)
	generation := s.release(harness.Version("v2"), harness.Faulty("0.4"))
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v2", 0)

	first, _, found := s.traffic.History().Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
	if !found {
		t.Fatal("the bad version answered nothing badly")
	}
	s.rolledBack(first, "v2")
	s.truth("aborted", "server-errors")
	s.plugin(1, "status", harness.Name, "--wait", "--timeout", "30s")

	r := s.seen.Latest()
	abort := r.Status.Abort
	if abort == nil || abort.Reason != v1alpha1.ReasonAnalysisFailed || abort.Revision != s.hash("v2") || !strings.Contains(abort.Message, "0.05") {
		t.Errorf("abort %+v, want one of v2 for its analysis, with the bound 0.05", abort)
	}
	for _, p := range s.seen.Points() {
		if share := p.Requested[s.hash("v2")]; share > 20 {
			t.Errorf("the bad version was given %d %% at %s, want at most the 20 of its first step", share, p.At.Format(time.StampMilli))
		}
	}
}
