// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryPrometheusUnreachable: while nothing can be measured the release
// holds, says why, and neither promotes nor aborts. It goes on by itself.
func TestStoryPrometheusUnreachable(t *testing.T) {
	t.Parallel()
	s := tell(t, "prometheus-unreachable")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	proxy, err := s.shop.Cluster.NewProxy(ctx)
	s.must(err)
	s.open(
		harness.Analysis(proxy.URL()),
		harness.Steps(harness.Weight(25), harness.Analyze(hold), harness.Weight(50), harness.Analyze(hold)),
	)

	// Out of reach from the start.
	generation := s.release(harness.Version("v2"))
	s.reaches("v2", 25)
	s.holdsAt(25, proxy)
	s.must(proxy.Open(ctx))
	s.reaches("v2", 50)

	// And again, in the middle.
	proxy.Close()
	s.holdsAt(50, proxy)
	s.must(proxy.Open(ctx))
	s.promoted(generation)
	s.share("v2", 100)

	s.wasAt("v2", 25, 50, 100)
	s.neverBack("v2")
	s.truth("carries all traffic")
}

// holdsAt waits until the release holds for want of measurements, and sees that it goes on to hold at a weight.
func (s *story) holdsAt(percent int32, proxy *harness.Proxy) {
	s.Helper()
	holding := func(r *rollout) bool {
		status, reason, _ := condition(r, v1alpha1.ConditionAnalysisHealthy)
		return r.Status.Phase == v1alpha1.PhaseHolding && status == "False" && reason == v1alpha1.ReasonAnalysisNoData &&
			s.confirmed(r, "v2") == percent
	}
	s.wait("the release to hold", holding)
	s.stays("the release holds", hold, holding)
	host := strings.TrimPrefix(proxy.URL(), "http://")
	s.truth(host, "does not answer")
	if abort := s.seen.Latest().Status.Abort; abort != nil {
		s.Errorf("aborted: %+v, want it to hold", abort)
	}
	s.report.Notes = append(s.report.Notes, "held: "+s.seen.Latest().Status.Message)
}
