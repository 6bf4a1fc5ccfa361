// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestNewerRevisionInMidFlight(t *testing.T) {
	t.Parallel()
	for _, at := range []int32{5, 50, 99} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, nil, weight(at), pause())
			s.release("shop:v2")
			second := s.atStep(1).Status.CanaryRevision
			stop := s.always(func(ctx context.Context) string { return s.carried(ctx, 4) })
			seen := s.record()
			s.release("shop:v3")
			begun := seen.first("v3 in flight", func(ro *v1alpha1.Rollout) bool { return ro.Status.Release == 3 })
			if begun.Status.CurrentStep.Index != 0 || begun.Status.History[0].Revision != second || begun.Status.History[0].Cause != v1alpha1.CauseSuperseded {
				t.Errorf("at step %d, history %+v; want the first step and v2 superseded", begun.Status.CurrentStep.Index, begun.Status.History[0])
			}
			s.atStep(1)
			s.until("v2 without pods", func(*v1alpha1.Rollout) bool { return s.replicas(second) == 0 })
			s.say(v1alpha1.VerbPromote)
			third := s.healthyWith(first)
			stop()
			if third == second || s.replicas(third) != 4 {
				t.Errorf("promoted %s with %d pods", third, s.replicas(third))
			}
		})
	}
}

func TestReturnToTheStableTemplateNeedsNoSteps(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	s.release("shop:v1")
	back := s.until("rolled back", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.CanaryRevision == ""
	})
	if stable, canary := s.weights(); back.Status.StableRevision != first || stable != 100 || canary != 0 || back.Status.History[0].Cause != v1alpha1.CauseRolledBack {
		t.Errorf("%s is stable, weights %d and %d, history %+v", back.Status.StableRevision, stable, canary, back.Status.History[0])
	}
	s.until("v2 without pods", func(*v1alpha1.Rollout) bool { return s.replicas(second) == 0 })
}

func TestRollbackWindowSkipsTheSteps(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) { ro.Spec.RollbackWindow = &v1alpha1.RollbackWindow{Revisions: 1} }, weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	s.say(v1alpha1.VerbPromote)
	second := s.healthyWith(first)

	stop := s.always(func(ctx context.Context) string { return s.carried(ctx, 4) })
	s.release("shop:v1") // nobody promotes
	if got := s.healthyWith(second); got != first {
		t.Errorf("%s is stable, want %s", got, first)
	}
	stop()
	s.release("shop:v3") // never promoted before: it walks the steps
	s.atStep(1)
}

func TestDeadlineAbortsEachBadRevision(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) { ro.Spec.ProgressDeadlineSeconds = ptr.To(int32(6)) }, weight(50))
	var before string
	for _, image := range []string{"shop:v2", "shop:v3"} {
		s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Template = neverReady(image) })
		bad := s.until("aborted "+image, func(ro *v1alpha1.Rollout) bool {
			return ro.Status.Phase == v1alpha1.PhaseDegraded && ro.Status.Abort != nil && ro.Status.Abort.Revision != before
		})
		if bad.Status.Abort.Reason != v1alpha1.ReasonDeadlineExceeded || bad.Status.StableRevision != first {
			t.Errorf("%s: abort %+v with %s stable", image, bad.Status.Abort, bad.Status.StableRevision)
		}
		before = bad.Status.Abort.Revision
		s.until("its pods gone", func(*v1alpha1.Rollout) bool { return s.replicas(before) == 0 })
	}
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template, ro.Spec.ProgressDeadlineSeconds = podTemplate("shop:v4"), ptr.To(int32(60))
	})
	s.healthyWith(first)
}

// TestAFirstRevisionThatNeverComesUp is told as Degraded, and goes on with another template.
func TestAFirstRevisionThatNeverComesUp(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout(weight(50))
	ro.Spec.Template, ro.Spec.ProgressDeadlineSeconds = neverReady("shop:v1"), ptr.To(int32(6))
	s.create(ro)
	s.until("told what keeps it", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseDegraded && ro.Status.Abort == nil &&
			contains(ro.Status.Message, []string{"first revision", "progressDeadlineSeconds (6s)", "its readiness probe has not succeeded"})
	})
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template, ro.Spec.ProgressDeadlineSeconds = podTemplate("shop:v2"), ptr.To(int32(60))
	})
	s.untilPhase(v1alpha1.PhaseHealthy)
}

func TestDeadlineMayOnlyReport(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) {
		ro.Spec.ProgressDeadlineSeconds, ro.Spec.OnDeadline = ptr.To(int32(2)), v1alpha1.OnDeadlineDegrade
	}, weight(50))
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Template = neverReady("shop:v2") })
	late := s.untilPhase(v1alpha1.PhaseDegraded)
	if late.Status.Abort != nil || late.Status.CanaryRevision == "" || !strings.Contains(late.Status.Message, "progressDeadlineSeconds") {
		t.Errorf("abort %+v, message %q; want it reported and left in flight", late.Status.Abort, late.Status.Message)
	}
	for _, p := range s.pods(late.Status.CanaryRevision) { // they get ready after all
		s.edit(&p, func() { p.Annotations = nil })
	}
	s.release("shop:v3")
	s.healthyWith(first)
}

// turn makes the pods of a revision behave otherwise.
func (s *shop) turn(hash, behaviour string) {
	s.t.Helper()
	for _, p := range s.pods(hash) {
		patch := client.RawPatch("application/merge-patch+json", []byte(fmt.Sprintf(`{"metadata":{"annotations":{"pump.sluice.dev/behaviour":%q}}}`, behaviour)))
		if err := s.client.Patch(s.ctx, &corev1.Pod{ObjectMeta: p.ObjectMeta}, patch); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestUnhealthyStableNeverBlocksAFix(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), weight(50))
	s.turn(first, "crash")
	s.until("no ready pod left", func(*v1alpha1.Rollout) bool { return s.ready(first) == 0 })
	began := time.Now()
	s.release("shop:v2")
	s.until("all traffic on the fix", func(*v1alpha1.Rollout) bool { _, canary := s.weights(); return canary == 100 })
	t.Logf("all traffic was on the fix after %s", time.Since(began).Round(time.Millisecond))
	second := s.healthyWith(first)
	if s.replicas(second) != 4 {
		t.Errorf("the fix has %d pods", s.replicas(second))
	}
}

func TestPausedSpecHoldsButForAnAbort(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), pause(), weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Paused = true })
	s.until("held by the spec", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.ObservedGeneration == ro.Generation && strings.Contains(ro.Status.Message, "spec.paused")
	})
	s.say(v1alpha1.VerbAbort)
	s.until("traffic back", func(ro *v1alpha1.Rollout) bool {
		stable, _ := s.weights()
		return stable == 100 && ro.Status.StableRevision == first && ro.Status.Abort != nil
	})
}
