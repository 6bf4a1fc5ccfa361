// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// stickily has users stay, through weights 5, 25, 25 and 50.
func stickily(s *Snapshot) {
	s.Rollout.Spec.Strategy.Canary.Stickiness = &v1alpha1.Stickiness{Cookie: "who", MaxAge: &v1alpha1.Duration{Duration: time.Minute}}
	inSteps(weightStep(0), weightStep(5), pauseStep(), weightStep(25), weightStep(25), pauseStep(), weightStep(50), pauseStep())(s)
}

// kept is the split at a weight with those drawn again.
func kept(weight int32, value string, draws ...int32) traffic.Split {
	s := traffic.CanaryAt(weight)
	s.Sticky = &traffic.Sticky{Cookie: "who", Value: value, MaxAge: time.Minute, Draws: draws}
	return s
}

// called is the same by a cookie of another name.
func called(name string, s traffic.Split) traffic.Split {
	s.Sticky.Cookie = name
	return s
}

// cookie has the spec name another cookie.
func cookie(name string) edit {
	return func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.Stickiness.Cookie = name }
}

const ofV2 = "v2-e5886764"

// requested has the routes carry a split.
func requested(split traffic.Split) edit {
	return func(s *Snapshot) { s.Traffic = carried(split) }
}

// planned is the split that a pass writes; unknown when it writes none.
func planned(s Snapshot) traffic.Split {
	for _, a := range Decide(s).Actions {
		if shift, ok := a.(ShiftTraffic); ok {
			return shift.Split
		}
	}
	return traffic.Split{}
}

func TestUsersAreDrawnByTheStepsSoFar(t *testing.T) {
	short := func(s *Snapshot) { s.CanaryService = service("canary", "v2", 1) }
	gone := func(s *Snapshot) { s.CanaryService = service("canary", "v2", 0) }
	stableGone := func(s *Snapshot) { s.StableService = service("stable", "v1", 0) }
	cases := map[string]struct {
		reason string
		scene  []edit
		want   traffic.Split
	}{
		"NobodyYet":  {"nobody is drawn at weight 0", []edit{inSteps(weightStep(0), pauseStep(), weightStep(5)), canaryOf(1, 1, 0)}, traffic.Split{}},
		"First":      {"the first weight draws everybody", []edit{canaryOf(1, 1, 0)}, kept(5, ofV2)},
		"Second":     {"the second draws those again whom the first gave to stable", []edit{canaryOf(3, 1, 5), requested(kept(5, ofV2))}, kept(25, ofV2, 5)},
		"SameAgain":  {"a weight said twice is one draw", []edit{canaryOf(4, 1, 25), requested(kept(25, ofV2, 5))}, traffic.Split{}},
		"Third":      {"each lower weight is drawn again, with what is missing to it", []edit{canaryOf(6, 2, 25), requested(kept(25, ofV2, 5))}, kept(50, ofV2, 5, 25)},
		"Short":      {"while endpoints are too few the weight before stays as it is", []edit{canaryOf(6, 2, 25), short, requested(kept(25, ofV2, 5))}, traffic.Split{}},
		"ShortDrift": {"but nobody is bound anew: more may have met the canary than it can carry", []edit{canaryOf(6, 2, 25), short}, traffic.Split{}},
		"ShortRoutes": {"nor while routes disagree", []edit{canaryOf(6, 2, 25), short, func(s *Snapshot) {
			s.Traffic.Requested = []traffic.Split{kept(25, ofV2, 5), kept(50, ofV2, 5, 25)}
			s.Traffic.Confirmed = s.Traffic.Requested
		}}, traffic.CanaryAt(25)},
		"ShortOther":  {"nor by another release's cookie", []edit{canaryOf(6, 2, 25), short, requested(kept(25, "v2-before", 5))}, traffic.CanaryAt(25)},
		"Unasked":     {"a weight that no step asked for keeps nobody", []edit{canaryOf(6, 2, 30), short, requested(kept(30, ofV2, 5))}, traffic.CanaryAt(30)},
		"Gone":        {"users go where somebody serves them", []edit{canaryOf(5, 1, 25), gone, requested(kept(25, ofV2, 5))}, traffic.CanaryAt(0)},
		"StableGone":  {"in both directions", []edit{canaryOf(5, 4, 25), stableGone, requested(kept(25, ofV2, 5))}, traffic.CanaryAt(100)},
		"Aborted":     {"an abort binds nobody from one write on", []edit{canaryOf(5, 1, 25), latched(v1alpha1.ReasonAnalysisFailed), requested(kept(25, ofV2, 5))}, traffic.CanaryAt(0)},
		"RolledBack":  {"nor does a rollback", []edit{canaryOf(5, 1, 25), wants("v1"), requested(kept(25, ofV2, 5))}, traffic.CanaryAt(0)},
		"Promotion":   {"with everything there is nobody to tell apart", []edit{canaryOf(8, 4, 50), requested(kept(50, ofV2, 5, 25))}, traffic.CanaryAt(100)},
		"PromoteSlow": {"until its pods are there they stay as they are", []edit{canaryOf(8, 2, 50), requested(kept(50, ofV2, 5, 25))}, traffic.Split{}},
		"Held":        {"a release that is held keeps what the routes carry", []edit{canaryOf(5, 1, 25), requested(kept(25, "v2-before", 5)), func(s *Snapshot) { s.Rollout.Spec.Paused = true }}, traffic.Split{}},
		"Retried":     {"the cookies of the release before bind nobody", []edit{canaryOf(1, 1, 0), func(s *Snapshot) { s.Rollout.Status.Release = 3 }}, kept(5, "v2-852d8b8f")},
		"Redrawn": {"nor do those of before an edit that let the weight fall", []edit{canaryOf(1, 1, 25), requested(kept(25, ofV2, 5)), func(s *Snapshot) {
			s.Rollout.Status.Approvals = []v1alpha1.Approval{{Step: 5}, {Step: 1, Redraws: true}}
		}}, kept(5, names.Cookie("v2", 2, []int32{5, 25, 50}, 1))},
		"Edited":    {"nor do those of other weights", []edit{canaryOf(1, 1, 0), inSteps(weightStep(0), weightStep(5), weightStep(10))}, kept(5, "v2-561304b7")},
		"Renamed":   {"nor those of another name: all are drawn anew at the weight of the moment", []edit{canaryOf(5, 1, 25), requested(kept(25, ofV2, 5)), cookie("of-them")}, called("of-them", kept(25, ofV2, 5))},
		"Unnamed":   {"without a name the cookie has the Rollout's, so that Rollouts behind one host don't share it", []edit{canaryOf(5, 1, 25), requested(kept(25, ofV2, 5)), cookie("")}, called("sluice-shop", kept(25, ofV2, 5))},
		"TurnedOff": {"without the field nobody is kept", []edit{canaryOf(5, 1, 25), requested(kept(25, ofV2, 5)), func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.Stickiness = nil }}, traffic.CanaryAt(25)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(append([]edit{stickily}, tc.scene...)...)
			settledNow(&s)
			if diff := cmp.Diff(tc.want, planned(s)); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStickyIsConfirmedAsAWhole: a route that carries the weight without the cookie has not reached the step.
func TestStickyIsConfirmedAsAWhole(t *testing.T) {
	for want, split := range map[string]traffic.Split{"1": traffic.CanaryAt(5), "2": kept(5, ofV2)} {
		s := scene(stickily, canaryOf(1, 1, 5), requested(split))
		settledNow(&s)
		got := "1"
		if step := Decide(s).Status.CurrentStep; step != nil && step.Index == 2 {
			got = "2"
		}
		if got != want {
			t.Errorf("routes that carry %v: the cursor is at step %s, want %s", split, got, want)
		}
	}
}

// TestRampDraws: a ramp is steps like any other.
func TestRampDraws(t *testing.T) {
	ro := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "shop.eu"}}
	ro.Spec.Strategy.Canary = &v1alpha1.CanaryStrategy{
		Stickiness: &v1alpha1.Stickiness{}, Ramp: &v1alpha1.Ramp{Weights: []int32{1, 10, 100}, Every: v1alpha1.Duration{Duration: time.Minute}},
	}
	var got [][]int32
	for _, s := range Asked(ro) {
		if s.Sticky == nil {
			got = append(got, nil)
			continue
		}
		if s.Sticky.Cookie != "sluice-shop.eu" || s.Sticky.MaxAge != time.Hour {
			t.Errorf("without a name and an age the cookie is %+v", s.Sticky)
		}
		got = append(got, append([]int32{s.Canary}, s.Sticky.Draws...))
	}
	if diff := cmp.Diff([][]int32{{1}, {10, 1}, nil}, got); diff != "" {
		t.Errorf("the ramp asks for (-want, +got):\n%s", diff)
	}
}
