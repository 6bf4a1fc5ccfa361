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

// TestStoryPromoteByCommand: a release that pauses waits for a person, obeys
// only a command that is meant for it, and then goes on.
func TestStoryPromoteByCommand(t *testing.T) {
	t.Parallel()
	s := tell(t, "promote-by-command")
	s.open(harness.Steps(harness.Weight(50), harness.Pause()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	paused := func(r *v1alpha1.Rollout) bool {
		return r.Status.Phase == v1alpha1.PhasePaused && s.confirmed(r, "v2") == 50
	}
	s.reaches("v2", 50)
	s.stays("the release pauses", 3*time.Second, paused)
	s.truth("until promoted")

	for reason, stray := range map[string]v1alpha1.Command{
		"another revision":    {Verb: v1alpha1.VerbPromote, Revision: "bcdfghjklm"},
		"a step that is over": {Verb: v1alpha1.VerbPromote, Revision: s.hash("v2"), Step: new(int32)},
		"an unknown verb":     {Verb: "publish", Revision: s.hash("v2")},
	} {
		if got := s.command(stray); got.Result != v1alpha1.CommandRefused || got.Message == "" {
			t.Errorf("a command for %s: %+v, want a refusal that says why", reason, got)
		}
	}
	s.stays("the release pauses after commands that it refused", 2*time.Second, paused)
	s.share("v2", 50)

	s.releasedAt = time.Now()
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.neverBack("v2")
	s.truth("carries all traffic")
	if last := s.seen.Latest().Status.LastCommand; last == nil || last.Result != v1alpha1.CommandAccepted || last.By == "" {
		t.Errorf("last command %+v, want it accepted and somebody named", last)
	}
}
