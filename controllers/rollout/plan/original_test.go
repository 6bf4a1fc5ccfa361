// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const list = "HTTPRoute/shop#1.0"

// saying has the route say what it carries in these forms.
func saying(forms map[string]traffic.Form) edit {
	return func(s *Snapshot) { s.Traffic.Lists = forms }
}

// wrote has the status remember what the user wrote into the one list.
func wrote(stable, canary *int32) edit {
	return func(s *Snapshot) {
		s.Rollout.Status.OriginalWeights = []v1alpha1.OriginalWeights{{List: list, Stable: stable, Canary: canary}}
	}
}

func deleted(s *Snapshot) { s.Rollout.DeletionTimestamp = &metav1.Time{Time: noon} }

// besideDeployment has a Deployment that got its pods back, which both Services list.
func besideDeployment(s *Snapshot) {
	s.Workload = &Workload{Name: "shop", Replicas: 4, Current: 4, Available: 4, Before: ptr.To(int32(4))}
	at := metav1.NewTime(noon.Add(-defaultConvergence))
	s.Rollout.Status.Traffic = &v1alpha1.TrafficStatus{
		Requested: []v1alpha1.RevisionWeight{{Service: "stable", Weight: 100}, {Service: "canary"}}, Since: &at, AcceptedAt: &at,
		Endpoints: []v1alpha1.ServiceEndpoints{{Service: "stable", Ready: 4, Since: at}},
	}
	for _, service := range []*Service{&s.StableService, &s.CanaryService} {
		service.Selects, service.Ready = "", map[string]int32{"v1": 4, "": 4}
	}
}

func canaryGone(s *Snapshot) { s.CanaryService.Ready = nil }

// TestOriginalWeightsAreGivenBack: those that can be served, and once.
func TestOriginalWeightsAreGivenBack(t *testing.T) {
	even := wrote(nil, nil)
	now := func(stable, canary int32) edit {
		return saying(map[string]traffic.Form{list: traffic.Written(int64(stable), int64(canary))})
	}
	cases := map[string]struct {
		reason string
		edits  []edit
		// want is nil when nothing is released.
		want []string
	}{
		"Rebound":      {reason: "the user's own weights come back", edits: []edit{even, now(100, 0), settledNow, rebound}, want: []string{list}},
		"Unserved":     {reason: "but never where a Service has no ready endpoint; at rest the route may stay", edits: []edit{even, now(100, 0), settledNow, canaryGone, rebound}},
		"BackAlready":  {reason: "and are not asked for again", edits: []edit{even, saying(map[string]traffic.Form{list: {}}), settledNow, rebound}},
		"Deleted":      {reason: "so when the Rollout is deleted", edits: []edit{even, now(100, 0), settledNow, deleted}, want: []string{list}},
		"Handing":      {reason: "beside a Deployment when callers reach its pods", edits: []edit{even, now(100, 0), settledNow, deleted, besideDeployment}, want: []string{list}},
		"OurPodsOnly":  {reason: "pods that leave with the Rollout serve nobody then", edits: []edit{even, now(100, 0), settledNow, deleted, besideDeployment, func(s *Snapshot) { s.CanaryService.Ready = map[string]int32{"v1": 4} }}, want: []string{}},
		"NothingKnown": {reason: "a route at rest is left alone where nothing is known", edits: []edit{now(100, 0), settledNow, rebound}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, a := range Decide(scene(tc.edits...)).Actions {
				if r, ok := a.(ReleaseTraffic); ok {
					got = append([]string{}, slices.Sorted(maps.Keys(r.Own))...)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestOriginalWeightsAreRemembered: what the first pass sees, and later only what can't be ours.
func TestOriginalWeightsAreRemembered(t *testing.T) {
	const another = "HTTPRoute/shop#2.0"
	seen := func(forms ...traffic.Form) edit {
		all := map[string]traffic.Form{}
		for i, f := range forms {
			all[[]string{list, another}[i]] = f
		}
		return saying(all)
	}
	cases := map[string]struct {
		reason string
		edits  []edit
		want   []v1alpha1.OriginalWeights
	}{
		"First":  {reason: "whatever it is", edits: []edit{seen(traffic.Written(3, 1))}, want: []v1alpha1.OriginalWeights{{List: list, Stable: ptr.To(int32(3)), Canary: ptr.To(int32(1))}}},
		"Kept":   {reason: "it stays as it was", edits: []edit{wrote(ptr.To(int32(1)), ptr.To(int32(0))), seen(traffic.Written(75, 25))}, want: []v1alpha1.OriginalWeights{{List: list, Stable: ptr.To(int32(1)), Canary: ptr.To(int32(0))}}},
		"Edited": {reason: "a list that comes later may hold ours", edits: []edit{wrote(nil, nil), seen(traffic.Form{}, traffic.Written(75, 25))}, want: []v1alpha1.OriginalWeights{{List: list}}},
		"Added":  {reason: "unless the canary has nothing in it", edits: []edit{wrote(nil, nil), seen(traffic.Form{}, traffic.Written(1, 0))}, want: []v1alpha1.OriginalWeights{{List: list}, {List: another, Stable: ptr.To(int32(1)), Canary: ptr.To(int32(0))}}},
		"Unread": {reason: "nothing is forgotten while a route can't be read", edits: []edit{wrote(nil, nil), func(s *Snapshot) { s.Traffic = traffic.Observed{} }}, want: []v1alpha1.OriginalWeights{{List: list}}},
		"Managed": {reason: "the spec of a managed route is in the Rollout", edits: []edit{seen(traffic.Written(3, 1)), func(s *Snapshot) {
			c := s.Rollout.Spec.Strategy.Canary
			c.Routes, c.ManagedRoutes = nil, []v1alpha1.ManagedRoute{{Kind: "HTTPRoute", Name: "shop"}}
		}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Decide(scene(tc.edits...)).Status.OriginalWeights
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestRoutesThatCantAllBeRead: a strategy names other objects while one of several
// routes is gone. Nobody waits for it, and the others are given back all the same.
func TestRoutesThatCantAllBeRead(t *testing.T) {
	cases := map[string]struct {
		reason string
		seen   traffic.Observed
		want   bool
	}{
		"AllRead": {"what has the user's weights is left alone", carried(traffic.CanaryAt(0)), false},
		"OneGone": {"what nobody can read may say anything", traffic.Observed{}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := Decide(scene(settledNow, func(s *Snapshot) {
				s.Rollout.Status.Bindings = ptr.To(WantedBindings(s.Rollout))
				s.Rollout.Spec.Strategy = v1alpha1.Strategy{}
				s.StableService, s.CanaryService = service("stable", "", 0), service("canary", "", 0)
				s.Traffic = tc.seen
			}))
			released := slices.ContainsFunc(p.Actions, func(a Action) bool { _, is := a.(ReleaseTraffic); return is })
			if rebound := len(p.Status.Bindings.Routes) == 0; !rebound || released != tc.want {
				t.Errorf("%s: rebound %t, released %t, want %t", tc.reason, rebound, released, tc.want)
			}
		})
	}
}
