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
)

// TestStoryAbortByCommand: a person ends a release that waits, and nothing but
// another template brings the revision back.
func TestStoryAbortByCommand(t *testing.T) {
	t.Parallel()
	s := tell(t, "abort-by-command")
	s.open(harness.Steps(harness.Weight(25), harness.Pause()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v2", 25)
	s.truth("until promoted")

	asked := time.Now()
	s.plugin(0, "abort", harness.Name, "--reason", "guests complain")
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v2", 0)
	s.rolledBack(asked, "v2")
	s.truth("aborted", "guests complain")

	abort := s.seen.Latest().Status.Abort
	if abort == nil || abort.Reason != v1alpha1.ReasonAbortedByCommand || abort.By == "" {
		t.Errorf("abort %+v, want one by command that names who", abort)
	}
	refused := s.command(v1alpha1.Command{Verb: v1alpha1.VerbPromoteFull, Revision: s.hash("v2")})
	if refused.Result != v1alpha1.CommandRefused || refused.Message == "" {
		t.Errorf("promote-full of an aborted revision: %+v, want a refusal that says why", refused)
	}
	s.stays("the abort stands", 3*time.Second, func(r *v1alpha1.Rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseDegraded && s.confirmed(r, "v2") == 0
	})
	if out := s.plugin(1, "status", harness.Name); !strings.Contains(out, "guests complain") {
		t.Errorf("kubectl sluice status says %q, want the reason in it", out)
	}
}
