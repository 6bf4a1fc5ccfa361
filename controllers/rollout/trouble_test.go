// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestWhatKeepsPodsIsSaid: a release that waits for pods names the quota that
// refuses them, and goes on by itself once it is raised.
func TestWhatKeepsPodsIsSaid(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "narrow", Namespace: s.ns},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("4")}},
	}
	s.create(quota)

	s.release("shop:v2")
	s.until("the quota is named", func(ro *v1alpha1.Rollout) bool {
		return strings.Contains(ro.Status.Message, "waiting for pods: 0 of 2 available; ") && strings.Contains(ro.Status.Message, "exceeded quota: narrow")
	})
	if err := s.client.Delete(s.ctx, quota); err != nil {
		t.Fatal(err)
	}
	s.until("v2 promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision != first
	})
}

// TestLatePodIsNamed: the same for a pod that exists and crashes.
func TestLatePodIsNamed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Template = podTemplate("shop:v2")
		ro.Spec.Template.Annotations = map[string]string{"pump.sluice.dev/behaviour": "crash"}
	})
	s.until("the pod is named", func(ro *v1alpha1.Rollout) bool {
		return strings.Contains(ro.Status.Message, "waiting for pods: 0 of 2 available; pod shop-") &&
			strings.Contains(ro.Status.Message, "CrashLoopBackOff")
	})
}
