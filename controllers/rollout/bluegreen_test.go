// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// judged is an analysis of the shop's error rate.
func (s *shop) judged() v1alpha1.Analysis {
	return *s.analysed(s.rollout()).Spec.Strategy.Canary.Analysis
}

// switched opens a shop with a blue-green strategy.
func switched(t *testing.T, change func(*shop, *v1alpha1.BlueGreenStrategy)) (*shop, string) {
	t.Helper()
	return opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		ro.Spec.Strategy = s.blueGreen()
		change(s, ro.Spec.Strategy.BlueGreen)
	})
}

func TestFailedPostPromotionSwitchesBack(t *testing.T) {
	t.Parallel()
	s, blue := switched(t, func(s *shop, b *v1alpha1.BlueGreenStrategy) {
		b.AutoPromote = ptr.To(true)
		b.PostPromotion = &v1alpha1.PostPromotion{Analysis: s.judged(), Analyze: &v1alpha1.Analyze{MinDuration: seconds(20)}}
	})
	s.release("shop:v2")
	s.until("switched", func(*v1alpha1.Rollout) bool { return s.selects("shop-stable") != blue })
	stop := s.always(func(context.Context) string {
		if n := s.ready(blue); n < 4 {
			return fmt.Sprintf("blue has %d ready pods while green is on probation", n)
		}
		return ""
	})
	s.errorRate.Store("0.3")
	bad := s.aborted(v1alpha1.ReasonAnalysisFailed)
	stop()
	if s.selects("shop-stable") != blue || bad.Status.StableRevision != blue {
		t.Errorf("active stands for %s, stable is %s, want %s", s.selects("shop-stable"), bad.Status.StableRevision, blue)
	}
	s.until("green without pods", func(*v1alpha1.Rollout) bool { return s.replicas(bad.Status.CanaryRevision) == 0 })
}

func TestGoodPostPromotionEndsTheRelease(t *testing.T) {
	t.Parallel()
	s, blue := switched(t, func(s *shop, b *v1alpha1.BlueGreenStrategy) {
		b.AutoPromote = ptr.To(true)
		b.PostPromotion = &v1alpha1.PostPromotion{Analysis: s.judged()}
	})
	s.release("shop:v2")
	green := s.healthyWith(blue)
	if s.selects("shop-stable") != green || s.selects("shop-canary") != green {
		t.Errorf("active stands for %s, preview for %s, want both for %s", s.selects("shop-stable"), s.selects("shop-canary"), green)
	}
}

func TestPrePromotionDecidesBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		reason string
		job    corev1.PodPhase
		rate   string
		abort  string
	}{
		"good":    {reason: "jobs and analysis pass", job: corev1.PodSucceeded, rate: "0.001"},
		"bad job": {reason: "a failed job aborts", job: corev1.PodFailed, rate: "0.001", abort: v1alpha1.ReasonJobFailed},
		"bad run": {reason: "a failed analysis aborts", job: corev1.PodSucceeded, rate: "0.3", abort: v1alpha1.ReasonAnalysisFailed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, blue := switched(t, func(s *shop, b *v1alpha1.BlueGreenStrategy) {
				analysis := s.judged()
				b.AutoPromote, b.AutoPromoteAfter = ptr.To(true), seconds(1)
				b.PrePromotion = &v1alpha1.PrePromotion{Jobs: []v1alpha1.JobStep{jobStep()}, Analysis: &analysis}
			})
			s.errorRate.Store(tc.rate)
			s.endJobs(tc.job)
			s.release("shop:v2")
			if tc.abort == "" {
				green := s.healthyWith(blue)
				if got := s.selects("shop-stable"); got != green {
					t.Errorf("%s: active stands for %s, want %s", tc.reason, got, green)
				}
				return
			}
			stop := s.always(func(context.Context) string {
				if got := s.selects("shop-stable"); got != blue {
					return fmt.Sprintf("%s: active stands for %s, want %s throughout", tc.reason, got, blue)
				}
				return ""
			})
			s.aborted(tc.abort)
			stop()
		})
	}
}

func TestBlueGreenBecomesACanaryInMidFlight(t *testing.T) {
	t.Parallel()
	s, blue := switched(t, func(*shop, *v1alpha1.BlueGreenStrategy) {})
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy = s.rollout(weight(50), pause()).Spec.Strategy })
	waiting := s.until("at 50 % under the canary strategy", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.Bindings != nil && ro.Status.Bindings.Strategy == "Canary"
	})
	if stable, canary := s.weights(); s.selects("shop-stable") != blue || stable != 50 || canary != 50 {
		t.Errorf("shop-stable stands for %s, weights %d and %d", s.selects("shop-stable"), stable, canary)
	}
	s.say(v1alpha1.VerbPromote)
	if got := s.healthyWith(blue); got != waiting.Status.CanaryRevision {
		t.Errorf("promoted %s, want %s", got, waiting.Status.CanaryRevision)
	}
}
