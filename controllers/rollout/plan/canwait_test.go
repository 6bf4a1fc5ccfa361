// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestCanWait: what new things hang on may be read once more before a plan counts,
// but for the plans that save callers.
func TestCanWait(t *testing.T) {
	deleted := func(s *Snapshot) { now := metav1.NewTime(noon); s.Rollout.DeletionTimestamp = &now }
	gone := func(s *Snapshot) { s.CanaryService.Ready = map[string]int32{} }
	for name, tc := range map[string]struct {
		reason string
		scene  Snapshot
		want   bool
	}{
		"AtRest":     {"nothing is under way", scene(settledNow, problem), true},
		"Forward":    {"a step can begin later", scene(canaryOf(0, 1, 0), settledNow, problem), true},
		"Promotes":   {"a command would be refused for what may be in order", scene(canaryOf(1, 1, 25), settledNow, problem, says(v1alpha1.VerbPromoteFull)), true},
		"Aborted":    {"traffic is to be taken back", scene(canaryOf(1, 1, 25), settledNow, problem, says(v1alpha1.VerbAbort)), false},
		"Unweighted": {"an abort is latched even where there is no traffic to take back", scene(canaryOf(0, 1, 0), settledNow, problem, says(v1alpha1.VerbAbort)), false},
		"Returned":   {"and told once it is back", scene(canaryOf(1, 1, 0), settledNow, problem, latched(v1alpha1.ReasonAnalysisFailed)), false},
		"RolledBack": {"so with a template that is stable's again", scene(canaryOf(1, 1, 25), settledNow, problem, wants("v1")), false},
		"Stranded":   {"the canary has lost its endpoints, and whoever is sent there gets errors", scene(canaryOf(1, 1, 25), settledNow, problem, gone), false},
		"More":       {"more pods are asked for", scene(canaryOf(1, 1, 25), settledNow, problem, replicas(6)), false},
		"Deleted":    {"all is handed back", scene(settledNow, problem, deleted), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(tc.scene)
			if got := p.CanWait(); got != tc.want {
				t.Errorf("%s: can wait %t, want %t; %s: %s; %v", tc.reason, got, tc.want, p.Status.Phase, p.Status.Message, inOrder(p))
			}
		})
	}
	if whole := Decide(scene(canaryOf(0, 1, 0), settledNow)); whole.CanWait() || whole.Actions[0].String() != (ShiftTraffic{Split: traffic.CanaryAt(25)}).String() {
		t.Errorf("without a problem the scene does %v", inOrder(whole))
	}
}
