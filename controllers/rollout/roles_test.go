// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestMetadataOfRolesChangesInPlace(t *testing.T) {
	t.Parallel()
	role := func(name string) *v1alpha1.PodMetadata {
		return &v1alpha1.PodMetadata{Labels: map[string]string{"role": name}, Annotations: map[string]string{"example.com/" + name: "yes"}}
	}
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) {
		c := ro.Spec.Strategy.Canary
		c.StableMetadata, c.CanaryMetadata = role("stable"), role("canary")
	}, weight(50), pause())
	carry := func(hash, name, not string, n int) {
		t.Helper()
		s.until(fmt.Sprintf("%d pods of %s marked %s", n, hash, name), func(*v1alpha1.Rollout) bool {
			marked := 0
			for _, p := range s.pods(hash) {
				if p.Labels["role"] == name && p.Annotations["example.com/"+name] == "yes" && p.Annotations["example.com/"+not] == "" {
					marked++
				}
			}
			return marked == n && len(s.pods(hash)) == n
		})
	}
	carry(first, "stable", "canary", 4)
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	carry(second, "canary", "stable", 2)
	carry(first, "stable", "canary", 4)
	before := map[string]bool{}
	for _, p := range s.pods(second) {
		before[string(p.UID)] = true
	}
	s.say(v1alpha1.VerbPromote)
	s.healthyWith(first)
	carry(second, "stable", "canary", 4)
	kept := 0
	for _, p := range s.pods(second) {
		if before[string(p.UID)] {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("%d of the canary's 2 pods are left after promotion: metadata must not restart them", kept)
	}
}

func TestAntiAffinityKeepsRevisionsApart(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(_ *shop, ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.AntiAffinity = &v1alpha1.AntiAffinity{Required: &v1alpha1.RequiredAntiAffinity{TopologyKey: "kubernetes.io/hostname"}}
	}, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	for _, hash := range []string{first, second} {
		terms := s.replicaSet(hash).Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		if len(terms) != 1 || terms[0].TopologyKey != "kubernetes.io/hostname" {
			t.Fatalf("terms of %s: %+v", hash, terms)
		}
		selector, err := metav1.LabelSelectorAsSelector(terms[0].LabelSelector)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.pods("") {
			other := p.Labels[v1alpha1.RevisionLabel] != hash
			if got := selector.Matches(labels.Set(p.Labels)); got != other {
				t.Errorf("pods of %s are kept from one of %s: %t, want %t", hash, p.Labels[v1alpha1.RevisionLabel], got, other)
			}
		}
	}
}

func TestServicesAreMadeFromTheCallersOne(t *testing.T) {
	t.Parallel()
	s, first := opened(t, func(s *shop, ro *v1alpha1.Rollout) {
		for _, name := range []string{"shop-stable", "shop-canary"} {
			if err := s.client.Delete(s.ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns}}); err != nil {
				s.t.Fatal(err)
			}
		}
		s.create(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: s.ns},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "shop"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
		})
		c := ro.Spec.Strategy.Canary
		c.Service, c.StableService, c.CanaryService = "shop", "", ""
	}, weight(50), pause())
	s.release("shop:v2")
	second := s.atStep(1).Status.CanaryRevision
	if s.selects("shop-stable") != first || s.selects("shop-canary") != second || s.selects("shop") != "" {
		t.Errorf("shop-stable stands for %s, shop-canary for %s, shop for %q", s.selects("shop-stable"), s.selects("shop-canary"), s.selects("shop"))
	}
	made := &corev1.Service{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-canary"}, made); err != nil {
		t.Fatal(err)
	}
	if !metav1.IsControlledBy(made, s.get()) || made.Spec.Ports[0].Name != "http" {
		t.Errorf("owned by %+v with ports %+v; want it to go with the Rollout and to have the callers' ports", made.OwnerReferences, made.Spec.Ports)
	}
	s.say(v1alpha1.VerbPromote)
	s.healthyWith(first)
}

func TestDeletionHandsBackInMidFlight(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, nil, weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	s.delete(s.get())
	if stable, canary := s.weights(); stable != 100 || canary != 0 {
		t.Errorf("the route is left with %d and %d", stable, canary)
	}
	if s.selects("shop-stable") != "" || s.selects("shop-canary") != "" {
		t.Errorf("Services are left narrowed to %q and %q", s.selects("shop-stable"), s.selects("shop-canary"))
	}
}

func TestDeletionWithMissingObjectsIsNotHeldUp(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, nil, weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	for _, o := range []client.Object{route(s.ns), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop-canary", Namespace: s.ns}}} {
		if err := s.client.Delete(s.ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	s.until("said what is missing", func(ro *v1alpha1.Rollout) bool { return ro.Status.Phase == v1alpha1.PhaseHolding })
	s.delete(s.get())
	if got := s.selects("shop-stable"); got != "" {
		t.Errorf("shop-stable is left narrowed to %s", got)
	}
}

// settled waits until a Rollout has not been written for longer than words are held back at rest, and gives its version.
func (s *shop) settled() (version string) {
	s.t.Helper()
	var since time.Time
	s.comes("a Rollout that is not written any more", func() bool {
		if now := s.get().ResourceVersion; now != version {
			version, since = now, time.Now()
		}
		return time.Since(since) > 4*time.Second
	})
	return version
}

func TestSettledRolloutIsNotWritten(t *testing.T) {
	t.Parallel()
	s, first := opened(t, nil, weight(50))
	s.release("shop:v2")
	s.healthyWith(first)
	s.until("v1 without pods, and told", func(ro *v1alpha1.Rollout) bool {
		return s.replicas(first) == 0 && ro.Status.Replicas == 4 && len(ro.Status.Revisions) == 1
	})
	version := s.settled()
	s.turn(s.get().Status.StableRevision, "") // wakes the controller, and changes nothing
	err := wait.PollUntilContextTimeout(s.ctx, 100*time.Millisecond, 4*time.Second, true, func(context.Context) (bool, error) {
		return s.get().ResourceVersion != version, nil
	})
	if err == nil {
		t.Errorf("a settled Rollout was written: %+v", s.get().Status)
	}
}
