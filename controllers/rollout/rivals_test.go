// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestTwoRolloutsNeverSteerOneService: the one that came second changes nothing,
// not even when it is deleted, says whose the Service is, and goes on by itself
// once it is free.
func TestTwoRolloutsNeverSteerOneService(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	healthy := s.untilPhase(v1alpha1.PhaseHealthy)
	elder := healthy.DeepCopy()

	second := s.rollout(weight(50))
	second.Name, second.Spec.Template = "second", podTemplate("shop:second")
	refused := func() {
		t.Helper()
		ro := s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhasePending })
		if want := "Service shop-canary is steered by Rollout shop already"; !strings.Contains(ro.Status.Message, want) {
			t.Errorf("the second one says %q, not %q", ro.Status.Message, want)
		}
		if len(ro.Status.Revisions) > 0 || len(ro.Finalizers) > 0 {
			t.Errorf("the second one has revisions %v and finalizers %v", ro.Status.Revisions, ro.Finalizers)
		}
	}
	s.create(second)
	refused()
	s.delete(second)
	active := &corev1.Service{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-stable"}, active); err != nil {
		t.Fatal(err)
	}
	if selects := active.Spec.Selector[v1alpha1.RevisionLabel]; selects != elder.Status.StableRevision {
		t.Errorf("Service shop-stable selects %q after the second Rollout was deleted", selects)
	}

	again := s.rollout(weight(50))
	again.Name, again.Spec.Template = "second", podTemplate("shop:second")
	s.create(again)
	refused()
	if got := s.get(); got.ResourceVersion != elder.ResourceVersion && got.Status.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("the first one is disturbed: %s: %s", got.Status.Phase, got.Status.Message)
	}
	s.delete(elder)
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHealthy })
}

// TestServiceThatIsLetGoIsTaken: a Rollout whose spec names other Services holds
// its former ones until they are given back; who waits for one hears of that.
func TestServiceThatIsLetGoIsTaken(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	s.untilPhase(v1alpha1.PhaseHealthy)
	second := s.rollout(weight(50))
	second.Name, second.Spec.Template = "second", podTemplate("shop:second")
	s.create(second)
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhasePending })

	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy = v1alpha1.Strategy{} })
	s.rolloutUntil("second", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHealthy })
	s.untilPhase(v1alpha1.PhaseHealthy)
}

// TestASecondOwnerGoesWithoutATrace: two Rollouts that shared Services before
// only one could steer them. Deleting the younger writes to neither.
func TestASecondOwnerGoesWithoutATrace(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	stop := startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50)))
	elder := s.untilPhase(v1alpha1.PhaseHealthy)
	stop()
	second := s.rollout(weight(50))
	second.Name = "second"
	s.create(second)
	hold := &unstructured.Unstructured{}
	hold.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Rollout"))
	hold.SetNamespace(s.ns)
	hold.SetName("second")
	hold.SetFinalizers([]string{v1alpha1.Finalizer})
	if err := s.client.Apply(s.ctx, client.ApplyConfigurationFromUnstructured(hold), client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		t.Fatal(err)
	}
	second = s.named("second")
	second.Status = *elder.Status.DeepCopy()
	second.Status.StableRevision = "another"
	if err := s.client.Status().Update(s.ctx, second); err != nil {
		t.Fatal(err)
	}
	versions := func() (all []string) {
		for _, name := range []string{"shop-stable", "shop-canary"} {
			svc := &corev1.Service{}
			if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: name}, svc); err != nil {
				t.Fatal(err)
			}
			all = append(all, svc.ResourceVersion)
		}
		return all
	}
	before := versions()
	startController(t, testenv.Start(t), s.ns)
	s.delete(second)
	if after := versions(); !slices.Equal(before, after) {
		t.Errorf("the Services were written: versions %v, then %v", before, after)
	}
}
