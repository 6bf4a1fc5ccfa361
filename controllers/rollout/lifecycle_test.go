// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// selects is the revision that a Service is narrowed to.
func (s *shop) selects(service string) string {
	s.t.Helper()
	svc := &corev1.Service{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: service}, svc); err != nil {
		s.t.Fatal(err)
	}
	return svc.Spec.Selector[v1alpha1.RevisionLabel]
}

// healthyWith waits until another revision than before carries everything.
func (s *shop) healthyWith(before string) string {
	s.t.Helper()
	return s.until("another revision promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision != before
	}).Status.StableRevision
}

func (s *shop) blueGreen() v1alpha1.Strategy {
	return v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
		ActiveService: "shop-stable", PreviewService: "shop-canary",
		PreviewReplicas: ptr.To(int32(2)), AutoPromote: ptr.To(false),
		ScaleDownDelaySeconds: ptr.To(int32(1)), AbortScaleDownDelaySeconds: ptr.To(int32(1)),
		Convergence: &v1alpha1.Convergence{Settle: &v1alpha1.Duration{Duration: time.Second}},
	}}
}

func TestRollingUpdateWithoutAStrategy(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout()
	ro.Spec.Strategy = v1alpha1.Strategy{}
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	second := s.healthyWith(first)

	if s.replicas(first) != 0 || s.replicas(second) != 4 {
		t.Errorf("pods after the update: %d of v1, %d of v2, want 0 and 4", s.replicas(first), s.replicas(second))
	}
	if got := s.get().Status.Strategy; got != "RollingUpdate" {
		t.Errorf("status.strategy is %s", got)
	}
}

func TestCanaryWithoutRoutesShiftsByPods(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout(weight(25), pause())
	c := ro.Spec.Strategy.Canary
	c.StableService, c.CanaryService, c.Routes, c.Service = "", "", nil, "shop-stable"
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	paused := s.untilPhase(v1alpha1.PhasePaused)
	if s.replicas(first) != 3 || s.replicas(paused.Status.CanaryRevision) != 1 || paused.Status.Traffic.CanaryWeight != 25 {
		t.Errorf("at 25 %%: %d stable and %d canary pods, weight shown %d", s.replicas(first), s.replicas(paused.Status.CanaryRevision), paused.Status.Traffic.CanaryWeight)
	}
	if got := s.selects("shop-stable"); got != "" {
		t.Errorf("the callers' Service was narrowed to %s", got)
	}

	s.command(`{"id": "a", "verb": "abort", "by": "jane"}`)
	s.untilPhase(v1alpha1.PhaseDegraded)
	s.until("only stable pods", func(ro *v1alpha1.Rollout) bool {
		return s.replicas(first) == 4 && s.replicas(ro.Status.CanaryRevision) == 0
	})
}

func TestBlueGreenSwitchesWhenPromoted(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout()
	ro.Spec.Strategy = s.blueGreen()
	s.create(ro)
	blue := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	green := s.untilPhase(v1alpha1.PhasePaused).Status.CanaryRevision
	if s.selects("shop-stable") != blue || s.selects("shop-canary") != green || s.replicas(green) != 2 {
		t.Errorf("while waiting: active %s, preview %s with %d pods; want %s, %s with 2",
			s.selects("shop-stable"), s.selects("shop-canary"), s.replicas(green), blue, green)
	}

	s.command(`{"id": "a", "verb": "promote", "by": "jane"}`)
	if got := s.healthyWith(blue); got != green {
		t.Errorf("promoted %s, want %s", got, green)
	}
	if s.selects("shop-stable") != green || s.selects("shop-canary") != green || s.replicas(green) != 4 {
		t.Errorf("after the switch: active %s, preview %s with %d pods", s.selects("shop-stable"), s.selects("shop-canary"), s.replicas(green))
	}
	s.until("blue scaled down", func(*v1alpha1.Rollout) bool { return s.replicas(blue) == 0 })
}

func TestBlueGreenAbortLeavesActiveAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout()
	ro.Spec.Strategy = s.blueGreen()
	s.create(ro)
	blue := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	green := s.untilPhase(v1alpha1.PhasePaused).Status.CanaryRevision
	s.command(`{"id": "a", "verb": "abort", "by": "jane"}`)
	s.untilPhase(v1alpha1.PhaseDegraded)
	if got := s.selects("shop-stable"); got != blue {
		t.Errorf("active stands for %s, want %s", got, blue)
	}
	s.until("preview back on the active revision", func(*v1alpha1.Rollout) bool {
		return s.selects("shop-canary") == blue && s.replicas(green) == 0
	})
}

func TestPauseResumeRetryAndUndo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50), pause()))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.command(`{"id": "a", "verb": "pause", "by": "jane"}`)
	s.until("paused", func(ro *v1alpha1.Rollout) bool { return ro.Status.Paused != nil })
	s.release("shop:v2")
	held := s.untilPhase(v1alpha1.PhasePaused)
	if held.Status.CanaryRevision != "" {
		t.Errorf("a release began under a pause: %s", held.Status.CanaryRevision)
	}
	s.command(`{"id": "b", "verb": "resume", "by": "jane"}`)
	atStep := func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 1
	}
	second := s.until("at the pause step", atStep).Status.CanaryRevision

	s.command(`{"id": "c", "verb": "abort", "by": "jane"}`)
	s.untilPhase(v1alpha1.PhaseDegraded)
	s.command(`{"id": "d", "verb": "retry", "by": "jane"}`)
	s.until("at the pause step again", func(ro *v1alpha1.Rollout) bool { return atStep(ro) && ro.Status.Abort == nil })
	s.command(`{"id": "e", "verb": "promote", "by": "jane"}`)
	if got := s.healthyWith(first); got != second {
		t.Fatalf("promoted %s, want %s", got, second)
	}

	s.command(`{"id": "f", "verb": "undo", "by": "jane"}`)
	s.until("v1 at the pause step", func(ro *v1alpha1.Rollout) bool { return atStep(ro) && ro.Status.CanaryRevision == first })
	s.command(`{"id": "g", "verb": "promote", "by": "jane"}`)
	if got := s.healthyWith(second); got != first {
		t.Errorf("undo promoted %s, want %s", got, first)
	}
	if undo := s.get().Status.Undo; undo == nil || undo.Of != second || undo.By != "jane" {
		t.Errorf("status.undo is %+v", undo)
	}
}

func TestGateLetsAReleasePassOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"allow": %t, "message": "the change board meets"}`, asked.Add(1) > 1)
	}))
	t.Cleanup(server.Close)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50), v1alpha1.Step{Gate: &v1alpha1.Gate{URL: server.URL}}))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhaseHolding)
	s.healthyWith(first)
	if got := asked.Load(); got != 2 {
		t.Errorf("asked %d times, want 2: one refusal and one permission", got)
	}
}

func TestGateThatMayNotBeAsked(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	startWith(t, testenv.Start(t), s.ns, func(p *controllers.Parts) { p.AnalysisHosts = []string{"gates.example.com"} })
	s.create(s.rollout(weight(50), v1alpha1.Step{Gate: &v1alpha1.Gate{URL: server.URL}}))
	s.until("the gate named", func(ro *v1alpha1.Rollout) bool {
		c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
		return c != nil && contains(c.Message, []string{"spec.strategy.canary.steps[1].gate.url", "may not be asked", "--analysis-allowed-hosts allows gates.example.com"})
	})
	if got := asked.Load(); got != 0 {
		t.Errorf("it was asked %d times", got)
	}
}

func TestChangeOfStrategyInMidFlightStartsAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50), pause()))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)

	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy = s.blueGreen() })
	waiting := s.until("waiting under blue-green", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.Bindings != nil && ro.Status.Bindings.Strategy == "BlueGreen"
	})
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("the canary's route was left with stable %d, canary %d", stable, canary)
	}
	s.command(`{"id": "a", "verb": "promote", "by": "jane"}`)
	if got := s.healthyWith(first); got != waiting.Status.CanaryRevision || s.selects("shop-stable") != got {
		t.Errorf("promoted %s, active stands for %s", got, s.selects("shop-stable"))
	}
}
