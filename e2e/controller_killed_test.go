// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryControllerKilled: the controller is killed without grace while a
// weight is on its way and again in the middle of an analysis. Nothing but
// time is lost. It runs alone: the other stories share the controller.
func TestStoryControllerKilled(t *testing.T) {
	s := tell(t, "controller-killed")
	s.open(
		harness.Analysis(s.shop.Cluster.Settings.PrometheusURL),
		harness.Steps(harness.Weight(25), harness.Analyze(hold), harness.Weight(50), harness.Analyze(hold)),
	)
	generation := s.release(harness.Version("v2"))

	// As soon as the route carries the weight, and before it is confirmed.
	s.routed(25)
	s.kill("killed", s.shop.Cluster.KillController)
	s.reaches("v2", 25)
	// In the middle of the analyze step.
	s.wait("the analysis of 25 %", func(r *rollout) bool {
		return r.Status.CurrentStep != nil && r.Status.CurrentStep.Index == 1
	})
	s.kill("removed", func(ctx context.Context) (string, error) {
		return "deletion without grace", s.shop.Cluster.DeleteController(ctx)
	})
	s.promoted(generation)
	s.share("v2", 100)

	s.wasAt("v2", 25, 50, 100)
	s.neverBack("v2")
	s.truth("carries all traffic")
	if restarts := s.seen.Latest().Status.Release; restarts != 2 {
		t.Errorf("release %d, want 2: a restart must not begin another", restarts)
	}
}

// routed waits until the route itself carries a weight for the canary.
func (s *story) routed(percent int32) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("the route to carry %d %%", percent), func(context.Context) (bool, string, error) {
		points := s.seen.Points()
		last := points[len(points)-1]
		return last.Route == percent, last.Message, nil
	}))
}

// kill ends the controller in some way, and notes when another was there.
func (s *story) kill(verb string, end func(context.Context) (string, error)) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	start, message := time.Now(), s.seen.Latest().Status.Message
	how, err := end(ctx)
	s.must(err)
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("controller %s by %s at %q, another ready after %s",
		verb, how, message, time.Since(start).Round(100*time.Millisecond)))
}
