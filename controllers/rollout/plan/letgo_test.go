// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestWhatGoesWithTheRollout: whatever the workload owns, too, and does not need.
func TestWhatGoesWithTheRollout(t *testing.T) {
	fresh := "v1" + baselineMark + "2"
	route := v1alpha1.RouteRef{Kind: "HTTPRoute", Name: "shop"}
	beside := func(before *int32) edit {
		return func(s *Snapshot) {
			s.Workload = &Workload{Name: "shop", UID: "1", Replicas: 4, Current: 4, Available: 4, Before: before}
		}
	}
	cases := map[string]struct {
		reason string
		edits  []edit
		want   DropFinalizer
	}{
		"Alone": {reason: "nobody else owns anything"},
		"Beside": {
			reason: "a Deployment that was never scaled down has served all along", edits: []edit{beside(nil)},
			want: DropFinalizer{Revisions: []string{"shop-v1"}, Services: []string{"stable", "canary"}, Routes: []v1alpha1.RouteRef{route}},
		},
		"TakenOver": {
			reason: "it is reached by the routes that we made", edits: []edit{beside(ptr.To(int32(4)))},
			want: DropFinalizer{Revisions: []string{"shop-v1"}, Services: []string{"stable", "canary"}},
		},
		"MidFlight": {
			reason: "so with every revision and its fresh pods", edits: []edit{beside(nil), func(s *Snapshot) {
				s.Revisions = append(s.Revisions, revision(fresh, 0, 1), revision("v2", 2, 1))
			}},
			want: DropFinalizer{Revisions: []string{"shop-v1", "shop-v2", "shop-" + fresh}, Services: []string{"stable", "canary"}, Routes: []v1alpha1.RouteRef{route}},
		},
		"Config": {
			reason: "each copy once, and that of a revision that is still to be made", edits: []edit{beside(nil), func(s *Snapshot) {
				a, b := ConfigRef{"ConfigMap", "shop-a"}, ConfigRef{KindSecret, "shop-b"}
				s.Revisions[0].Config = []ConfigRef{b, a}
				second := revision("v2", 2, 1)
				second.Config = []ConfigRef{a}
				s.Revisions = append(s.Revisions, second)
				s.Config = []ConfigCopy{{ConfigRef{"ConfigMap", "a"}, "shop-c"}}
			}},
			want: DropFinalizer{
				Revisions: []string{"shop-v1", "shop-v2"}, Services: []string{"stable", "canary"}, Routes: []v1alpha1.RouteRef{route},
				Config: []ConfigRef{{"ConfigMap", "shop-a"}, {"ConfigMap", "shop-c"}, {KindSecret, "shop-b"}},
			},
		},
		"NotThere": {
			reason: "what does not exist needs no write", edits: []edit{beside(nil), func(s *Snapshot) { s.CanaryService = Service{Name: "canary", Absent: true} }},
			want: DropFinalizer{Revisions: []string{"shop-v1"}, Services: []string{"stable"}, Routes: []v1alpha1.RouteRef{route}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			atRest := func(s *Snapshot) {
				s.Managed = []Managed{{Ref: route}}
				s.StableService.Version, s.CanaryService.Version = "7", "8"
			}
			got := letGo(assess(scene(append([]edit{atRest}, tc.edits...)...)))
			got.why = ""
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(DropFinalizer{})); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}
