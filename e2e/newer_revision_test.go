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

// TestStoryNewerRevision: v3 arrives while v2 has a part of the traffic. The
// release begins anew with v3, from its first step, and v2 is forgotten.
func TestStoryNewerRevision(t *testing.T) {
	t.Parallel()
	s := tell(t, "newer-revision")
	s.open(harness.Steps(harness.Weight(30), harness.Pause(), harness.Weight(60), harness.Pause()))

	generation := s.release(harness.Version("v2"))
	s.wait("v2 to pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v2", 30)

	generation = s.release(harness.Version("v3"))
	s.wait("v3 to pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v3", 30)
	r := s.seen.Latest()
	if r.Status.CanaryRevision != s.hash("v3") || r.Status.CurrentStep == nil || r.Status.CurrentStep.Index != 1 {
		t.Errorf("canary %q at step %+v, want v3 (%s) at its first pause", r.Status.CanaryRevision, r.Status.CurrentStep, s.hash("v3"))
	}
	s.truth("until promoted")

	s.plugin(0, "promote", harness.Name, "--full")
	s.promoted(generation)
	s.share("v3", 100)
	s.neverBack("v3")
	s.truth("carries all traffic")
	causes := map[string]v1alpha1.OutcomeCause{}
	for _, o := range s.seen.Latest().Status.History {
		causes[s.versions[o.Revision]] = o.Cause
	}
	if causes["v2"] != v1alpha1.CauseSuperseded || causes["v3"] != v1alpha1.CausePromoted {
		t.Errorf("history %v, want v2 superseded and v3 promoted", causes)
	}
	s.notBoth("v2", "v3")
}

// notBoth fails the story if two versions ever had weight at the same time.
func (s *story) notBoth(a, b string) {
	s.Helper()
	for _, p := range s.seen.Points() {
		if p.Requested[s.hash(a)] > 0 && p.Requested[s.hash(b)] > 0 {
			s.Errorf("%s and %s both had weight at %s: %v", a, b, p.At.Format(time.StampMilli), p.Requested)
		}
	}
}
