// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// TestNoSeriesOutlivesItsRollout: names come and go, and the series must not pile up.
func TestNoSeriesOutlivesItsRollout(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	rollout := func(namespace, name string) *v1alpha1.Rollout {
		ro := &v1alpha1.Rollout{}
		ro.Namespace, ro.Name = namespace, name
		return ro
	}
	for _, ro := range []*v1alpha1.Rollout{rollout("a", "shop"), rollout("a", "till"), rollout("b", "shop")} {
		m.transition(ro, v1alpha1.RolloutStatus{History: []v1alpha1.Outcome{{Revision: "v2", Cause: v1alpha1.CausePromoted}}})
		m.action(ro, plan.ShiftTraffic{Drift: true})
	}
	m.forget(rollout("a", "shop"))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, family := range families {
		got[family.GetName()] = len(family.GetMetric())
	}
	if diff := cmp.Diff(map[string]int{"sluice_actions_total": 1, "sluice_release_outcomes_total": 2, "sluice_route_drift_total": 2}, got); diff != "" {
		t.Errorf("series after one of three Rollouts is gone (-want +got):\n%s", diff)
	}
}
