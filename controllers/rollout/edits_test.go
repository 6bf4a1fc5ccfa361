// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestACorrectedAddressReachesTheRunUnderWay: nobody has to abort a release
// because its Prometheus was named wrongly, or has moved.
func TestACorrectedAddressReachesTheRunUnderWay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.analysed(s.rollout(weight(25), analyze(), weight(50)))
	right := ro.Spec.Strategy.Canary.Analysis.Prometheus.Address
	wrong := "http://127.0.0.1:1"
	value := "7"
	ro.Spec.Strategy.Canary.Analysis.Prometheus.Address = wrong
	ro.Spec.Strategy.Canary.Analysis.Prometheus.Headers = []v1alpha1.Header{{Name: "X-Scope-OrgID", Value: &value}}
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	s.until("held for want of data", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CanaryRevision != "" && strings.Contains(ro.Status.Message, wrong)
	})
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.Analysis.Prometheus = &v1alpha1.Prometheus{Address: right}
	})
	done := s.until("v2 promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision != first
	})
	if done.Status.Release != 2 {
		t.Errorf("it took %d releases, want the one that was under way", done.Status.Release)
	}
	run := &v1alpha1.AnalysisRun{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-2"}, run); err != nil {
		t.Fatal(err)
	}
	if p := run.Spec.Prometheus; p.Address != right || len(p.Headers) != 0 {
		t.Errorf("the run asks %+v, want all of %s and no header of before", p, right)
	}
}
