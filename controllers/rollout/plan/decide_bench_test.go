// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// BenchmarkDecide measures one decision in the middle of a release: a canary at
// 25 % by one route, analysed, with four revisions and a status in place.
func BenchmarkDecide(b *testing.B) {
	s := typical()
	for range 2 { // the first decision begins the release, the second finds its status in place
		s.Rollout.Status = plan.Decide(s).Status
		s.Now = s.Now.Add(10 * time.Second)
	}
	if p := plan.Decide(s); p.Status.CurrentStep == nil {
		b.Fatalf("the snapshot is not in the middle of a release: %s", p.Status.Message)
	}
	b.ReportAllocs()
	for b.Loop() {
		plan.Decide(s)
	}
}

func typical() plan.Snapshot {
	labels := map[string]string{"app": "shop"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop:4"}}},
	}
	weight := func(n int32) v1alpha1.Step { return v1alpha1.Step{SetWeight: &n} }
	pause := v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: time.Hour}}}
	ro := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "shop", Generation: 4, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.RolloutSpec{
			Replicas: new(int32(10)),
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
				StableService: "shop-stable", CanaryService: "shop-canary",
				Routes:   []v1alpha1.RouteRef{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: "shop"}},
				Analysis: &v1alpha1.Analysis{Metrics: []v1alpha1.Metric{{Name: "errors"}, {Name: "latency"}}},
				Steps:    []v1alpha1.Step{weight(5), pause, weight(25), pause, weight(50), pause, weight(75), pause},
			}},
		},
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ro.Status.StableRevision, ro.Status.CanaryRevision, ro.Status.Release = "c3", "d4", 4
	ro.Status.CurrentStep = &v1alpha1.CurrentStep{Index: 2, Since: metav1.NewTime(at)}
	split := []traffic.Split{traffic.CanaryAt(25)}
	revision := func(hash string, number int64, n int32) plan.Revision {
		return plan.Revision{Hash: hash, Name: "shop-" + hash, Number: number, Images: []string{"shop:" + hash}, Replicas: n, Current: n, Ready: n, Available: n}
	}
	return plan.Snapshot{
		Now: at, Rollout: ro, Template: &template, Target: "d4", Selector: &metav1.LabelSelector{MatchLabels: labels},
		Revisions:     []plan.Revision{revision("a1", 1, 0), revision("b2", 2, 0), revision("c3", 3, 10), revision("d4", 4, 3)},
		StableService: plan.Service{Name: "shop-stable", Selects: "c3", Ready: map[string]int32{"c3": 10}},
		CanaryService: plan.Service{Name: "shop-canary", Selects: "d4", Ready: map[string]int32{"d4": 3}},
		Traffic:       traffic.Observed{Requested: split, Confirmed: split},
	}
}
