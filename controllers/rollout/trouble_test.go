// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// TestLatePodOfStableIsNamed: the same beside a restart, whose pod more than usual
// finds no node. Once it does, the restart goes on by itself.
func TestLatePodOfStableIsNamed(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	gated := podTemplate("shop:v1")
	gated.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "test.sluice.dev/node"}}
	ro := s.rollout(weight(50))
	ro.Spec.Template = gated
	s.create(ro)
	s.until("Healthy, once its pods may be scheduled", func(ro *v1alpha1.Rollout) bool {
		s.ungate()
		return ro.Status.Phase == v1alpha1.PhaseHealthy
	})

	s.say(v1alpha1.VerbRestart)
	s.until("a pod without a node", func(*v1alpha1.Rollout) bool { return len(s.gated()) == 1 })
	lost := s.gated()[0]
	s.unschedulable(&lost)
	s.until("the pod is named", func(ro *v1alpha1.Rollout) bool {
		return contains(ro.Status.Message, []string{"replacing pods one by one: 4 created", "4 of 5 available; pod " + lost.Name + ": Unschedulable: 0/1 nodes are available"})
	})
	s.until("restarted", func(ro *v1alpha1.Rollout) bool {
		s.ungate()
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.RestartedAt != nil
	})
}

// gated are the pods that no scheduler may give a node.
func (s *shop) gated() []corev1.Pod {
	return slices.DeleteFunc(s.pods(""), func(p corev1.Pod) bool { return len(p.Spec.SchedulingGates) == 0 })
}

// ungate lets them have one.
func (s *shop) ungate() {
	s.t.Helper()
	for _, p := range s.gated() {
		err := s.client.Patch(s.ctx, &p, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"schedulingGates":null}}`)))
		if client.IgnoreNotFound(err) != nil {
			s.t.Fatal(err)
		}
	}
}

// unschedulable says of a pod what a scheduler says where there is no room.
func (s *shop) unschedulable(p *corev1.Pod) {
	s.t.Helper()
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available: 1 Insufficient cpu.",
	}}
	status, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": p.Status.Conditions}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.client.Status().Patch(s.ctx, p, client.RawPatch(types.StrategicMergePatchType, status)); err != nil {
		s.t.Fatal(err)
	}
}
