// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryPromoteFullThenAbort: an abort beats a full promotion that is under
// way, whether its pods are still coming up or all traffic is with it already.
func TestStoryPromoteFullThenAbort(t *testing.T) {
	t.Parallel()
	s := tell(t, "promote-full-then-abort")
	s.open(harness.Steps(harness.Weight(20), harness.Pause(), harness.Weight(40), harness.Pause()))

	// At once, while the canary still grows.
	generation := s.release(harness.Version("v2"))
	s.climb("v2", 20)
	s.settles(15 * time.Second)
	s.plugin(0, "promote", harness.Name, "--full")
	s.plugin(0, "abort", harness.Name, "--reason", "second thoughts")
	s.settles(usual)
	s.aborted(generation, "v2")
	s.share("v2", 0)

	// And when the route gives it everything.
	generation = s.release(harness.Version("v3"))
	s.climb("v3", 20)
	s.settles(15 * time.Second)
	s.plugin(0, "promote", harness.Name, "--full")
	s.routed(100)
	s.plugin(0, "abort", harness.Name, "--reason", "third thoughts")
	s.settles(usual)
	s.aborted(generation, "v3")
	s.share("v3", 0)
	s.truth("aborted", "third thoughts")

	refused := s.command(v1alpha1.Command{Verb: v1alpha1.VerbPromoteFull, Revision: s.hash("v3")})
	if refused.Result != v1alpha1.CommandRefused {
		t.Errorf("promote-full of an aborted revision: %+v, want it refused", refused)
	}
	// Only a retry brings it back, from the first step.
	s.plugin(0, "retry", harness.Name)
	s.climb("v3", 20)
	s.plugin(0, "promote", harness.Name, "--full")
	s.promoted(generation)
	s.share("v3", 100)
}

// usual is how long a weight settles by default.
const usual = 2 * time.Second

// settles changes how long a weight settles. A promotion that is to be aborted has to
// last for as long as kubectl may take on a busy machine.
func (s *story) settles(d time.Duration) {
	s.Helper()
	_, err := s.shop.Change(s.Context(), func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Convergence = &v1alpha1.Convergence{Settle: &v1alpha1.Duration{Duration: d}}
	})
	s.must(err)
}

// aborted waits until everything is known to be back on v1.
func (s *story) aborted(generation int64, version string) {
	s.Helper()
	s.wait("the abort of "+version, harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.reaches(version, 0)
	if r := s.seen.Latest(); r.Status.StableRevision != s.hash("v1") || r.Status.Abort == nil || r.Status.Abort.Revision != s.hash(version) {
		s.Errorf("stable %s, abort %+v; want v1 (%s) and %s aborted", r.Status.StableRevision, r.Status.Abort, s.hash("v1"), version)
	}
}
