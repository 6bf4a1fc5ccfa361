// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestAdoptionOfADeploymentThatIsStuck: nothing of ours may come beside a rollout of
// its own that never ends. The message names the Deployment, what it is stuck on and
// what to do; that done, it is taken over.
func TestAdoptionOfADeploymentThatIsStuck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason string
		stick  func(*appsv1.Deployment)
		says   []string
	}{
		"TimedOut": {"its deadline has passed", func(d *appsv1.Deployment) {
			d.Spec.ProgressDeadlineSeconds = ptr.To(int32(3))
		}, []string{`ReplicaSet "shop-`, "has timed out progressing, pod shop-", "its readiness probe has not succeeded; mend its pod template"}},
		"Paused": {"somebody paused it under way", func(d *appsv1.Deployment) { d.Spec.Paused = true },
			[]string{"Deployment is paused", "; resume it"}},
		"Late": {"its deadline is far, its pod is not", func(*appsv1.Deployment) {},
			[]string{": pod shop-", "its readiness probe has not succeeded; mend its pod template"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
			d := s.deployment()
			s.edit(d, func() { d.Spec.Template = *neverReady("shop:v2") })
			s.comes("the Deployment's own rollout as far as it gets", func() bool {
				st := s.deployment().Status
				return st.UpdatedReplicas == 2 && st.Replicas == 5 && s.ready("") == 3
			})
			d = s.deployment()
			s.edit(d, func() { tc.stick(d) })
			s.create(ro)
			want := append([]string{"waiting for Deployment shop's own rollout, which leaves no room for ours (5 pods, wants 4): "}, tc.says...)
			s.until("told what it is stuck on", func(ro *v1alpha1.Rollout) bool { return contains(ro.Status.Message, want) })
			if n := s.ready(""); n != 3 {
				t.Errorf("%s: %d pods are ready meanwhile, want the 3 that its own rollout left", tc.reason, n)
			}
			d = s.deployment()
			s.edit(d, func() { d.Spec.Paused, d.Spec.Template = false, *podTemplate("shop:v3") })
			s.untilPhase(v1alpha1.PhaseHealthy)
		})
	}
}
