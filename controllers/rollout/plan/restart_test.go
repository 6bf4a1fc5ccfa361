// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestRestartWaitsForStandIn: the number of endpoints is the same before and
// after one pod took another's place.
func TestRestartWaitsForStandIn(t *testing.T) {
	old, young := noon.Add(-time.Hour), noon.Add(-time.Minute)
	long, just := metav1.NewTime(noon.Add(-time.Minute)), metav1.NewTime(noon.Add(-time.Second))
	cases := map[string]struct {
		reason    string
		endpoints v1alpha1.ServiceEndpoints
		listed    int32
		pods      []Pod
		evicts    string
	}{
		"First":       {"all five have been known for long", v1alpha1.ServiceEndpoints{Ready: 5, Since: long}, 5, []Pod{{Name: "a", Created: old}, {Name: "b", Created: old}}, "a"},
		"Unchanged":   {"the five that are listed may be the former ones", v1alpha1.ServiceEndpoints{Ready: 4, Since: long, Before: 4, Ending: 1, Evicted: "a"}, 5, []Pod{{Name: "b", Created: old}, {Name: "f", Created: young}}, ""},
		"StandInNew":  {"it is listed, and not known yet", v1alpha1.ServiceEndpoints{Ready: 5, Since: just, Before: 4}, 5, []Pod{{Name: "b", Created: old}, {Name: "f", Created: young}}, ""},
		"StandInSeen": {"it is known by now", v1alpha1.ServiceEndpoints{Ready: 5, Since: long, Before: 4}, 5, []Pod{{Name: "b", Created: old}, {Name: "f", Created: young}}, "b"},
		"Refused":     {"the pod is still there, so that it may be asked again", v1alpha1.ServiceEndpoints{Ready: 4, Since: just, Before: 4, Ending: 1, Evicted: "a"}, 5, []Pod{{Name: "a", Created: old}, {Name: "b", Created: old}}, "a"},
		"OnItsWay":    {"it leaves", v1alpha1.ServiceEndpoints{Ready: 4, Since: just, Before: 4, Ending: 1, Evicted: "a"}, 5, []Pod{{Name: "a", Created: old, Terminating: true}, {Name: "b", Created: old}}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow)
			s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-30 * time.Minute)))
			s.Revisions, s.Pods = []Revision{revision("v1", 1, 5)}, tc.pods
			s.StableService = service("stable", "v1", tc.listed)
			tc.endpoints.Service, tc.endpoints.Revision = "stable", "v1"
			s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{tc.endpoints}
			p := Decide(s)
			got := ""
			for _, a := range p.Actions {
				if e, ok := a.(EvictPod); ok {
					got = e.Name
				}
			}
			if got != tc.evicts {
				t.Fatalf("%s: evicts %q, want %q", tc.reason, got, tc.evicts)
			}
			noted := slices.ContainsFunc(p.Status.Traffic.Endpoints, func(e v1alpha1.ServiceEndpoints) bool {
				return e.Service == "stable" && e.Evicted == got && e.Ready == 4 && e.Ending == 1
			})
			if got != "" && (!noted || name != "Refused" && Worth(s.Rollout.Status, p.Status) > 0) {
				t.Errorf("%s: the eviction is not noted before it is asked for: %+v", tc.reason, p.Status.Traffic.Endpoints)
			}
		})
	}
}
