// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func jobStep() v1alpha1.JobStep {
	return v1alpha1.JobStep{Template: v1alpha1.JobTemplate{Spec: batchv1.JobSpec{
		BackoffLimit: ptr.To(int32(0)), TTLSecondsAfterFinished: ptr.To(int32(0)),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "check", Image: "check:1"}}}},
	}}}
}

// endJobs plays the kubelet for Jobs: it ends their pods as phase says, which
// the real Job controller then reports.
func (s *shop) endJobs(phase corev1.PodPhase) {
	go func() {
		_ = wait.PollUntilContextCancel(s.ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			var list corev1.PodList
			if err := s.client.List(ctx, &list, client.InNamespace(s.ns), client.HasLabels{batchv1.JobNameLabel}); err != nil {
				return false, nil //nolint:nilerr // asked again
			}
			for i := range list.Items {
				if p := &list.Items[i]; p.Status.Phase != phase && p.Spec.NodeName != "" {
					p.Status.Phase = phase
					_ = s.client.Status().Update(ctx, p)
				}
			}
			return false, nil
		})
	}()
}

func (s *shop) jobs() int {
	s.t.Helper()
	var list batchv1.JobList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns)); err != nil {
		s.t.Fatal(err)
	}
	return len(list.Items)
}

// TestJobStepDecidesByItsEnd, which stays to be read though its template would
// have it deleted at once: a migration that is gone is run again.
func TestJobStepDecidesByItsEnd(t *testing.T) {
	t.Parallel()
	for phase, good := range map[corev1.PodPhase]bool{corev1.PodSucceeded: true, corev1.PodFailed: false} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			job := jobStep()
			s, first := opened(t, nil, weight(25), v1alpha1.Step{Job: &job}, pause())
			s.release("shop:v2")
			s.atStep(1)
			s.until("the Job made", func(*v1alpha1.Rollout) bool { return s.jobs() == 1 })
			made := &batchv1.JobList{}
			if err := s.client.List(s.ctx, made, client.InNamespace(s.ns)); err != nil || made.Items[0].Spec.TTLSecondsAfterFinished != nil {
				t.Fatalf("error %v; the Job has a time to live", err)
			}
			s.endJobs(phase)
			if good {
				s.atStep(2)
				s.say(v1alpha1.VerbPromote)
				s.healthyWith(first)
				return
			}
			bad := s.aborted(v1alpha1.ReasonJobFailed)
			if !strings.Contains(bad.Status.Abort.Message, "failed") || bad.Status.StableRevision != first {
				t.Errorf("abort %+v with %s stable", bad.Status.Abort, bad.Status.StableRevision)
			}
		})
	}
}

// TestNameTakenBySomebodyElse: a release says what it can't go on without.
func TestNameTakenBySomebodyElse(t *testing.T) {
	t.Parallel()
	step := jobStep()
	theirs := jobStep().Template.Spec
	theirs.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	for want, tc := range map[string]struct {
		step  v1alpha1.Step
		taken client.Object
	}{
		"AnalysisRun shop-2 exists and belongs to somebody else; delete or rename it": {analyze(), &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Name: "shop-2"}}},
		"Job shop-2-job-1 exists and belongs to somebody else; delete or rename it":   {v1alpha1.Step{Job: &step}, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "shop-2-job-1"}, Spec: theirs}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
				ro.Spec.Strategy.Canary.Steps = []v1alpha1.Step{tc.step}
				if s.analysed(ro); tc.step.Job != nil {
					ro.Spec.Strategy.Canary.Analysis = nil
					return
				}
				a := ro.Spec.Strategy.Canary.Analysis
				tc.taken.(*v1alpha1.AnalysisRun).Spec = v1alpha1.AnalysisRunSpec{Prometheus: a.Prometheus, Metrics: a.Metrics, Block: *a.Block, Stop: true} //nolint:forcetypeassert // see above
			})
			tc.taken.SetNamespace(s.ns)
			s.create(tc.taken)
			s.release("shop:v2")
			s.until(want, func(ro *v1alpha1.Rollout) bool {
				c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionApplied)
				return c != nil && strings.Contains(c.Message, want)
			})
			if err := s.client.Delete(s.ctx, tc.taken, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				t.Fatal(err)
			}
			s.endJobs(corev1.PodSucceeded)
			s.healthyWith(first)
		})
	}
}

func TestSetScaleIsApartFromTheWeight(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil,
		v1alpha1.Step{SetScale: &v1alpha1.SetScale{Replicas: ptr.To(int32(3))}}, pause(),
		v1alpha1.Step{SetScale: &v1alpha1.SetScale{MatchWeight: true}}, weight(25), pause())
	s.release("shop:v2")
	canary := s.atStep(1).Status.CanaryRevision
	if stable, weight := s.weights(); s.replicas(canary) != 3 || stable != 100 || weight != 0 {
		t.Errorf("scaled to 3 before any weight: %d pods, weights %d and %d", s.replicas(canary), stable, weight)
	}
	s.say(v1alpha1.VerbPromote)
	s.atStep(4)
	s.until("as many pods as the weight needs", func(*v1alpha1.Rollout) bool { return s.replicas(canary) == 1 })
	if got := s.replicas(first); got != 4 {
		t.Errorf("stable has %d pods meanwhile, want 4", got)
	}
}

func TestApprovalWantsAName(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), v1alpha1.Step{Approve: &v1alpha1.Approve{}})
	s.release("shop:v2")
	s.atStep(1)
	s.command(`{"id": "nameless", "verb": "promote"}`)
	refused := s.until("refused", func(ro *v1alpha1.Rollout) bool { return ro.Status.LastCommand != nil })
	if refused.Status.LastCommand.Result != v1alpha1.CommandRefused || refused.Status.CurrentStep.Index != 1 {
		t.Errorf("a promotion by nobody: %+v at step %d", refused.Status.LastCommand, refused.Status.CurrentStep.Index)
	}
	s.command(`{"id": "named", "verb": "promote", "by": "jane", "reason": "looks good"}`)
	s.healthyWith(first)
	outcome := s.get().Status.History[0]
	if len(outcome.Approvals) != 1 || outcome.Approvals[0].By != "jane" || outcome.Approvals[0].Reason != "looks good" {
		t.Errorf("the history remembers approvals %+v", outcome.Approvals)
	}
}

func TestNobodyComesBeforeTheTimeout(t *testing.T) {
	t.Parallel()
	steps := map[string]func(v1alpha1.OnTimeout) v1alpha1.Step{
		"pause": func(then v1alpha1.OnTimeout) v1alpha1.Step {
			return v1alpha1.Step{Pause: &v1alpha1.Pause{Timeout: seconds(2), OnTimeout: then}}
		},
		"approval": func(then v1alpha1.OnTimeout) v1alpha1.Step {
			return v1alpha1.Step{Approve: &v1alpha1.Approve{Timeout: seconds(2), OnTimeout: then}}
		},
	}
	for name, step := range steps {
		t.Run(name+" aborts", func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, nil, weight(25), step(v1alpha1.OnTimeoutAbort))
			s.release("shop:v2")
			if bad := s.aborted(v1alpha1.ReasonTimedOut); bad.Status.StableRevision != first {
				t.Errorf("stable is %s, want %s", bad.Status.StableRevision, first)
			}
		})
		t.Run(name+" promotes", func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, nil, weight(25), step(v1alpha1.OnTimeoutPromote))
			s.release("shop:v2")
			s.healthyWith(first)
		})
		t.Run(name+" holds", func(t *testing.T) {
			t.Parallel()
			s, _ := opened(t, nil, weight(25), step(v1alpha1.OnTimeoutHold))
			s.release("shop:v2")
			held := s.until("said that nobody came", func(ro *v1alpha1.Rollout) bool { return strings.Contains(ro.Status.Message, "nobody came within 2s") })
			if held.Status.Phase != v1alpha1.PhasePaused || held.Status.CurrentStep.Index != 1 {
				t.Errorf("%s at step %d, want it to wait on", held.Status.Phase, held.Status.CurrentStep.Index)
			}
		})
	}
}

func TestRampPausesAtEachWeight(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.Ramp = &v1alpha1.Ramp{Weights: []int32{25, 50}, Every: *seconds(2)}
	})
	seen := s.record()
	s.release("shop:v2")
	s.healthyWith(first)
	for step, want := range map[int32]int32{1: 25, 3: 50} {
		at := seen.first(fmt.Sprintf("at step %d", step), func(ro *v1alpha1.Rollout) bool {
			return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == step
		})
		if got := at.Status.Traffic.CanaryWeight; got != want {
			t.Errorf("at step %d the canary has %d %%, want %d", step, got, want)
		}
	}
	seen.carried(0, 25, 50, 100, 0)
}

func TestPodsCountOnlyAfterMinReadySeconds(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, func(_ *shop, ro *v1alpha1.Rollout) { ro.Spec.MinReadySeconds = 4 }, weight(50), pause())
	released := time.Now()
	s.release("shop:v2")
	stop := s.always(func(context.Context) string {
		if _, canary := s.weights(); canary > 0 && time.Since(released) < 3*time.Second {
			return fmt.Sprintf("weight %d after %s, before any pod can have been ready for 4 s, told in whole seconds", canary, time.Since(released))
		}
		return ""
	})
	s.atStep(1)
	stop()
	if _, canary := s.weights(); canary != 50 {
		t.Errorf("weight %d at last, want 50", canary)
	}
}

func TestPromoteFullThenAbort(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), pause(), weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	settles := func(n int, command string) {
		t.Helper()
		s.patch(func(ro *v1alpha1.Rollout) {
			ro.Spec.Strategy.Canary.Convergence.Settle = seconds(n)
			metav1.SetMetaDataAnnotation(&ro.ObjectMeta, v1alpha1.CommandAnnotation, command)
		})
	}
	settles(60, `{"id": "a", "verb": "promote-full", "by": "jane"}`) // which leaves the time for an abort
	s.until("promoting", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 4
	})
	settles(1, `{"id": "b", "verb": "abort", "by": "jane"}`)
	bad := s.aborted(v1alpha1.ReasonAbortedByCommand)
	if stable, canary := s.weights(); bad.Status.StableRevision != first || stable != 100 || canary != 0 {
		t.Errorf("after the abort: %s is stable, weights %d and %d", bad.Status.StableRevision, stable, canary)
	}
}

func TestSkippedAnalysisHoldsNothing(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		s.errorRate.Store("down")
		s.analysed(ro)
	}, weight(25), analyze(), weight(50))
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhaseHolding)
	s.say(v1alpha1.VerbSkipAnalysis)
	s.atStep(2)
	s.say(v1alpha1.VerbPromoteFull)
	s.healthyWith(first)
}
