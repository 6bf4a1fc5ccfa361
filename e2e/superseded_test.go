// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStorySuperseded: another version arrives while the canary has 5, 50 and
// 99 % of the traffic. Each time everything goes back to stable before the
// newer one gets anything, and no request meets a version that is gone.
func TestStorySuperseded(t *testing.T) {
	t.Parallel()
	s := tell(t, "superseded")
	s.open(harness.Steps(
		harness.Weight(5), harness.Pause(), harness.Weight(50), harness.Pause(), harness.Weight(99), harness.Pause(),
	))
	for i, percent := range []int32{5, 50, 99} {
		version := fmt.Sprintf("v%d", i+2)
		s.release(harness.Version(version))
		s.climb(version, percent)
		s.share(version, percent)
	}
	generation := s.release(harness.Version("v5"))
	s.climb("v5", 5)
	s.plugin(0, "promote", harness.Name, "--full")
	s.promoted(generation)
	s.share("v5", 100)

	s.neverBack("v5")
	for i := 2; i < 5; i++ {
		s.notBoth(fmt.Sprintf("v%d", i), fmt.Sprintf("v%d", i+1))
	}
	s.truth("carries all traffic")
}

// climb promotes a version from pause to pause until it waits with a weight.
func (s *story) climb(version string, percent int32) {
	s.Helper()
	for range 10 {
		var at int32
		s.wait(version+" to pause", func(r *v1alpha1.Rollout) bool {
			at = s.confirmed(r, version)
			known := s.versions[r.Status.CanaryRevision] == version || s.learn(s.Context()) == nil && s.versions[r.Status.CanaryRevision] == version
			return known && r.Status.Phase == v1alpha1.PhasePaused && at > 0
		})
		if at == percent {
			return
		}
		s.promoteOn()
	}
	s.Fatalf("%s never paused at %d %%", version, percent)
}

// promoteOn ends a pause and waits until the release has left it.
func (s *story) promoteOn() {
	s.Helper()
	step := s.seen.Latest().Status.CurrentStep
	s.plugin(0, "promote", harness.Name)
	s.wait("the next step", func(r *v1alpha1.Rollout) bool {
		return r.Status.CurrentStep == nil || r.Status.CurrentStep.Index > step.Index
	})
}
