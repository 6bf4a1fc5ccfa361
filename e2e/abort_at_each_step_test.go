// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryAbortAtEachStep: a person aborts at every step of a release, on its
// way to a weight and at rest there. Each time everything returns to stable,
// and the next version begins from the first step.
func TestStoryAbortAtEachStep(t *testing.T) {
	t.Parallel()
	s := tell(t, "abort-at-each-step")
	steps := []v1alpha1.Step{
		harness.Weight(10), harness.Pause(), harness.Weight(60), harness.Pause(), harness.Weight(100), harness.Pause(),
	}
	s.open(harness.Steps(steps...))
	var slowest time.Duration
	for i := range steps {
		version := fmt.Sprintf("v%d", i+2)
		generation := s.release(harness.Version(version))
		s.advance(generation, int32(i))
		asked := time.Now()
		s.plugin(0, "abort", harness.Name, "--reason", fmt.Sprintf("at step %d", i+1))
		s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
		s.reaches(version, 0)
		s.rolledBack(asked, version)
		slowest = max(slowest, time.Duration(*s.report.SecondsToRollback*float64(time.Second)))
		if r := s.seen.Latest(); r.Status.StableRevision != s.hash("v1") || r.Status.Abort == nil || r.Status.Abort.Revision != s.hash(version) {
			t.Errorf("aborted at step %d: stable %s, abort %+v; want stable v1 and %s aborted", i+1, r.Status.StableRevision, r.Status.Abort, version)
		}
	}
	s.share(fmt.Sprintf("v%d", len(steps)+1), 0)
	seconds := slowest.Seconds()
	s.report.SecondsToRollback = &seconds
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d aborts, at the slowest the canary answered for another %s", len(steps), slowest))
	s.truth("aborted", fmt.Sprintf("at step %d", len(steps)))
}

// advance takes the release of a generation to a step, ending the pauses before it.
func (s *story) advance(generation int64, step int32) {
	s.Helper()
	for {
		var at int32
		s.wait(fmt.Sprintf("step %d, or a pause before it", step+1), func(r *v1alpha1.Rollout) bool {
			if r.Status.ObservedGeneration < generation || r.Status.CurrentStep == nil || r.Status.Abort != nil {
				return false
			}
			at = r.Status.CurrentStep.Index
			return at >= step || r.Status.Phase == v1alpha1.PhasePaused
		})
		if at >= step {
			return
		}
		s.promoteOn()
	}
}
