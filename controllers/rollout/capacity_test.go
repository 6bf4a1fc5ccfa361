// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// carried says what is wrong when the share that the route gives the stable
// Service is more than ready pods of the revision behind it can carry.
func (s *shop) carried(ctx context.Context, replicas int32) string {
	var list corev1.PodList
	share, hash, err := s.stable(ctx)
	if err != nil || s.client.List(ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{"app": "shop"}) != nil {
		return ""
	}
	// Only what was so before and after the pods were listed was so at that moment.
	if still, selected, err := s.stable(ctx); err != nil || still != share || selected != hash {
		return ""
	}
	var ready int32
	for _, p := range list.Items {
		if p.Labels[v1alpha1.RevisionLabel] == hash && isReady(p) {
			ready++
		}
	}
	if need := (replicas*share + 99) / 100; hash != "" && ready < need {
		return fmt.Sprintf("stable %s gets %d %% with %d ready pods, which needs %d", hash, share, ready, need)
	}
	return ""
}

// stable reads the share of the stable Service and the revision that it is narrowed to.
func (s *shop) stable(ctx context.Context) (share int32, hash string, err error) {
	r, svc := &gatewayv1.HTTPRoute{}, &corev1.Service{}
	err = errors.Join(s.client.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r), s.client.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-stable"}, svc))
	if err == nil {
		share, hash = *r.Spec.Rules[0].BackendRefs[0].Weight, svc.Spec.Selector[v1alpha1.RevisionLabel]
	}
	return share, hash, err
}

func dynamic(_ *shop, ro *v1alpha1.Rollout) {
	ro.Spec.Strategy.Canary.ScaleStable = v1alpha1.ScaleStableDynamic
}

func TestDynamicStableGrowsBackBeforeTraffic(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		act    func(*shop)
		ends   func(s *shop, first string)
	}{
		"abort": {
			reason: "an abort gives stable no more than it can carry",
			act:    func(s *shop) { s.say(v1alpha1.VerbAbort) },
			ends: func(s *shop, first string) {
				s.aborted(v1alpha1.ReasonAbortedByCommand)
				if stable, _ := s.weights(); stable != 100 || s.ready(first) != 4 {
					s.t.Errorf("at last stable has %d %% and %d ready pods", stable, s.ready(first))
				}
			},
		},
		"newer revision": {
			reason: "nor does the arrival of a newer revision",
			act:    func(s *shop) { s.release("shop:v3") },
			ends: func(s *shop, first string) {
				s.until("v3 at the pause", func(ro *v1alpha1.Rollout) bool {
					return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 1 && ro.Status.Release == 3
				})
				s.until("stable shrunk again", func(*v1alpha1.Rollout) bool { return s.replicas(first) == 1 })
			},
		},
		"promotion": {
			reason: "and promotion leaves the canary's pods alone",
			act:    func(s *shop) { s.say(v1alpha1.VerbPromote) },
			ends: func(s *shop, first string) {
				second := s.healthyWith(first)
				if s.replicas(second) != 4 {
					s.t.Errorf("%d pods after promotion", s.replicas(second))
				}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, dynamic, weight(75), pause())
			s.release("shop:v2")
			s.atStep(1)
			s.until("stable shrunk", func(*v1alpha1.Rollout) bool { return s.replicas(first) == 1 })
			stop := s.always(func(ctx context.Context) string {
				if what := s.carried(ctx, 4); what != "" {
					return tc.reason + ": " + what
				}
				return ""
			})
			tc.act(s)
			tc.ends(s, first)
			stop()
		})
	}
}

func TestReplicasChangeInMidStep(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(50), pause())
	s.release("shop:v2")
	canary := s.atStep(1).Status.CanaryRevision
	for _, n := range []int32{10, 2, 4} {
		if n == 4 { // a user, after a writer of the scale subresource
			s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Replicas = ptr.To(n) })
		} else {
			s.scale(n)
		}
		s.until(fmt.Sprintf("%d replicas", n), func(*v1alpha1.Rollout) bool {
			return s.replicas(first) == n && s.replicas(canary) == n/2 && s.ready(first) == n
		})
		if stable, weight := s.weights(); stable != 50 || weight != 50 {
			t.Errorf("with %d replicas the weights are %d and %d", n, stable, weight)
		}
	}
	scaled := s.until("the scale subresource up to date", func(ro *v1alpha1.Rollout) bool { return ro.Status.Replicas == 6 })
	if scaled.Status.Selector != "app=shop" || scaled.Status.CurrentStep.Index != 1 {
		t.Errorf("selector %q at step %d, want all pods of the Rollout and the same step", scaled.Status.Selector, scaled.Status.CurrentStep.Index)
	}
	s.say(v1alpha1.VerbPromote)
	s.healthyWith(first)
}

func TestTemplateAndReplicasChangeAtOnce(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(50), pause())
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template, ro.Spec.Replicas = podTemplate("shop:v2"), ptr.To(int32(6))
	})
	canary := s.atStep(1).Status.CanaryRevision
	if s.replicas(first) != 6 || s.replicas(canary) != 3 {
		t.Errorf("%d stable and %d canary pods, want 6 and 3", s.replicas(first), s.replicas(canary))
	}
}

func TestRestartReplacesPodsWithinTheBudget(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(50))
	// Pods are replaced within one update of the EndpointSlices here, so that their number never tells of it.
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.Convergence.Timeout = &v1alpha1.Duration{Duration: 3 * time.Second}
	})
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: ptr.To(intstr.FromInt32(5)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
		},
	}
	s.create(budget)
	s.until("the budget observed", func(*v1alpha1.Rollout) bool {
		seen := &policyv1.PodDisruptionBudget{}
		return s.client.Get(s.ctx, client.ObjectKeyFromObject(budget), seen) == nil && seen.Status.ObservedGeneration == seen.Generation && seen.Status.CurrentHealthy == 4
	})
	old := map[string]bool{}
	for _, p := range s.pods(first) {
		old[p.Name] = true
	}
	left := func() (n int) {
		for _, p := range s.pods(first) {
			if old[p.Name] {
				n++
			}
		}
		return n
	}
	stop := s.always(func(context.Context) string {
		if n := s.ready(first); n < 4 {
			return fmt.Sprintf("only %d ready pods during a restart", n)
		}
		return ""
	})
	s.say(v1alpha1.VerbRestart)
	s.until("forbidden by the budget", func(ro *v1alpha1.Rollout) bool {
		return meta.IsStatusConditionFalse(ro.Status.Conditions, v1alpha1.ConditionApplied) &&
			strings.Contains(ro.Status.Message, "not carried out: evict pod") && strings.HasPrefix(ro.Status.Summary, "not carried out: evict pod")
	})
	if left() != 4 {
		t.Errorf("%d of 4 old pods are left although the budget forbids evictions", left())
	}
	if err := s.client.Delete(s.ctx, budget); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	s.until("all pods replaced", func(ro *v1alpha1.Rollout) bool {
		return left() == 0 && ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.RestartedAt != nil && s.replicas(first) == 4
	})
	stop()
	if done := s.get(); meta.FindStatusCondition(done.Status.Conditions, v1alpha1.ConditionApplied) != nil || done.Status.StableRevision != first || strings.Contains(done.Status.Message, "not carried out") {
		t.Errorf("after the restart: stable %s, conditions %+v", done.Status.StableRevision, done.Status.Conditions)
	}
}

func TestHistoryIsKeptWithinItsLimit(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) { ro.Spec.RevisionHistoryLimit = ptr.To(int32(1)) }, weight(100))
	s.release("shop:v2")
	second := s.healthyWith(first)
	s.release("shop:v3")
	third := s.healthyWith(second)
	s.until("the oldest revision forgotten", func(*v1alpha1.Rollout) bool { return s.replicas(first) == -1 })
	s.until("the one before kept without pods", func(*v1alpha1.Rollout) bool { return s.replicas(second) == 0 })
	var list appsv1.ReplicaSetList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns)); err != nil || len(list.Items) != 2 || s.replicas(third) != 4 {
		t.Errorf("%d ReplicaSets, %v; the newest with %d pods", len(list.Items), err, s.replicas(third))
	}
}
