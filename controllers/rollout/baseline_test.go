// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func baseline(replicas, weight int32) v1alpha1.Step {
	return v1alpha1.Step{Baseline: &v1alpha1.Baseline{Replicas: replicas, Weight: weight}}
}

// backends reads what the route carries, by Service.
func (s *shop) backends(ctx context.Context) (string, error) {
	r := &gatewayv1.HTTPRoute{}
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, r); err != nil {
		return "", err
	}
	var all []string
	for _, b := range r.Spec.Rules[0].BackendRefs {
		all = append(all, fmt.Sprintf("%s:%d=%d", b.Name, *b.Port, *b.Weight))
	}
	return strings.Join(all, " "), nil
}

// sends checks what the route carries now.
func (s *shop) sends(want string) {
	s.t.Helper()
	if got, err := s.backends(s.ctx); err != nil || got != want {
		s.t.Errorf("the route carries %s (%v), want %s", got, err, want)
	}
}

// controls counts the ready endpoints of the baseline's Service.
func (s *shop) controls(ctx context.Context) int {
	var list discoveryv1.EndpointSliceList
	if s.client.List(ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{discoveryv1.LabelServiceName: "shop-baseline"}) != nil {
		return -1
	}
	n := 0
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready {
				n++
			}
		}
	}
	return n
}

// neverSentToNobody looks at the baseline's share all the time.
func (s *shop) neverSentToNobody() (stop func()) {
	return s.always(func(ctx context.Context) string {
		before, err := s.backends(ctx)
		if n := s.controls(ctx); err == nil && n == 0 && strings.Contains(before, "shop-baseline") {
			if after, err := s.backends(ctx); err == nil && strings.Contains(after, "shop-baseline") {
				return "the route sends to the baseline, which has no ready endpoint: " + after
			}
		}
		return ""
	})
}

// TestBaselineIsTheFairControl: fresh pods of stable get a share of their own,
// the canary is compared with them from then on, until a step ends that.
func TestBaselineIsTheFairControl(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		s.analysed(ro)
		ro.Spec.Strategy.Canary.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"track": "stable"}}
		ro.Spec.Strategy.Canary.AntiAffinity = &v1alpha1.AntiAffinity{Preferred: &v1alpha1.PreferredAntiAffinity{}}
	}, weight(25), baseline(1, 25), pause(), weight(50), baseline(0, 0), pause())
	stop := s.neverSentToNobody()

	s.release("shop:v2")
	paused := s.atStep(2)
	hash := fmt.Sprintf("%s-b%d", first, paused.Status.Release)
	s.sends("shop-stable:80=50 shop-canary:80=25 shop-baseline:80=25")
	freshPodsOf(t, s.replicaSet(first), s.replicaSet(hash), hash)
	isControl(t, paused, hash)
	s.until("compared with the baseline", func(*v1alpha1.Rollout) bool { return s.comparesWith("shop-2-b2") == hash+" shop-baseline" })
	s.until("the run before has ended", func(*v1alpha1.Rollout) bool {
		return s.analysisRun("shop-2").Status.Phase == v1alpha1.AnalysisTerminated
	})

	s.say(v1alpha1.VerbPromote)
	s.atStep(5)
	s.sends("shop-stable:80=50 shop-canary:80=50")
	s.until("the baseline gone", func(*v1alpha1.Rollout) bool { return s.replicas(hash) == -1 })
	s.until("compared with stable again", func(*v1alpha1.Rollout) bool { return s.comparesWith("shop-2-s5") == first+" shop-stable" })
	s.say(v1alpha1.VerbPromote)
	second := s.healthyWith(first)
	s.sends("shop-stable:80=100 shop-canary:80=0")
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop-baseline", Namespace: s.ns}}
	s.until("its Service at stable", func(*v1alpha1.Rollout) bool {
		return s.client.Get(s.ctx, client.ObjectKeyFromObject(svc), svc) == nil && svc.Spec.Selector[v1alpha1.RevisionLabel] == second
	})
	stop()
}

// freshPodsOf checks that a ReplicaSet runs what another does, under a label of
// its own and without what that one's pods carry for being stable.
func freshPodsOf(t *testing.T, stable, fresh *appsv1.ReplicaSet, hash string) {
	t.Helper()
	want, got := stable.Spec.Template, fresh.Spec.Template
	if got.Spec.Containers[0].Image != want.Spec.Containers[0].Image || *fresh.Spec.Replicas != 1 {
		t.Errorf("the baseline runs %d of %s, want 1 of %s", *fresh.Spec.Replicas, got.Spec.Containers[0].Image, want.Spec.Containers[0].Image)
	}
	if _, marked := got.Labels["track"]; marked || got.Labels[v1alpha1.RevisionLabel] != hash || want.Labels["track"] != "stable" {
		t.Errorf("the baseline's pods are labelled %v, stable's %v", got.Labels, want.Labels)
	}
	rule := got.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector
	if values := rule.MatchExpressions[0].Values; len(values) != 1 || values[0] != hash {
		t.Errorf("the baseline's pods keep away from all but %v", values)
	}
}

// isControl checks what the status says of the baseline.
func isControl(t *testing.T, ro *v1alpha1.Rollout, hash string) {
	t.Helper()
	for _, r := range ro.Status.Revisions {
		if r.Role == v1alpha1.RoleBaseline && r.Hash == hash && r.Number == 0 && r.Replicas == 1 && r.AvailableReplicas == 1 {
			return
		}
	}
	t.Errorf("revisions %+v, want %s with role %s", ro.Status.Revisions, hash, v1alpha1.RoleBaseline)
}

// analysisRun reads an AnalysisRun; an empty one when there is none.
func (s *shop) analysisRun(name string) v1alpha1.AnalysisRun {
	s.t.Helper()
	var run v1alpha1.AnalysisRun
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: name}, &run); client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
	return run
}

// comparesWith is what an AnalysisRun takes for the stable arm.
func (s *shop) comparesWith(name string) string {
	s.t.Helper()
	run := s.analysisRun(name)
	if run.Spec.Subject == nil || run.Spec.Subject.Stable == nil {
		return ""
	}
	return run.Spec.Subject.Stable.Revision + " " + run.Spec.Subject.Stable.Service
}

// TestBaselineEndsWithItsRelease: a newer revision has a baseline of its own, and
// an abort takes both shares.
func TestBaselineEndsWithItsRelease(t *testing.T) {
	t.Parallel()
	s, first := opened(t, dynamic, baseline(2, 25), weight(25), pause())
	stop := s.neverSentToNobody()
	capacity := s.always(func(ctx context.Context) string { return s.carried(ctx, 4) })

	s.release("shop:v2")
	s.atStep(2)
	s.sends("shop-stable:80=50 shop-canary:80=25 shop-baseline:80=25")
	s.release("shop:v3")
	s.until("v3 beside a baseline of its own", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Release == 3 && ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 2
	})
	if got := s.ready(first + "-b3"); got != 2 {
		t.Errorf("the baseline of the third release has %d ready pods", got)
	}
	s.until("that of the second gone", func(*v1alpha1.Rollout) bool { return s.replicas(first+"-b2") == -1 })

	s.say(v1alpha1.VerbAbort)
	s.aborted(v1alpha1.ReasonAbortedByCommand)
	s.sends("shop-stable:80=100 shop-canary:80=0")
	s.until("the baseline gone", func(*v1alpha1.Rollout) bool { return s.replicas(first+"-b3") == -1 })
	stop()
	capacity()
}

// TestBaselineMistakes: what would make a baseline unsafe is said, and nothing is released.
func TestBaselineMistakes(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		steps  []v1alpha1.Step
		taken  bool
		want   string
	}{
		"more than everything": {
			reason: "shares sum to 100", steps: []v1alpha1.Step{baseline(2, 40), weight(50), weight(70)},
			want: "spec.strategy.canary.steps[2]: the canary's weight 70 and the baseline's weight 40 are more than 100",
		},
		"taken": {
			reason: "a Service of somebody else is not narrowed", steps: []v1alpha1.Step{baseline(2, 40)}, taken: true,
			want: "one of that name belongs to somebody else; rename that",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, first := opened(t, nil, weight(25), pause())
			if tc.taken {
				s.create(&corev1.Service{
					ObjectMeta: metav1.ObjectMeta{Name: "shop-baseline", Namespace: s.ns},
					Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}, Ports: []corev1.ServicePort{{Port: 80}}},
				})
			}
			s.patch(func(ro *v1alpha1.Rollout) {
				ro.Spec.Strategy.Canary.Steps, ro.Spec.Template = tc.steps, podTemplate("shop:v2")
			})
			ro := s.until("refused", func(ro *v1alpha1.Rollout) bool {
				valid := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
				return valid != nil && strings.Contains(valid.Message, tc.want)
			})
			if ro.Status.StableRevision != first || ro.Status.CanaryRevision != "" {
				t.Errorf("%s: yet %s is in flight", tc.reason, ro.Status.CanaryRevision)
			}
		})
	}
}
