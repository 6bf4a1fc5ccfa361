// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

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
			m.reason, m.scene.Rollout = tc.reason, Glimpsed(m.scene.Rollout, Decide(first).Status)
			m.check(t)
		})
	}
}

// TestAnEvictionThatWasDecidedOnOnlyIsForgotten: the second look may find that none may be asked for.
func TestAnEvictionThatWasDecidedOnOnlyIsForgotten(t *testing.T) {
	ro := scene(settledNow).Rollout
	was := ro.Status.Traffic.Endpoints[1]
	earlier := ro.DeepCopy().Status
	e := &earlier.Traffic.Endpoints[1]
	e.Ready, e.Before, e.Ending, e.Evicted = e.Ready-1, e.Ready-1, 1, "a"
	if got := Glimpsed(ro, earlier).Status.Traffic.Endpoints[1]; got != was {
		t.Errorf("%+v, want %+v", got, was)
	}
	if got := Glimpsed(ro, v1alpha1.RolloutStatus{}); got != ro {
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
