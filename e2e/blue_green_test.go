// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// TestStoryBlueGreen: a version is brought up and looked at unseen, a person
// promotes it, and all traffic switches at once, behind the gateway and behind
// the Service's own address alike.
func TestStoryBlueGreen(t *testing.T) {
	t.Parallel()
	s := tell(t, "blue-green")
	s.open(harness.BlueGreen(harness.Watched(s.shop.Cluster.Settings.PrometheusURL, hold)))
	s.openDirect()

	generation := s.release(harness.Version("v2"))
	s.wait("the preview", harness.Reached(v1alpha1.PhasePaused, generation))
	s.unseen("v2")
	s.share("v2", 0)
	s.truth("promot")

	s.releasedAt = time.Now()
	s.plugin(0, "promote", harness.Name)
	s.reaches("v2", 100)
	s.promoted(generation)
	s.share("v2", 100)
	s.truth("carries all traffic")
	s.switchedOnce("v1", "v2")
}

// TestStoryBlueGreenSwitchBack: a version that fails requests is found out
// after the switch, and the one before it, which is still there, has all
// traffic again at once.
func TestStoryBlueGreenSwitchBack(t *testing.T) {
	t.Parallel()
	s := tell(t, "blue-green-switch-back")
	s.open(harness.BlueGreen(harness.Watched(s.shop.Cluster.Settings.PrometheusURL, time.Minute)))
	s.openDirect()

	generation := s.release(harness.Version("v2"), harness.Faulty("0.4"))
	s.wait("the preview", harness.Reached(v1alpha1.PhasePaused, generation))
	s.unseen("v2")
	s.plugin(0, "promote", harness.Name)
	s.wait("the switch back", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.reaches("v2", 0)
	s.share("v2", 0)
	first, _, found := s.traffic.History().Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
	if !found {
		t.Fatal("the bad version answered nothing badly: it never got traffic")
	}
	s.rolledBack(first, "v2")
	s.truth("aborted", "server-errors")
	if abort := s.seen.Latest().Status.Abort; abort == nil || abort.Reason != v1alpha1.ReasonAnalysisFailed || abort.Revision != s.hash("v2") {
		t.Errorf("abort %+v, want one of v2 for its analysis", abort)
	}
}

// openDirect puts load on the active Service's own address too, where it can be reached.
func (s *story) openDirect() {
	s.Helper()
	if !s.shop.Cluster.Settings.Inside {
		s.report.Notes = append(s.report.Notes, "without load on the Service's own address, which can't be reached from here")
		return
	}
	direct, err := s.shop.Direct(s.Context(), harness.StableService, rate/4, longest)
	s.must(err)
	s.direct = direct
	direct.Start(context.WithoutCancel(s.Context()))
}

// unseen fails the story unless the preview alone answers with a version.
func (s *story) unseen(version string) {
	s.Helper()
	if !s.shop.Cluster.Settings.Inside {
		return
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for service, want := range map[string]string{harness.CanaryService: version, harness.StableService: "v1"} {
		s.must(harness.Poll(ctx, fmt.Sprintf("Service %s to answer with %s", service, want), func(ctx context.Context) (bool, string, error) {
			got, err := s.shop.AnswersAt(ctx, service)
			return got == want, got, err
		}))
	}
}

// switchedOnce fails the story if a version answered again long after another had everything.
func (s *story) switchedOnce(before, after string) {
	s.Helper()
	first, _, found := s.traffic.History().Span(func(r load.Record) bool { return r.Version == after })
	if !found {
		s.Fatalf("%s never answered", after)
	}
	_, last, _ := s.traffic.History().Span(func(r load.Record) bool { return r.Version == before })
	overlap := last.Sub(first)
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s answered for %s beside %s", before, overlap.Round(time.Millisecond), after))
	if overlap > 5*time.Second {
		s.Errorf("%s went on answering for %s after the first answer of %s, want a switch", before, overlap, after)
	}
}
