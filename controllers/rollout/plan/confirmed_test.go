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
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestSwitchIsConfirmedByEndpointsOfTheWantedRevisionAlone: a Service that is
// pointed at a revision has not switched before its EndpointSlices say so.
func TestSwitchIsConfirmedByEndpointsOfTheWantedRevisionAlone(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		reason string
		active Service
		since  time.Duration
		done   bool
	}{
		"Settled":     {reason: "four of four, and long enough", active: Service{Selects: "new", Ready: map[string]int32{"new": 4}}, since: 10 * time.Second, done: true},
		"Settling":    {reason: "kube-proxy hears of it later", active: Service{Selects: "new", Ready: map[string]int32{"new": 4}}, since: time.Second},
		"TooFew":      {reason: "three can't carry what four do", active: Service{Selects: "new", Ready: map[string]int32{"new": 3}}, since: 10 * time.Second},
		"OldLingers":  {reason: "an endpoint of the old revision still gets requests", active: Service{Selects: "new", Ready: map[string]int32{"new": 4, "old": 1}}, since: 10 * time.Second},
		"Foreign":     {reason: "so does one that is nobody's", active: Service{Selects: "new", Ready: map[string]int32{"new": 4, "": 1}}, since: 10 * time.Second},
		"NotPointed":  {reason: "the selector is the other revision's", active: Service{Selects: "old", Ready: map[string]int32{"new": 4}}, since: 10 * time.Second},
		"Widened":     {reason: "a Service of all pods stands for nobody", active: Service{Selects: "", Ready: map[string]int32{"new": 4}}, since: 10 * time.Second},
		"NoEndpoints": {reason: "pods that are ready and not listed serve nobody", active: Service{Selects: "new", Ready: map[string]int32{}}, since: 10 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.active.Name = "shop"
			ro := &v1alpha1.Rollout{}
			ro.Spec.Replicas = ptr.To(int32(4))
			ro.Spec.Strategy.BlueGreen = &v1alpha1.BlueGreenStrategy{ActiveService: "shop"}
			ro.Status.StableRevision, ro.Status.CanaryRevision, ro.Status.Release = "old", "new", 2
			last := int32(len(Steps(ro.Spec))) - 1
			ro.Status.CurrentStep = &v1alpha1.CurrentStep{Index: last, Since: metav1.NewTime(now.Add(-time.Minute))}
			ro.Status.Traffic = &v1alpha1.TrafficStatus{Endpoints: []v1alpha1.ServiceEndpoints{
				{Service: "shop", Revision: "new", Ready: tc.active.Ready["new"], Since: metav1.NewTime(now.Add(-tc.since))},
			}}
			revision := func(hash string) Revision {
				return Revision{Hash: hash, Name: "shop-" + hash, Replicas: 4, Current: 4, Ready: 4, Available: 4}
			}
			f := assess(Snapshot{Now: now, Rollout: ro, Target: "new", StableService: tc.active, Revisions: []Revision{revision("old"), revision("new")}})
			if h, waits := missing(catchUp(cursorOf(ro.Status), f), f); waits == tc.done {
				t.Errorf("%s: still owed %t: %s", tc.reason, waits, h.message)
			}
		})
	}
}

// TestEndedPodsAreNotCounted: EndpointSlices that lag list them still, and the
// number of those that took their place may be the same.
func TestEndedPodsAreNotCounted(t *testing.T) {
	since := metav1.NewTime(noon.Add(-time.Minute))
	cases := map[string]struct {
		reason  string
		pods    int32
		selects string
		read    []Pod
		before  v1alpha1.ServiceEndpoints
		want    v1alpha1.ServiceEndpoints
	}{
		"Shrunk":      {"two of four were told to end", 2, "v1", nil, v1alpha1.ServiceEndpoints{Ready: 4}, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}},
		"ShrunkMore":  {"so were the other two", 0, "v1", nil, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}, v1alpha1.ServiceEndpoints{Ending: 4}},
		"GrownAgain":  {"none of the new ones need be among the four", 4, "v1", nil, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}},
		"CaughtUp":    {"of the seven that were listed two were told to end after the three that have left", 4, "v1", nil, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 5}, v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}},
		"PointedAway": {"it may be pointed back before they have left", 0, "v2", nil, v1alpha1.ServiceEndpoints{Ready: 4}, v1alpha1.ServiceEndpoints{Ending: 4}},
		"PointedBack": {"all four were told to end before", 4, "v1", nil, v1alpha1.ServiceEndpoints{Ending: 4}, v1alpha1.ServiceEndpoints{Ending: 4}},
		"NeverLeft":   {"it grew again before any had ended", 4, "v1", podsOf([]string{"a", "b", "c", "d"}, noon), v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}, v1alpha1.ServiceEndpoints{Ready: 4, Before: 2}},
		"OneLeft":     {"its stand-in is not listed yet", 4, "v1", podsOf([]string{"-a", "b", "c", "d", "e"}, noon), v1alpha1.ServiceEndpoints{Ready: 2, Before: 2, Ending: 2}, v1alpha1.ServiceEndpoints{Ready: 3, Before: 2, Ending: 1}},
		"AllLeft":     {"those that are listed are no more", 4, "v1", podsOf([]string{"e", "f", "g", "h"}, noon), v1alpha1.ServiceEndpoints{Ending: 4}, v1alpha1.ServiceEndpoints{Ending: 4}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow)
			s.StableService.Selects, s.Revisions, s.Pods = tc.selects, []Revision{revision("v1", 1, tc.pods)}, tc.read
			s.StableService.Listed = []string{"a", "b", "c", "d"}
			tc.before.Service, tc.before.Revision, tc.before.Since = "stable", "v1", since
			s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{tc.before}
			got, _ := assess(s).listed.in(traffic.Stable)
			if got.ready != tc.want.Ready || got.before != tc.want.Before || got.ending != tc.want.Ending {
				t.Errorf("%s: %+v", tc.reason, got)
			}
			if grown := tc.pods > tc.before.Ready && tc.before.Ending > 0; PodsWanted(s) != grown {
				t.Errorf("%s: pods are wanted: %t", tc.reason, !grown)
			}
		})
	}
}

// TestEndpointsGoneOnceAreRemembered: while nothing can be written, or read live,
// endpoints may go and come back. They must not count as having been there all along.
func TestEndpointsGoneOnceAreRemembered(t *testing.T) {
	s := scene(canaryOf(0, 1, 0), settledNow)
	stored := s.Rollout.Status
	s.CanaryService = service("canary", "v2", 0)
	remembered, other := Remember(stored, Decide(s).Status)
	if !other || len(stored.Traffic.Endpoints) != 2 {
		t.Fatalf("not remembered: %+v; or the stored status has changed: %+v", remembered.Traffic, stored.Traffic)
	}
	s.CanaryService = service("canary", "v2", 1)
	for _, a := range Decide(s).Actions {
		if _, shifts := a.(ShiftTraffic); !shifts {
			continue
		}
		s.Rollout.Status = remembered
		if p := Decide(s); slices.ContainsFunc(p.Actions, func(a Action) bool { _, shifts := a.(ShiftTraffic); return shifts }) {
			t.Errorf("shifts to endpoints that have just come back: %v", p.Actions)
		}
		return
	}
	t.Error("the scene does not shift even when the endpoints have been there for long")
}

// TestAnIdleSlotIsCountedFromWhenItIsWatched: while no controller was there, what it
// lists may have gone and come back. What gets traffic would have been missed.
func TestAnIdleSlotIsCountedFromWhenItIsWatched(t *testing.T) {
	for name, tc := range map[string]struct {
		watched time.Time
		weight  int32
		want    int32
	}{
		"Since then": {noon.Add(-time.Second), 0, 0},
		"For long":   {noon.Add(-30 * time.Second), 0, 1},
		"Always":     {time.Time{}, 0, 1},
		"Not idle":   {noon.Add(-time.Second), 25, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(canaryOf(0, 1, tc.weight), settledNow)
			s.Watched = tc.watched
			if got := assess(s).noticed(traffic.Canary, "v2"); got != tc.want {
				t.Errorf("counts on %d of the canary's endpoints, want %d", got, tc.want)
			}
		})
	}
}

// TestAFirstRevisionIsCountedFromWhenItIsWatched: beside a workload nobody misses
// pods of it that have gone and come back, and the workload's must not leave for them at once.
func TestAFirstRevisionIsCountedFromWhenItIsWatched(t *testing.T) {
	for name, tc := range map[string]struct {
		watched time.Time
		want    int32
	}{
		"Since then": {noon.Add(-time.Second), 0},
		"For long":   {noon.Add(-30 * time.Second), 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow, func(s *Snapshot) {
				s.Rollout.Status.StableRevision, s.Rollout.Status.CanaryRevision = "", "v1"
				s.Workload = &Workload{Name: "shop", Replicas: 4, Current: 4, Available: 4}
			})
			s.Watched = tc.watched
			if got := assess(s).noticed(traffic.Stable, "v1"); got != tc.want {
				t.Errorf("counts on %d of the first revision's endpoints, want %d", got, tc.want)
			}
		})
	}
}

// TestWhatIsEndingIsNotCountedAnew: of an idle slot that lists none but pods told
// to end nothing is counted on, so that its times stay as they are.
func TestWhatIsEndingIsNotCountedAnew(t *testing.T) {
	s := scene(canaryOf(0, 0, 0), settledNow)
	s.Watched, s.CanaryService.Ready = noon.Add(-time.Second), map[string]int32{"v2": 4}
	since := metav1.NewTime(noon.Add(-30 * time.Second))
	s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{{Service: "canary", Revision: "v2", Since: since, Ending: 4}}
	if l, _ := assess(s).listed.in(traffic.Canary); l.ending != 4 || !l.since.Equal(since.Time) {
		t.Errorf("%d are ending, since %s, want 4 since %s", l.ending, l.since, since)
	}
}

// TestRoutesThatDisagreeAreRemembered: for as long as they can't be read, what the
// status keeps of them is still what one of them carried, and not all.
func TestRoutesThatDisagreeAreRemembered(t *testing.T) {
	s := scene(canaryOf(1, 1, 25), carries(traffic.CanaryAt(25), traffic.CanaryAt(0)), settledNow)
	seen := Decide(s).Status
	s.Rollout.Status, s.Traffic = seen, traffic.Observed{}
	if unread := Decide(s).Status.Traffic; !seen.Traffic.Differ || !unread.Differ {
		t.Errorf("they differ: %t, and once they can't be read: %t", seen.Traffic.Differ, unread.Differ)
	}
}

// TestWhatIsWrittenBackIsNew: between two looks, or while no controller runs, routes may
// be written to and written back. The split is the one that the status knows, and only
// the edition tells.
func TestWhatIsWrittenBackIsNew(t *testing.T) {
	cases := map[string]struct {
		reason      string
		before, now string
		settled     bool
	}{
		"Untouched": {"nobody has written", "a/7", "a/7", true},
		"BothWays":  {"proxies may still serve what stood there between", "a/7", "a/9", false},
		"Anew":      {"it was deleted and made again", "a/7", "b/1", false},
		"Unknown":   {"a controller of before this field has written the status", "", "a/7", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(canaryOf(0, 1, 25), carries(traffic.CanaryAt(25)), settledNow)
			s.Traffic.Edition = tc.before
			s.Rollout.Status = Decide(s).Status
			s.Traffic.Edition = tc.now
			if got := assess(s).settled(); got != tc.settled {
				t.Errorf("%s: settled is %t", tc.reason, got)
			}
		})
	}
}

// TestDriftIsSomebodyElses: our own next step is none, nor is a write that reached one of two routes.
func TestDriftIsSomebodyElses(t *testing.T) {
	carried := func(canary int32, differ bool) *v1alpha1.TrafficStatus {
		return &v1alpha1.TrafficStatus{Since: ptr.To(metav1.Now()), Differ: differ, Requested: []v1alpha1.RevisionWeight{
			{Service: "a", Revision: "old", Weight: 100 - canary}, {Service: "b", Revision: "new", Weight: canary},
		}}
	}
	cases := map[string]struct {
		reason string
		before *v1alpha1.TrafficStatus
		want   traffic.Split
		drift  bool
	}{
		"Changed":  {reason: "they carried it when last looked at", before: carried(25, false), want: traffic.CanaryAt(25), drift: true},
		"NextStep": {reason: "they never carried it", before: carried(25, false), want: traffic.CanaryAt(50)},
		"HalfDone": {reason: "one of them never did", before: carried(25, true), want: traffic.CanaryAt(25)},
		"Mirror":   {reason: "they never mirrored", before: carried(25, false), want: traffic.Split{Stable: 75, Canary: 25, Mirror: 5}},
		"First":    {reason: "nothing is known of before", want: traffic.CanaryAt(25)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := facts{&said{Snapshot: Snapshot{
				Rollout:       &v1alpha1.Rollout{Status: v1alpha1.RolloutStatus{Traffic: tc.before}},
				StableService: Service{Name: "a", Selects: "old"}, CanaryService: Service{Name: "b", Selects: "new"},
			}}}
			if got := routesDrifted(f, tc.want); got != tc.drift {
				t.Errorf("%s: drifted is %t", tc.reason, got)
			}
		})
	}
}

// TestRebindingWaitsForTheDataPlane: a Service that the next strategy uses for
// what gets nothing may still be getting what the routes gave it.
func TestRebindingWaitsForTheDataPlane(t *testing.T) {
	cases := map[string]struct {
		reason string
		since  time.Duration
		seen   bool
		keeps  bool
		moves  bool
	}{
		"Settled":     {reason: "the routes' last split is served everywhere", since: time.Minute, seen: true, keeps: true, moves: true},
		"JustWritten": {reason: "it is not known to be", since: time.Second, seen: true, keeps: true},
		"Unconfirmed": {reason: "no gateway has accepted it", since: time.Minute, keeps: true},
		"TooLong":     {reason: "a gateway that never does is waited for no longer than that", since: 3 * time.Minute, keeps: true, moves: true},
		"OtherNames":  {reason: "nothing that is named from now on gets anything", since: time.Second, moves: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(rebound, func(s *Snapshot) {
				s.StableService, s.CanaryService = service("stable", "", 4), service("canary", "", 4)
				if !tc.keeps {
					s.Rollout.Spec.Strategy.Canary.CanaryService = "another"
				}
			}, settledNow)
			at := metav1.NewTime(noon.Add(-tc.since))
			s.Rollout.Status.Traffic.Since, s.Rollout.Status.Traffic.AcceptedAt = &at, &at
			if !tc.seen {
				s.Traffic.Confirmed = nil
			}
			p := Decide(s)
			if moved := p.Status.Bindings.StableService == "other"; moved != tc.moves || p.Wake == 0 {
				t.Errorf("%s: rebound %t, looks again in %s: %s", tc.reason, moved, p.Wake, p.Status.Message)
			}
		})
	}
}
