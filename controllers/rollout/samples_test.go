// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// applySamples creates what `kubectl apply -k config/samples` does.
func (s *shop) applySamples() {
	s.t.Helper()
	folder := filepath.Join("..", "..", "config", "samples")
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			s.t.Fatal(err)
		}
		return raw
	}
	var list struct{ Resources []string }
	if err := yaml.Unmarshal(read("kustomization.yaml"), &list); err != nil || len(list.Resources) == 0 {
		s.t.Fatalf("%v, %v", list, err)
	}
	for _, name := range list.Resources {
		for document := range strings.SplitSeq(string(read(name)), "\n---\n") {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
				s.t.Fatalf("%s: %v", name, err)
			}
			o.SetNamespace(s.ns)
			s.create(o)
		}
	}
}

// TestSamplesAreReleased follows the README: apply the samples, wait, change
// the template, and, as there is nobody to measure, promote by hand.
func TestSamplesAreReleased(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &shop{t: t, ctx: ctx, client: env.Client(t, newScheme()), ns: env.Namespace(t)}
	s.applySamples()
	go s.playGateway()
	startController(t, env, s.ns)

	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.until("the Deployment without pods", func(*v1alpha1.Rollout) bool { return *s.deployment().Spec.Replicas == 0 })
	if got := s.ready(first); got != 4 {
		t.Errorf("%d pods are ready, want 4", got)
	}

	d := s.deployment()
	s.edit(d, func() { d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "VERSION", Value: "2"}} })
	for i, want := range []int32{5, 25, 50} {
		ro := s.atStep(int32(2*i + 1))
		if got := ro.Status.Traffic.CanaryWeight; got != want || ro.Status.Phase == v1alpha1.PhasePaused {
			t.Errorf("at step %d: weight %d, phase %s; want %d", 2*i+2, got, ro.Status.Phase, want)
		}
		s.promote(int32(2*i + 1))
	}
	s.healthyWith(first)
}
