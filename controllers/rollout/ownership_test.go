// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// collected waits until the garbage collector, which looks for new kinds now and
// then, knows Rollouts: only it lets one go that is deleted in the foreground.
func (s *shop) collected() {
	s.t.Helper()
	probe := s.rollout(weight(50))
	probe.Namespace = testenv.Start(s.t).Namespace(s.t) // which no controller watches
	s.create(probe)
	s.deleteBy(probe, metav1.DeletePropagationForeground)
}

// deleteBy deletes a Rollout as asked, and waits until it is gone.
func (s *shop) deleteBy(ro *v1alpha1.Rollout, how metav1.DeletionPropagation) {
	s.t.Helper()
	if err := s.client.Delete(s.ctx, ro, client.PropagationPolicy(how)); err != nil {
		s.t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return apierrors.IsNotFound(s.client.Get(ctx, client.ObjectKeyFromObject(ro), &v1alpha1.Rollout{})), nil
	})
	if err != nil {
		s.t.Fatalf("Rollout %s is not let go: %v", ro.Name, err)
	}
}

// TestForegroundDeletionHandsOver: Argo CD prunes in the foreground, which has
// the garbage collector delete whatever only the Rollout owns at once.
func TestForegroundDeletionHandsOver(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.until("the Deployment without pods", func(*v1alpha1.Rollout) bool {
		return *s.deployment().Spec.Replicas == 0 && s.deployment().Status.Replicas == 0
	})
	s.collected()
	stop := s.neverFewer(4, 8)
	s.deleteBy(s.get(), metav1.DeletePropagationForeground)
	if back := s.deployment(); *back.Spec.Replicas != 4 || back.Status.AvailableReplicas != 4 {
		t.Errorf("handed back with %d replicas, %d available", *back.Spec.Replicas, back.Status.AvailableReplicas)
	}
	stop()
	err := wait.PollUntilContextTimeout(s.ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return s.replicas(first) == -1, nil
	})
	if err != nil {
		t.Errorf("the Rollout's ReplicaSet is left behind with owners %v", s.replicaSet(first).OwnerReferences)
	}
}

// TestConfigurationOutlivesForegroundDeletion: while the Deployment takes over, our
// pods still serve, and one that starts meanwhile reads its configuration.
func TestConfigurationOutlivesForegroundDeletion(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	s.create(s.settings("green"))
	d := s.deployment()
	s.edit(d, func() {
		d.Spec.Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	})
	ro.Spec.TrackConfig = true
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.until("the Deployment without pods", func(*v1alpha1.Rollout) bool {
		return *s.deployment().Spec.Replicas == 0 && s.deployment().Status.Replicas == 0
	})
	s.collected()
	stop := s.always(func(context.Context) string {
		copies := s.copies() // first, since they are deleted after the Deployment was handed back
		if held := s.deployment().Annotations[v1alpha1.WorkloadReplicasAnnotation] != ""; held && copies != 1 {
			return fmt.Sprintf("%d copies of the configuration while our pods serve, want 1", copies)
		}
		return ""
	})
	s.deleteBy(s.get(), metav1.DeletePropagationForeground)
	stop()
	if n := s.copies(); n != 0 {
		t.Errorf("%d copies are left behind", n)
	}
}

// TestFinalizerThatCameAlong: a finalizer that was part of the object when it was
// made, as from a backup, goes like one that the controller put on; others stay.
func TestFinalizerThatCameAlong(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout(weight(50), pause())
	ro.Finalizers = []string{"example.com/audit", v1alpha1.Finalizer}
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	if err := s.client.Delete(s.ctx, s.get()); err != nil {
		t.Fatal(err)
	}
	left := s.until("let go", func(ro *v1alpha1.Rollout) bool { return len(ro.Finalizers) == 1 })
	if left.Finalizers[0] != "example.com/audit" {
		t.Errorf("finalizers %v are left", left.Finalizers)
	}
	s.edit(left, func() { left.Finalizers = nil })
}

// TestLeftBehindAndMadeAgain: a Rollout that was deleted without its pods and is
// made again takes them over, as a Deployment would.
func TestLeftBehindAndMadeAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(50), pause()))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.collected()
	s.deleteBy(s.get(), metav1.DeletePropagationOrphan)
	if n := s.ready(first); n != 4 {
		t.Fatalf("%d ready pods are left behind, want 4", n)
	}
	stop := s.neverFewer(4, 4)
	s.create(s.rollout(weight(50), pause()))
	again := s.untilPhase(v1alpha1.PhaseHealthy)
	stop()
	var list appsv1.ReplicaSetList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns)); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || !metav1.IsControlledBy(&list.Items[0], again) || again.Status.StableRevision != first {
		t.Errorf("%d ReplicaSets, stable is %s, want the one of %s", len(list.Items), again.Status.StableRevision, first)
	}
}
