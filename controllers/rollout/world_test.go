// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// opened is a shop with a controller and a healthy Rollout; it gives the stable revision.
func opened(t *testing.T, change func(*shop, *v1alpha1.Rollout), steps ...v1alpha1.Step) (*shop, string) {
	t.Helper()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.rollout(steps...)
	if change != nil {
		change(s, ro)
	}
	s.create(ro)
	return s, s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
}

// say gives a command as jane.
func (s *shop) say(verb v1alpha1.Verb) {
	s.t.Helper()
	s.command(fmt.Sprintf(`{"id": "%s-%d", "verb": %q, "by": "jane"}`, verb, time.Now().UnixNano(), verb))
}

// atStep waits until the release in flight is at a step, counted from 0.
func (s *shop) atStep(index int32) *v1alpha1.Rollout {
	s.t.Helper()
	return s.until(fmt.Sprintf("at step %d", index), func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == index && ro.Status.ObservedGeneration == ro.Generation
	})
}

// aborted waits until a release is aborted and all traffic is back.
func (s *shop) aborted(reason string) *v1alpha1.Rollout {
	s.t.Helper()
	ro := s.untilPhase(v1alpha1.PhaseDegraded)
	if ro.Status.Abort == nil || ro.Status.Abort.Reason != reason {
		s.t.Fatalf("abort is %+v, want reason %s", ro.Status.Abort, reason)
	}
	return ro
}

// pods lists the pods of a revision that are not on their way out; of all revisions when hash is empty.
func (s *shop) pods(hash string) []corev1.Pod {
	s.t.Helper()
	var list corev1.PodList
	labels := client.MatchingLabels{"app": "shop"}
	if hash != "" {
		labels[v1alpha1.RevisionLabel] = hash
	}
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns), labels); err != nil {
		s.t.Fatal(err)
	}
	var there []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			there = append(there, p)
		}
	}
	return there
}

func isReady(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// ready counts the ready pods of a revision, or of all when hash is empty.
func (s *shop) ready(hash string) int32 {
	s.t.Helper()
	var n int32
	for _, p := range s.pods(hash) {
		if isReady(p) {
			n++
		}
	}
	return n
}

// scale sets replicas by the scale subresource, as an HPA does.
func (s *shop) scale(n int32) {
	s.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // with the controller's own writes
		scale, ro := &autoscalingv1.Scale{}, s.get()
		if err := s.client.SubResource("scale").Get(s.ctx, ro, scale); err != nil {
			return err
		}
		scale.Spec.Replicas = n
		return s.client.SubResource("scale").Update(s.ctx, ro, client.WithSubResourceBody(scale))
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// replicaSet reads the ReplicaSet of a revision.
func (s *shop) replicaSet(hash string) *appsv1.ReplicaSet {
	s.t.Helper()
	var list appsv1.ReplicaSetList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns), client.MatchingLabels{v1alpha1.RevisionLabel: hash}); err != nil {
		s.t.Fatal(err)
	}
	if len(list.Items) != 1 {
		s.t.Fatalf("revision %s has %d ReplicaSets", hash, len(list.Items))
	}
	return &list.Items[0]
}

// always looks again and again until stop is called; whatever wrong says is an
// error. It must say nothing of what is read while things change.
func (s *shop) always(wrong func(context.Context) string) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		said := false
		_ = wait.PollUntilContextCancel(ctx, 30*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			if what := wrong(ctx); what != "" && ctx.Err() == nil && !said {
				said = true
				s.t.Error(what)
			}
			return false, nil
		})
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	s.t.Cleanup(stop)
	return stop
}

func seconds(n int) *v1alpha1.Duration {
	return &v1alpha1.Duration{Duration: time.Duration(n) * time.Second}
}

// neverReady makes pods of a revision that never get ready.
func neverReady(image string) *corev1.PodTemplateSpec {
	t := podTemplate(image)
	t.Annotations = map[string]string{"pump.sluice.dev/behaviour": "never-ready"}
	return t
}
