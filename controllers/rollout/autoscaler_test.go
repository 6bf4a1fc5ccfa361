// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// autoscale puts the Rollout under a HorizontalPodAutoscaler with these bounds.
// Without any metrics it still keeps them, by Kubernetes' own controller.
func (s *shop) autoscale(least, most int32) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "Rollout", Name: "shop",
			},
			MinReplicas: ptr.To(least), MaxReplicas: most,
		},
	}
	s.create(hpa)
	return hpa
}

func TestAutoscalerInMidRelease(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(25), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	weighs := s.always(func(context.Context) string {
		if stable, canary := s.weights(); stable != 75 || canary != 25 {
			return "the autoscaler moved the weight"
		}
		return ""
	})

	hpa := s.autoscale(8, 10)
	s.until("8 pods of stable and 2 of the canary", func(ro *v1alpha1.Rollout) bool {
		return *ro.Spec.Replicas == 8 && s.ready(first) == 8 && s.ready(second) == 2
	})
	s.edit(hpa, func() { hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = ptr.To(int32(1)), 3 })
	s.until("3 pods of stable and 1 of the canary", func(ro *v1alpha1.Rollout) bool {
		return *ro.Spec.Replicas == 3 && s.replicas(first) == 3 && s.replicas(second) == 1
	})
	weighs()

	s.say(v1alpha1.VerbPromote)
	if promoted := s.healthyWith(first); promoted != second || s.replicas(second) != 3 {
		t.Errorf("%s is promoted with %d pods, want %s with the autoscaler's 3", promoted, s.replicas(promoted), second)
	}
}
