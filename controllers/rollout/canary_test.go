// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestGoodReleaseIsPromoted(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

func TestPauseWaitsForPromoteAndAbortReturnsTraffic(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(25), pause(), weight(75), pause()))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	paused := s.untilPhase(v1alpha1.PhasePaused)
	if stable, canary := s.weights(); stable != 75 || canary != 25 {
		t.Errorf("weights while paused: stable %d, canary %d", stable, canary)
	}
	refused := func(id, command string) {
		t.Helper()
		s.command(command)
		ro := s.until("refused", func(ro *v1alpha1.Rollout) bool {
			return ro.Status.LastCommand != nil && ro.Status.LastCommand.ID == id
		})
		if ro.Status.LastCommand.Result != v1alpha1.CommandRefused || ro.Status.CurrentStep.Index != 1 {
			t.Errorf("command %s: %+v at step %d", id, ro.Status.LastCommand, ro.Status.CurrentStep.Index)
		}
	}
	refused("a", `{"id": "a", "verb": "promote", "revision": "another"}`)
	refused("b", `{"id": "b", "verb": "promote", "revision": "`+paused.Status.CanaryRevision+`", "step": 3}`)
	refused("c", `{"id": "c", "verb": "dance"}`)

	s.command(`{"id": "d", "verb": "promote", "revision": "` + paused.Status.CanaryRevision + `", "step": 1, "by": "jane"}`)
	s.until("paused at 75 %", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CurrentStep.Index == 3
	})

	s.command(`{"id": "e", "verb": "abort", "by": "jane", "reason": "looks wrong"}`)
	aborted := s.untilPhase(v1alpha1.PhaseDegraded)
	if aborted.Status.StableRevision != first || !strings.Contains(aborted.Status.Abort.Message, "jane: looks wrong") {
		t.Errorf("after abort: %+v", aborted.Status.Abort)
	}
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("weights after abort: stable %d, canary %d", stable, canary)
	}
}

func TestMistakesAreNamedAndNothingChanges(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mistake func(*v1alpha1.Rollout)
		field   string
		remedy  string
	}{
		"missing Service": {
			mistake: func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.CanaryService = "shop-canery" },
			field:   "spec.strategy.canary.canaryService", remedy: "create it",
		},
		"missing route": {
			mistake: func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Routes[0].Name = "shopp" },
			field:   "spec.strategy.canary.routes[0].name", remedy: "",
		},
		"unknown template": {
			mistake: func(ro *v1alpha1.Rollout) {
				ro.Spec.Strategy.Canary.Analysis = &v1alpha1.Analysis{Templates: []v1alpha1.TemplateRef{{Name: "slo"}}}
			},
			field: "spec.strategy.canary.analysis.templates[0].name", remedy: "create it",
		},
		"labels that the selector does not match": {
			mistake: func(ro *v1alpha1.Rollout) { ro.Spec.Template.Labels = map[string]string{"app": "shop2"} },
			field:   "spec.template.metadata.labels", remedy: "add the missing labels",
		},
	}
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	for name, tc := range cases {
		ro := s.rollout(weight(25))
		tc.mistake(ro)
		s.create(ro)
		got := s.untilPhase(v1alpha1.PhasePending)
		valid := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid)
		if valid == nil || !strings.Contains(valid.Message, tc.field) || !strings.Contains(valid.Message, tc.remedy) {
			t.Errorf("%s: SpecValid is %+v, want field %s and remedy %q", name, valid, tc.field, tc.remedy)
		}
		if len(got.Status.Revisions) > 0 {
			t.Errorf("%s: created %+v", name, got.Status.Revisions)
		}
		s.delete(got)
	}
}
