// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestASecondLookSeesTheSame although the first one has changed who has which
// role, or whether requests are asked, on which hangs what is remembered of traffic.
func TestASecondLookSeesTheSame(t *testing.T) {
	failed := theRun(func(r *v1alpha1.AnalysisRun) { r.Status.Phase = v1alpha1.AnalysisFailed })
	promoted := []edit{canaryOf(3, 4, 0), func(s *Snapshot) {
		s.StableService = service("stable", "v2", 4)
		s.CanaryService.Ready = map[string]int32{"v1": 4} // not heard yet that it was pointed elsewhere
		settledNow(s)
		since := metav1.NewTime(noon.Add(-time.Minute))
		s.Rollout.Status.Traffic.Endpoints = append(s.Rollout.Status.Traffic.Endpoints, v1alpha1.ServiceEndpoints{Service: "canary", Revision: "v1", Ready: 4, Since: since})
		s.Watched = noon.Add(-time.Second)
	}}
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		stable string
	}{
		"Aborted":  {"an abort asks no requests", append(watchedBy(counts("errors", five(share(250, 1000))...)), failed), "v1"},
		"Astray":   {"nor what contradicts", append(watchedBy(counts("errors", five(share(0, 1000))...)), failed), "v1"},
		"Promoted": {"what was stable's may have been gone for a while in an idle slot", promoted, "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(tc.edits...)
			first := Decide(s).Status
			if first.StableRevision != tc.stable || first.StableRevision == "v1" && first.Abort == nil {
				t.Fatalf("the scene is another one: %s is stable: %s", first.StableRevision, first.Message)
			}
			s.Rollout.Status = first
			if diff := cmp.Diff(first.Traffic, Decide(s).Status.Traffic); diff != "" {
				t.Errorf("%s (-first, +second):\n%s", tc.reason, diff)
			}
		})
	}
}
