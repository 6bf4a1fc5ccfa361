// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestGoodReleaseIsPromoted(t *testing.T) {
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.analysed(s.rollout(weight(25), analyze(), weight(50), analyze())))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	done := s.until("v2 promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision != first
	})

	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("weights after promotion: stable %d, canary %d", stable, canary)
	}
	if got := s.replicas(done.Status.StableRevision); got != 4 {
		t.Errorf("promoted revision wants %d pods", got)
	}
	if done.Status.History[0].Cause != v1alpha1.CausePromoted {
		t.Errorf("history says %s", done.Status.History[0].Cause)
	}
	s.until("v1 scaled down", func(*v1alpha1.Rollout) bool { return s.replicas(first) == 0 })
}

func TestBadReleaseIsAborted(t *testing.T) {
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.analysed(s.rollout(weight(25), analyze(), weight(50))))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.errorRate.Store("0.3")
	s.release("shop:v2")
	bad := s.untilPhase(v1alpha1.PhaseDegraded)

	if bad.Status.StableRevision != first || bad.Status.Abort == nil || !strings.Contains(bad.Status.Abort.Message, "0.3") {
		t.Errorf("stable %s, abort %+v", bad.Status.StableRevision, bad.Status.Abort)
	}
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("weights after abort: stable %d, canary %d", stable, canary)
	}
	s.until("canary scaled down", func(*v1alpha1.Rollout) bool { return s.replicas(bad.Status.CanaryRevision) == 0 })
}
