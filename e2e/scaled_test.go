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

// TestStoryScaled: in the middle of a release somebody scales from 3 to 10 to
// 2 pods. Both revisions follow, the weight stays, and nothing is lost.
func TestStoryScaled(t *testing.T) {
	t.Parallel()
	s := tell(t, "scaled-in-mid-release")
	s.open(harness.Replicas(3), harness.Steps(harness.Weight(40), harness.Pause()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.has("v1", 3)
	s.has("v2", 2)
	s.share("v2", 40)
	for _, to := range []struct{ replicas, canary int32 }{{10, 4}, {2, 1}} {
		generation = s.release(harness.Replicas(to.replicas))
		s.wait("the change of scale to be seen", harness.Reached(v1alpha1.PhasePaused, generation))
		s.has("v1", to.replicas)
		s.has("v2", to.canary)
		s.share("v2", 40)
	}
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.has("v2", 2)
	s.neverBack("v2")
}

// has waits until a version has that many available pods and wants no other number.
func (s *story) has(version string, n int32) {
	s.Helper()
	hash := s.hash(version)
	s.wait(fmt.Sprintf("%d pods of %s", n, version), func(r *v1alpha1.Rollout) bool {
		for _, v := range r.Status.Revisions {
			if v.Hash == hash {
				return v.Replicas == n && v.AvailableReplicas == n
			}
		}
		return false
	})
}
