// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func (s *shop) deployment() *appsv1.Deployment {
	s.t.Helper()
	d := &appsv1.Deployment{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop"}, d); err != nil {
		s.t.Fatal(err)
	}
	return d
}

// adopted is a Deployment of four pods that a Rollout is about to take over.
func adopted(t *testing.T, scaleDown v1alpha1.ScaleDown) (*shop, *v1alpha1.Rollout) {
	t.Helper()
	s := newShop(t)
	s.create(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(4)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}, Template: *podTemplate("shop:v1"),
		},
	})
	s.comes("four ready pods of the Deployment", func() bool { return s.ready("") == 4 })
	ro := s.rollout(weight(50), pause())
	ro.Spec.Template, ro.Spec.Selector = nil, nil
	ro.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop", ScaleDown: scaleDown}
	startController(t, testenv.Start(t), s.ns)
	return s, ro
}

// neverFewer watches that there are always enough ready pods behind both
// Services together, and never more than a bound.
func (s *shop) neverFewer(least, most int32) (stop func()) {
	return s.always(func(context.Context) string {
		if n, all := s.ready(""), len(s.pods("")); n < least || all > int(most) {
			return fmt.Sprintf("%d ready of %d pods, want at least %d ready and at most %d", n, all, least, most)
		}
		return ""
	})
}

func TestAdoptionAndTheWayBack(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	stop := s.neverFewer(4, 6)
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.until("the Deployment without pods", func(*v1alpha1.Rollout) bool {
		return *s.deployment().Spec.Replicas == 0 && s.deployment().Status.Replicas == 0
	})
	if s.selects("shop-stable") != first || s.ready(first) != 4 {
		t.Errorf("shop-stable stands for %q with %d ready pods", s.selects("shop-stable"), s.ready(first))
	}
	stop()

	d := s.deployment()
	s.edit(d, func() { d.Spec.Template = *podTemplate("shop:v2") })
	s.atStep(1)
	if got := *s.deployment().Spec.Replicas; got != 0 {
		t.Errorf("a release gave the Deployment %d replicas", got)
	}
	s.say(v1alpha1.VerbPromote)
	s.healthyWith(first)
	s.until("v1 without pods", func(*v1alpha1.Rollout) bool { return s.replicas(first) == 0 && len(s.pods(first)) == 0 })

	stop = s.neverFewer(4, 8)
	s.delete(s.get())
	back := s.deployment()
	if *back.Spec.Replicas != 4 || back.Status.AvailableReplicas != 4 || back.Annotations[v1alpha1.WorkloadReplicasAnnotation] != "" {
		t.Errorf("handed back with %d replicas, %d available, annotations %v", *back.Spec.Replicas, back.Status.AvailableReplicas, back.Annotations)
	}
	if s.selects("shop-stable") != "" || s.selects("shop-canary") != "" {
		t.Errorf("Services are left narrowed to %q and %q", s.selects("shop-stable"), s.selects("shop-canary"))
	}
	stop()
}

func TestAdoptionShrinksTheDeploymentAsAsked(t *testing.T) {
	t.Parallel()
	for how, left := range map[v1alpha1.ScaleDown]int32{v1alpha1.ScaleDownOnSuccess: 0, v1alpha1.ScaleDownNever: 4} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			s, ro := adopted(t, how)
			stop := s.always(func(context.Context) string {
				d := s.deployment()
				if n := s.selects("shop-stable"); n == "" && *d.Spec.Replicas != 4 {
					return fmt.Sprintf("%d replicas are left before the Rollout's pods carry anything", *d.Spec.Replicas)
				}
				return ""
			})
			s.create(ro)
			first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
			s.until("the Deployment as asked", func(*v1alpha1.Rollout) bool { return *s.deployment().Spec.Replicas == left })
			stop()
			if got := s.ready(first); got != 4 {
				t.Errorf("%d ready pods of the Rollout", got)
			}
		})
	}
}
