// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestDeletionBesideADeploymentThatCantComeUp: it is waited for, since nobody else
// could serve, and the message names what a person can do. Both of that end it.
func TestDeletionBesideADeploymentThatCantComeUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		remedy func(*shop)
		pods   int
	}{
		"Mended": {"the Deployment's pods take over as ever", func(s *shop) {
			d := s.deployment()
			s.edit(d, func() { d.Spec.Template = *podTemplate("shop:v3") })
		}, 4},
		"GivenUp": {"nobody is left to take over, so nothing is waited for", func(s *shop) {
			if err := s.client.Delete(s.ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"}}, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				s.t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
			s.create(ro)
			first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
			d := s.deployment()
			s.edit(d, func() { d.Spec.Template = *neverReady("shop:v2") })
			s.until("released", func(ro *v1alpha1.Rollout) bool { return ro.Status.CanaryRevision != "" })
			if err := s.client.Delete(s.ctx, s.get()); err != nil {
				t.Fatal(err)
			}
			s.until("told what to do", func(ro *v1alpha1.Rollout) bool {
				return contains(ro.Status.Message, []string{"waiting for Deployment shop, 0 of 4 pods available", "mend its pod template", "delete it"})
			})
			if got := s.ready(first); got != 4 {
				t.Errorf("%d pods of %s are ready while the Deployment is waited for, want 4", got, first)
			}
			tc.remedy(s)
			s.gone(ro)
			if s.selects("shop-stable") != "" || s.selects("shop-canary") != "" {
				t.Errorf("%s: Services are left narrowed to %q and %q", tc.reason, s.selects("shop-stable"), s.selects("shop-canary"))
			}
			if stable, canary := s.weights(); stable != 100 || canary != 0 {
				t.Errorf("%s: the route is left with %d and %d", tc.reason, stable, canary)
			}
			err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) {
				return len(s.pods("")) == tc.pods, nil // the garbage collector takes the others
			})
			if err != nil {
				t.Errorf("%s: %d pods are left, want %d", tc.reason, len(s.pods("")), tc.pods)
			}
			if tc.pods > 0 && s.deployment().Annotations[v1alpha1.WorkloadReplicasAnnotation] != "" {
				t.Errorf("%s: the Deployment is left with %v", tc.reason, s.deployment().Annotations)
			}
		})
	}
}
