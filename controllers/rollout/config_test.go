// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// configured is a Rollout whose pods read a ConfigMap and a Secret, both tracked.
func (s *shop) configured() *v1alpha1.Rollout {
	ro := s.rollout(weight(50), pause())
	ro.Spec.TrackConfig = true
	ro.Spec.RevisionHistoryLimit = ptr.To(int32(0))
	c := &ro.Spec.Template.Spec.Containers[0]
	c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	ro.Spec.Template.Spec.Volumes = []corev1.Volume{
		{Name: "key", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "key"}}},
		{Name: "extra", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "nowhere"}, Optional: ptr.To(true),
		}}},
	}
	return ro
}

func (s *shop) settings(colour string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: s.ns}, Data: map[string]string{"colour": colour}}
}

// colour is what the pods of a revision are given, by way of the copy that they refer to.
func (s *shop) colour(hash string) string {
	s.t.Helper()
	var list appsv1.ReplicaSetList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{v1alpha1.RevisionLabel: hash}); err != nil || len(list.Items) != 1 {
		s.t.Fatalf("ReplicaSet of %s: %d, %v", hash, len(list.Items), err)
	}
	spec := list.Items[0].Spec.Template.Spec
	copied := &corev1.ConfigMap{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: spec.Containers[0].EnvFrom[0].ConfigMapRef.Name}, copied); err != nil {
		s.t.Fatal(err)
	}
	if !ptr.Deref(copied.Immutable, false) || spec.Volumes[0].Secret.SecretName == "key" || spec.Volumes[1].ConfigMap.Name != "nowhere" {
		s.t.Errorf("want an immutable copy of the ConfigMap, a copy of the Secret, and the optional one left alone; got immutable %v, volumes %+v", copied.Immutable, spec.Volumes)
	}
	return copied.Data["colour"]
}

// copies counts the copies that there are.
func (s *shop) copies() int {
	s.t.Helper()
	var maps corev1.ConfigMapList
	var secrets corev1.SecretList
	for _, list := range []client.ObjectList{&maps, &secrets} {
		if err := s.client.List(s.ctx, list, client.InNamespace(s.ns), client.MatchingLabels{v1alpha1.RolloutLabel: "shop"}); err != nil {
			s.t.Fatal(err)
		}
	}
	return len(maps.Items) + len(secrets.Items)
}

func TestTrackedConfigurationIsPartOfTheRevision(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "key", Namespace: s.ns}, StringData: map[string]string{"token": "t0"}})
	s.create(s.configured())
	missing := s.untilPhase(v1alpha1.PhasePending).Status.Message
	if want := "spec.trackConfig: ConfigMap settings, which the pod template refers to, does not exist in namespace " + s.ns + "; create it, or mark the reference as optional"; missing != want {
		t.Errorf("message %q, want %q", missing, want)
	}

	s.create(s.settings("green"))
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	if got := s.colour(first); got != "green" {
		t.Errorf("the first revision gets %q, want green", got)
	}

	if err := s.client.Patch(s.ctx, s.settings("blue"), client.Merge); err != nil {
		t.Fatal(err)
	}
	second := s.within(30*time.Second+patience, "canary at 50 %, noticed within 30 s", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhasePaused
	}).Status.CanaryRevision
	if got := s.colour(second); got != "blue" || s.colour(first) != "green" {
		t.Errorf("the canary gets %q and stable %q, want blue and green", got, s.colour(first))
	}

	s.command(`{"id":"1","verb":"promote","by":"ada"}`)
	s.healthyWith(first)
	s.until("the old revision's copy deleted with it", func(*v1alpha1.Rollout) bool { return s.replicas(first) == -1 && s.copies() == 2 })
	if got := s.colour(second); got != "blue" {
		t.Errorf("after the first revision was forgotten the second gets %q, want blue", got)
	}
	s.forbidden()
}

// forbidden ends a tracked Rollout's source, and sees that nothing that runs is touched.
func (s *shop) forbidden() {
	s.t.Helper()
	if err := s.client.Delete(s.ctx, s.settings("")); err != nil {
		s.t.Fatal(err)
	}
	s.patch(func(ro *v1alpha1.Rollout) { metav1.SetMetaDataAnnotation(&ro.ObjectMeta, "example.com/look", "again") })
	s.untilPhase(v1alpha1.PhaseHolding)
	err := wait.PollUntilContextTimeout(s.ctx, 100*time.Millisecond, time.Second, true, func(context.Context) (bool, error) {
		return s.copies() != 2, nil
	})
	if err == nil {
		s.t.Errorf("%d copies after the source was deleted, want the 2 that the pods use", s.copies())
	}
}

func TestUndoRestoresTheConfiguration(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "key", Namespace: s.ns}, StringData: map[string]string{"token": "t0"}})
		s.create(s.settings("green"))
		*ro = *s.configured()
		ro.Spec.RevisionHistoryLimit = ptr.To(int32(3))
	})
	if err := s.client.Patch(s.ctx, s.settings("blue"), client.Merge); err != nil {
		t.Fatal(err)
	}
	s.patch(func(ro *v1alpha1.Rollout) { metav1.SetMetaDataAnnotation(&ro.ObjectMeta, "example.com/look", "now") })
	s.atStep(1)
	s.say(v1alpha1.VerbPromote)
	second := s.healthyWith(first)

	s.say(v1alpha1.VerbUndo)
	s.until("the first revision at the pause step", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CanaryRevision == first && ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 1
	})
	s.say(v1alpha1.VerbPromote)
	if got := s.healthyWith(second); got != first || s.colour(first) != "green" || s.colour(second) != "blue" {
		t.Errorf("%s is stable with %q, the other has %q; want %s with green, the other blue", got, s.colour(first), s.colour(second), first)
	}
}

func TestTwoRolloutsTrackTheSameConfiguration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.settings("green"))
	for _, name := range []string{"web", "worker"} {
		template := podTemplate("shop:v1")
		template.Labels = map[string]string{"app": name}
		template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
		s.create(&v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns}, Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To(int32(1)), TrackConfig: true, Template: template, Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
		}})
		s.rolloutUntil(name, func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHealthy })
	}
}

// dropCopies deletes the copies that a revision refers to.
func (s *shop) dropCopies(hash string) (names []string) {
	s.t.Helper()
	spec := s.replicaSet(hash).Spec.Template.Spec
	of := metav1.ObjectMeta{Namespace: s.ns, Name: spec.Containers[0].EnvFrom[0].ConfigMapRef.Name}
	secret := metav1.ObjectMeta{Namespace: s.ns, Name: spec.Volumes[0].Secret.SecretName}
	for _, o := range []client.Object{&corev1.ConfigMap{ObjectMeta: of}, &corev1.Secret{ObjectMeta: secret}} {
		if err := s.client.Delete(s.ctx, o); err != nil {
			s.t.Fatal(err)
		}
	}
	s.poke()
	return []string{"ConfigMap " + of.Name, "Secret " + secret.Name}
}

// configure changes what the pods are given.
func (s *shop) configure(colour string) {
	s.t.Helper()
	if err := s.client.Patch(s.ctx, s.settings(colour), client.Merge); err != nil {
		s.t.Fatal(err)
	}
	s.poke()
}

// withCopies waits until every copy that revisions in use refer to is there.
func (s *shop) withCopies(n int) *v1alpha1.Rollout {
	s.t.Helper()
	return s.until("with every copy", func(ro *v1alpha1.Rollout) bool {
		return s.copies() == n && meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionConfigurationKept) == nil
	})
}

// TestACopyThatIsDeleted: it is made again while its content can be known. While it
// can't that is said, with what to do, and neither an abort nor a release waits for it.
func TestACopyThatIsDeleted(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "key", Namespace: s.ns}, StringData: map[string]string{"token": "t0"}})
		s.create(s.settings("green"))
		*ro = *s.configured()
	})
	s.dropCopies(first)
	s.withCopies(2)
	if got := s.colour(first); got != "green" {
		t.Errorf("the copy that is made again says %q, want green", got)
	}
	s.configure("blue")
	second := s.atStep(1).Status.CanaryRevision
	s.dropCopies(second) // the Secret's is the first one's, too
	s.withCopies(3)
	if got := s.colour(second); got != "blue" {
		t.Errorf("the copy that is made again says %q, want blue", got)
	}

	gone := s.dropCopies(first)
	lost := func(ro *v1alpha1.Rollout) bool {
		c := meta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionConfigurationKept)
		return c != nil && c.Status == metav1.ConditionFalse && s.copies() == 2 && !strings.Contains(c.Message, gone[1]) && contains(c.Message, []string{
			gone[0], "revision " + first, "ConfigMap settings has other content now", "put that back into ConfigMap settings", "have another revision take its place",
		}) && contains(ro.Status.Message, []string{gone[0] + " of revision " + first + " was deleted", v1alpha1.ConditionConfigurationKept})
	}
	s.until("told what is lost, for whom and what to do", lost)
	s.say(v1alpha1.VerbAbort)
	s.aborted(v1alpha1.ReasonAbortedByCommand)
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("after the abort stable has %d %% and the canary %d %%", stable, canary)
	}
	s.until("told still", lost)
	s.configure("green")
	s.withCopies(2) // the second one is forgotten
	if back := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision; back != first || s.colour(first) != "green" {
		t.Errorf("stable is %s with %q, want %s with green", back, s.colour(first), first)
	}

	s.configure("blue")
	s.atStep(1)
	s.dropCopies(first)
	s.until("told again", lost)
	s.say(v1alpha1.VerbPromote)
	s.healthyWith(first)
	s.withCopies(2) // nobody needs the first one's
}
