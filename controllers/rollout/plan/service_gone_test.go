// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestStablesServiceIsGone: somebody has deleted it. No route can lead to stable by it,
// but the canary's Service can, so that nobody is left with a revision that was taken back.
func TestStablesServiceIsGone(t *testing.T) {
	aborted := latched(v1alpha1.ReasonAbortedByCommand)
	for name, m := range map[string]moment{
		"Abort": {
			"somebody deleted it, and the canary's leads to stable's pods as well", scene(canaryOf(2, 4, 100), aborted, serviceGone, settledNow),
			[]string{"point Service canary at revision v1"}, []string{toStable, "scale shop-v2"},
		},
		"Aborted": {"all traffic is with stable then", scene(canaryOf(2, 4, 100), aborted, serviceGone, ledByCanarys, settledNow), []string{"Degraded"}, []string{toStable}},
		"Rebinding": {
			"nor does a change of strategy wait for a Service that the spec no longer names",
			scene(canaryOf(2, 4, 100), latched(v1alpha1.ReasonStrategyChanged), serviceGone, ledByCanarys, settledNow, rebound), []string{"giving the former ones back"}, []string{toStable},
		},
		"AtRest": {
			"an old revision, behind the canary's Service, would keep all traffic for ever, and the former objects with it",
			scene(old("v0", 2), settledNow, serviceGone, func(s *Snapshot) { s.CanaryService = service("canary", "v0", 2) }, rebound),
			[]string{"point Service canary at revision v1"}, []string{"scale shop-v0", toStable},
		},
	} {
		t.Run(name, m.check)
	}
}

// serviceGone: somebody has deleted stable's Service, and the canary was given its share.
func serviceGone(s *Snapshot) {
	s.StableService = Service{Name: "stable", Absent: true}
	s.Traffic = carried(traffic.CanaryAt(100))
}

// ledByCanarys: the canary's Service stands for stable.
func ledByCanarys(s *Snapshot) { s.CanaryService = service("canary", "v1", 4) }
