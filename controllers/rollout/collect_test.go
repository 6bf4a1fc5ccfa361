// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"maps"
	"testing"

	promclient "github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// standing gives where the Rollouts stand, as /metrics tells.
func standing(t *testing.T, counts *promclient.Registry) map[string]float64 {
	t.Helper()
	families, err := counts.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch family.GetName() {
			case "sluice_rollout_phase":
				all[labels["rollout"]+" "+labels["phase"]+"/"+labels["reason"]] = m.GetGauge().GetValue()
			case "sluice_rollout_canary_weight":
				all[labels["rollout"]+" weight"] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// TestWhereARolloutStandsIsShown: alerts can tell a release that waits from one
// that goes on, and nothing is left of a Rollout that is gone.
func TestWhereARolloutStandsIsShown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	counts := promclient.NewRegistry()
	startCounting(t, testenv.Start(t), s.ns, counts)
	s.create(s.rollout(weight(25), pause()))
	shows := func(what string, want map[string]float64) {
		t.Helper()
		s.until(what, func(*v1alpha1.Rollout) bool { return maps.Equal(standing(t, counts), want) })
	}
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	shows("healthy", map[string]float64{"shop Healthy/Promoted": 1, "shop weight": 0})
	s.release("shop:v2")
	s.atStep(1)
	shows("paused", map[string]float64{"shop Paused/PauseStep": 1, "shop weight": 25})
	s.promote(1)
	s.healthyWith(first)
	shows("promoted", map[string]float64{"shop Healthy/Promoted": 1, "shop weight": 0})
	s.delete(s.get())
	s.comes("the metrics of a Rollout that is gone going, too", func() bool { return len(standing(t, counts)) == 0 })
}
