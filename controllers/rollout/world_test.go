// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

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

// record is all that a Rollout's status and its route's weight have been. Polling
// misses what passes by itself while the machine is busy; a watch does not.
type record struct {
	shop     *shop
	mu       sync.Mutex
	rollouts []*v1alpha1.Rollout
	// weights of the canary in the route, each change once.
	weights []int32
}

// record begins with what is so now.
func (s *shop) record() *record {
	s.t.Helper()
	r := &record{shop: s}
	for _, list := range []client.ObjectList{&v1alpha1.RolloutList{}, &gatewayv1.HTTPRouteList{}} {
		w, err := s.client.Watch(s.ctx, list, client.InNamespace(s.ns))
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(w.Stop)
		go func() {
			for e := range w.ResultChan() {
				r.add(e.Object)
			}
		}()
	}
	return r
}

func (r *record) add(o runtime.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o := o.(type) {
	case *v1alpha1.Rollout:
		r.rollouts = append(r.rollouts, o)
	case *gatewayv1.HTTPRoute:
		if weight := *o.Spec.Rules[0].BackendRefs[1].Weight; len(r.weights) == 0 || r.weights[len(r.weights)-1] != weight {
			r.weights = append(r.weights, weight)
		}
	}
}

// first gives the first Rollout that was as told, once there is one.
func (r *record) first(what string, is func(*v1alpha1.Rollout) bool) (found *v1alpha1.Rollout) {
	r.shop.t.Helper()
	r.shop.comes(what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := slices.IndexFunc(r.rollouts, is)
		if i >= 0 {
			found = r.rollouts[i]
		}
		return i >= 0
	})
	return found
}

// carried waits until the route has given the canary these weights, in this order and no others.
func (r *record) carried(want ...int32) {
	r.shop.t.Helper()
	var got []int32
	r.shop.comes(fmt.Sprintf("the canary with weights %v in turn", want), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		got = slices.Clone(r.weights)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		r.shop.t.Errorf("the route gave the canary %v in turn, want %v", got, want)
	}
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
