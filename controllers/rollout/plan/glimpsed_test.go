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

// TestWhatALookHasSeenGoneIsNew: a pass looks twice, and in between a pod is back, or
// another one is in its place. Their number is what it was before the pass.
func TestWhatALookHasSeenGoneIsNew(t *testing.T) {
	const shifts = "shift traffic to stable 75 %, canary 25 %"
	canary := scene(canaryOf(0, 1, 0), settledNow)
	for name, tc := range map[string]struct {
		reason  string
		earlier edit
		m       moment
	}{
		"Gone":     {"the first look found none", endpoints(0), moment{"", canary, []string{"settling for 2s"}, []string{"shift"}}},
		"There":    {"the first look found it, too", endpoints(1), moment{"", canary, []string{shifts}, nil}},
		"NotKnown": {"nothing was known before either", endpoints(0), moment{"", scene(canaryOf(0, 1, 0)), nil, []string{"shift"}}},
	} {
		t.Run(name, func(t *testing.T) {
			first := tc.m.scene
			tc.earlier(&first)
			m := tc.m
			m.reason, m.scene.Rollout = tc.reason, Glimpsed(m.scene.Rollout, first.Rollout.Status, Decide(first).Status)
			m.check(t)
		})
	}
}

// TestALaterLookKeepsWhatItsOwnStatusTells, and takes over only what came or went.
func TestALaterLookKeepsWhatItsOwnStatusTells(t *testing.T) {
	entry := func(ready, ending int32, evicted string, ago time.Duration) *v1alpha1.ServiceEndpoints {
		return &v1alpha1.ServiceEndpoints{Service: "stable", Revision: "v1", Ready: ready, Before: ready, Ending: ending, Evicted: evicted, Since: metav1.NewTime(noon.Add(-ago))}
	}
	status := func(e *v1alpha1.ServiceEndpoints) v1alpha1.RolloutStatus {
		st := v1alpha1.RolloutStatus{Traffic: &v1alpha1.TrafficStatus{}}
		if e != nil {
			st.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{*e}
		}
		return st
	}
	for name, tc := range map[string]struct {
		reason               string
		compared, saw, later *v1alpha1.ServiceEndpoints
		want                 *v1alpha1.ServiceEndpoints
	}{
		"Same":      {"nothing happened", entry(4, 0, "", time.Hour), entry(4, 0, "", time.Hour), entry(4, 0, "", time.Hour), entry(4, 0, "", time.Hour)},
		"Fewer":     {"one was gone", entry(4, 0, "", time.Hour), entry(3, 0, "", time.Hour), entry(4, 0, "", time.Hour), entry(3, 0, "", time.Hour)},
		"Gone":      {"all were", entry(4, 0, "", time.Hour), nil, entry(4, 0, "", time.Hour), nil},
		"Newer":     {"the leader before had written another status since", entry(4, 0, "", time.Hour), entry(4, 0, "", time.Hour), entry(4, 0, "", time.Second), entry(4, 0, "", time.Second)},
		"NewerOnes": {"that status tells of them for the first time", nil, nil, entry(4, 0, "", time.Second), entry(4, 0, "", time.Second)},
		"Decided":   {"the look decided on an eviction, and nobody asked for it", entry(5, 0, "", time.Hour), entry(4, 1, "a", 0), entry(5, 0, "", time.Hour), entry(5, 0, "", time.Hour)},
		"Asked":     {"it was asked for before, and one more was gone", entry(4, 1, "a", time.Hour), entry(3, 1, "a", 0), entry(4, 1, "a", time.Hour), entry(3, 1, "a", 0)},
	} {
		t.Run(name, func(t *testing.T) {
			got := Glimpsed(&v1alpha1.Rollout{Status: status(tc.later)}, status(tc.compared), status(tc.saw)).Status
			if diff := cmp.Diff(status(tc.want).Traffic.Endpoints, got.Traffic.Endpoints); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	ro := scene(settledNow).Rollout
	if Glimpsed(ro, v1alpha1.RolloutStatus{}, v1alpha1.RolloutStatus{}) != ro {
		t.Error("another Rollout after no look at all")
	}
}

// TestAReleaseEndsTheDoubtAboutAnEviction: none is asked for from then on, so that a pod
// that is there has not been evicted. It may be what an abort waits for.
func TestAReleaseEndsTheDoubtAboutAnEviction(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		began   time.Duration
		evicted string
		ready   int32
	}{
		"Began":     {"a minute ago", time.Minute, "", 4},
		"JustBegan": {"the eviction may have been asked for a moment before", time.Second, "a", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(shrunk, latched(v1alpha1.ReasonAborted), settledNow, func(s *Snapshot) {
				at := metav1.NewTime(noon.Add(-tc.began))
				s.Rollout.Status.StartedAt = &at
				s.Revisions[0] = revision("v1", 1, 4)
				s.StableService = service("stable", "v1", 4)
				s.StableService.Listed = []string{"a", "b", "c", "d"}
				s.Pods = podsOf(s.StableService.Listed, noon.Add(-time.Hour))
				for i := range s.Rollout.Status.Traffic.Endpoints {
					if e := &s.Rollout.Status.Traffic.Endpoints[i]; e.Service == "stable" {
						e.Ready, e.Before, e.Ending, e.Evicted = 3, 3, 1, "a"
					}
				}
			})
			for _, e := range Decide(s).Status.Traffic.Endpoints {
				if e.Service == "stable" && (e.Evicted != tc.evicted || e.Ready != tc.ready) {
					t.Errorf("%s: %+v, want %d ready and %q in doubt", tc.reason, e, tc.ready, tc.evicted)
				}
			}
		})
	}
}
