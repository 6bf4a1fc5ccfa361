// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"math"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// stablePods gives stable so many pods, ready ones and endpoints. All but those known
// before are listed since some time ago.
func stablePods(want, ready, listed, before int32, ago time.Duration) edit {
	return func(s *Snapshot) {
		s.Revisions[0] = Revision{Hash: "v1", Name: "shop-v1", Number: 1, Replicas: want, Current: want, Ready: ready, Available: ready}
		s.StableService = service("stable", "v1", listed)
		s.CanaryService = service("canary", "v1", listed)
		s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v1", Replicas: want}}
		s.Rollout.Status.Traffic.Endpoints = nil
		for _, name := range []string{"stable", "canary"} {
			e := v1alpha1.ServiceEndpoints{Service: name, Revision: "v1", Ready: listed, Before: before, Since: metav1.NewTime(noon.Add(-ago))}
			s.Rollout.Status.Traffic.Endpoints = append(s.Rollout.Status.Traffic.Endpoints, e)
		}
	}
}

// pointedAway has the stable Service stand for v1 while its EndpointSlices list others.
func pointedAway(hash string, n int32) edit {
	return func(s *Snapshot) {
		s.StableService.Ready[hash] = n
		s.Rollout.Status.Traffic.Endpoints = nil
	}
}

// keptFor has stable been larger than wanted for so long, because not all of its pods are noticed.
func keptFor(ago time.Duration) edit {
	return func(s *Snapshot) {
		at := metav1.NewTime(noon.Add(-ago))
		s.Rollout.Status.Revisions[0].KeptSince = &at
	}
}

// watchedFor has this controller watch for so long.
func watchedFor(d time.Duration) edit {
	return func(s *Snapshot) { s.Watched = noon.Add(-d) }
}

// keptIs gives what is known of stable to another revision.
func keptIs(hash string) edit {
	return func(s *Snapshot) { s.Rollout.Status.Revisions[0].Hash = hash }
}

// idleListsNobody leaves the canary Service without endpoints.
func idleListsNobody(s *Snapshot) {
	s.CanaryService = service("canary", "v1", 0)
	s.Rollout.Status.Traffic.Endpoints = s.Rollout.Status.Traffic.Endpoints[:1]
}

// justListed: proxies may not know two of those that the stable Service lists.
func justListed(s *Snapshot) {
	e := &s.Rollout.Status.Traffic.Endpoints[0]
	e.Before, e.Since = 4, metav1.NewTime(noon.Add(-time.Second))
}

// evictedOne has the eviction of one of stable's pods asked for.
func evictedOne(s *Snapshot) {
	e := &s.Rollout.Status.Traffic.Endpoints[0]
	e.Ready, e.Before, e.Ending, e.Evicted, e.Since = 5, 5, 1, "a", metav1.NewTime(noon.Add(-time.Second))
}

// widenedTo has the stable Service select the pods of every revision.
func widenedTo(hash string, n int32) edit {
	return func(s *Snapshot) {
		s.StableService = Service{Name: "stable", Version: "7", Ready: map[string]int32{hash: n}}
	}
}

// TestShrinksOnlyWhatIsNoticed: any ready pod may be the one that ends, so that none may
// while proxies know some of them only.
func TestShrinksOnlyWhatIsNoticed(t *testing.T) {
	const scales = "scale shop-v1 from 6 to 4"
	for name, m := range map[string]moment{
		"Noticed":     {"all are known", scene(settledNow, stablePods(6, 6, 6, 4, time.Minute)), []string{scales}, nil},
		"JustListed":  {"two are not known yet", scene(settledNow, stablePods(6, 6, 6, 4, time.Second)), []string{"Healthy", "shop-v1 keeps 6 pods until Service stable lists each of them for 2s, and no others, at the latest at 12:12:00 UTC"}, []string{"scale"}},
		"NotListed":   {"two are ready, and the EndpointSlices have not heard of them", scene(settledNow, stablePods(6, 6, 4, 4, time.Hour)), []string{"keeps 6 pods until Service stable"}, []string{"scale"}},
		"NotReady":    {"two may get ready at any time", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour)), nil, []string{"scale"}},
		"NoneYet":     {"and so may all", scene(settledNow, stablePods(6, 0, 0, 0, time.Hour)), nil, []string{"scale shop-v1"}},
		"NeverReady":  {"those that never do hold nothing for ever", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour)), []string{scales}, []string{"keeps"}},
		"NotWatched":  {"nobody knows what they did while no controller was there", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour), watchedFor(time.Minute)), []string{"at the latest at 12:12:00"}, []string{"scale"}},
		"JustBegun":   {"nor in the second in which this one has begun", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour), watchedFor(-100*time.Millisecond), func(s *Snapshot) { s.Now = noon.Add(300 * time.Millisecond) }), []string{"keeps 6 pods"}, []string{"scale"}},
		"OtherKept":   {"nor what another revision's have done", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour), keptIs("v0")), nil, []string{"scale"}},
		"ClockBack":   {"by a clock that was put back, it began just now", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(-time.Hour)), []string{"at the latest at 12:12:00"}, []string{"scale"}},
		"ClockBehind": {"by that clock this controller has not even begun", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour), watchedFor(-time.Minute)), []string{scales}, nil},
		"NoDeadline":  {"a deadline that is meant to be none", scene(settledNow, stablePods(6, 4, 4, 4, time.Hour), keptFor(time.Hour), func(s *Snapshot) { s.Rollout.Spec.ProgressDeadlineSeconds = ptr.To(int32(math.MaxInt32)) }), []string{scales}, nil},
		"ToNone":      {"none is wanted, so that it matters not which end", scene(settledNow, stablePods(6, 6, 6, 4, time.Second), replicas(0)), []string{"scale shop-v1 from 6 to 0"}, nil},
		"Following":   {"the EndpointSlices list those of another revision still", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), old("v0", 2), pointedAway("v0", 2)), nil, []string{"scale shop-v1"}},
		"Stranger":    {"a pod of nobody's carries our labels, or one of before", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), pointedAway("", 1)), nil, []string{"scale"}},
		"Idle":        {"a Service that gets nothing lists nobody", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), idleListsNobody), []string{scales}, nil},
		"IdleSoon":    {"but the routes may still send it something", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), idleListsNobody, carries(traffic.CanaryAt(10))), nil, []string{"scale shop-v1"}},
		"IdleNow":     {"nor may one that gets its share in this pass", scene(carries(traffic.CanaryAt(100)), settledNow, stablePods(6, 6, 6, 6, time.Hour), justListed), []string{"shift traffic to stable 100 %"}, []string{"scale shop-v1"}},
		"NoService":   {"no Service leads to it yet", scene(inSteps(weightStep(25)), canaryOf(0, 4, 0), settledNow, func(s *Snapshot) { s.CanaryService = service("canary", "", 0) }), []string{"point Service canary"}, []string{"scale shop-v2"}},
		"Evicted":     {"one was evicted, and is listed still", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), evictedOne), []string{"until pod a, whose eviction was asked for, has ended"}, []string{"scale"}},
		"Wide":        {"a Service that selects all pods is just about to be narrowed", scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), widenedTo("v1", 6)), []string{"point Service stable"}, []string{"scale shop-v1"}},
		"Dynamic":     {"stable gets a smaller share, and shrinks to it", scene(shrunk, stablePodsBeside(4, 4, time.Minute)), []string{"scale shop-v1 from 4 to 2"}, nil},
		"DynamicNew":  {"two of its four may be all that is known", scene(shrunk, stablePodsBeside(4, 2, time.Second)), nil, []string{"scale shop-v1"}},
	} {
		t.Run(name, m.check)
	}
}

// stablePodsBeside gives stable pods in the middle of a release.
func stablePodsBeside(n, before int32, ago time.Duration) edit {
	return func(s *Snapshot) {
		s.Revisions[0] = revision("v1", 1, n)
		s.StableService = service("stable", "v1", n)
		settledNow(s)
		for i := range s.Rollout.Status.Traffic.Endpoints {
			if e := &s.Rollout.Status.Traffic.Endpoints[i]; e.Service == "stable" {
				e.Before, e.Since = before, metav1.NewTime(noon.Add(-ago))
			}
		}
	}
}

// TestDynamicStableKeepsItsSizeWhileAShiftSettles: it has the pods for the share before,
// and growing to spec.replicas for two seconds would help nobody.
func TestDynamicStableKeepsItsSizeWhileAShiftSettles(t *testing.T) {
	justWritten := func(s *Snapshot) {
		now := metav1.NewTime(noon)
		s.Rollout.Status.Traffic.Since, s.Rollout.Status.Traffic.AcceptedAt = &now, &now
	}
	for name, m := range map[string]moment{
		"Same":    {"two pods carry the half it has", scene(shrunk, settledNow, justWritten), nil, []string{"scale shop-v1"}},
		"Smaller": {"three carried the share before", scene(shrunk, stablePodsBeside(3, 3, time.Minute), justWritten), nil, []string{"scale shop-v1"}},
		"More":    {"somebody gave it more than it can carry", scene(shrunk, stablePodsBeside(1, 1, time.Minute), justWritten), []string{"scale shop-v1 from 1 to 2"}, nil},
		"Refused": {"nobody accepts the smaller share, and an autoscaler asks for more", scene(shrunk, settledNow, replicas(40), func(s *Snapshot) {
			s.Rollout.Status.Traffic.AcceptedAt = nil
			s.Traffic.Confirmed = nil
		}), []string{"scale shop-v1 from 2 to 40"}, nil},
		"Settled": {"the share before is known to have left", scene(shrunk, stablePodsBeside(3, 3, time.Minute)), []string{"scale shop-v1 from 3 to 2"}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestAHeldCanaryFollowsReplicas: a pause holds the release, and not the pods that the
// share it has been given needs.
func TestAHeldCanaryFollowsReplicas(t *testing.T) {
	const stable, canary = "scale shop-v1 from 4 to 8", "scale shop-v2 from 2 to 4"
	held := func(edits ...edit) Snapshot {
		return scene(append([]edit{canaryOf(2, 2, 50), settledNow, replicas(8)}, edits...)...)
	}
	for name, m := range map[string]moment{
		"Paused":   {"by the spec", held(pausedBySpec), []string{stable, canary}, nil},
		"Command":  {"by a person", held(pausedByCommand), []string{stable, canary}, nil},
		"Mistake":  {"by a mistake that has to be mended", held(problem), []string{stable, canary}, nil},
		"NoWeight": {"the routes give it nothing yet", held(pausedBySpec, carries(traffic.CanaryAt(0))), []string{stable}, []string{"scale shop-v2"}},
		"NoMore":   {"it has been given 25 % and the step says 50 %", held(pausedBySpec, carries(traffic.CanaryAt(25))), []string{stable}, []string{"scale shop-v2"}},
		"Same":     {"nobody asks for more", held(pausedBySpec, replicas(4)), nil, []string{"scale"}},
		"Promoted": {"the stable Service stands for it already, so that all may come to it", held(pausedBySpec, func(s *Snapshot) { s.StableService = service("stable", "v2", 2) }), []string{"scale shop-v2 from 2 to 8"}, nil},
		"NotYet":   {"the canary Service stands for stable still", held(pausedBySpec, func(s *Snapshot) { s.CanaryService = service("canary", "v1", 4) }), []string{stable}, []string{"scale shop-v2"}},
		"First":    {"a first revision carries nothing that could need more", scene(firstOf("v1", 2), wants("v1"), replicas(8), problem), nil, []string{"scale"}},
	} {
		t.Run(name, m.check)
	}
}

// TestAScaleDownComesByTheClockAlone: whatever it waits for, the controller looks again
// by itself.
func TestAScaleDownComesByTheClockAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		scene  Snapshot
		within time.Duration
	}{
		"JustListed": {scene(settledNow, stablePods(6, 6, 6, 4, time.Second)), 2 * time.Second},
		"NotListed":  {scene(settledNow, stablePods(6, 6, 4, 4, time.Hour)), 12 * time.Minute},
		"NotReady":   {scene(settledNow, stablePods(6, 4, 4, 4, time.Hour)), 12 * time.Minute},
		"NoneYet":    {scene(settledNow, stablePods(6, 0, 0, 0, time.Hour)), 12 * time.Minute},
		"Following":  {scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), old("v0", 2), pointedAway("v0", 2)), 12 * time.Minute},
		"Stranger":   {scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), pointedAway("", 1)), 12 * time.Minute},
		"Evicted":    {scene(settledNow, stablePods(6, 6, 6, 6, time.Hour), evictedOne), 12 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.scene
			for !scales(Decide(s)) {
				p := Decide(s)
				if p.Wake == 0 || s.Now.Sub(noon) > tc.within {
					t.Fatalf("at %s nothing is scaled, and the next look is in %s: %s", s.Now.Format(time.TimeOnly), p.Wake, p.Status.Message)
				}
				s.Now, s.Rollout.Status = s.Now.Add(p.Wake), p.Status
			}
		})
	}
}

// TestABaselineIsKeptTheSameWay: the status remembers since when.
func TestABaselineIsKeptTheSameWay(t *testing.T) {
	s := scene(inSteps(baselineStep(1, 10), weightStep(10), v1alpha1.Step{Pause: &v1alpha1.Pause{}}), canaryOf(2, 1, 10), func(s *Snapshot) {
		s.Revisions = append(s.Revisions, revision("v1-b2", 0, 3))
		s.BaselineService = service("shop-baseline", "v1-b2", 2)
		s.Traffic = carried(traffic.Split{Stable: 80, Canary: 10, Baseline: 10})
	}, settledNow)
	p := Decide(s)
	at := slices.IndexFunc(p.Status.Revisions, func(r v1alpha1.RevisionStatus) bool { return r.Role == v1alpha1.RoleBaseline })
	if at < 0 || p.Status.Revisions[at].KeptSince == nil || scales(p) {
		t.Errorf("one of three is not listed, and one is wanted: %+v, %v", p.Status.Revisions, p.Actions)
	}
}

// TestAScaleDownComesWhateverPodsDo: pods that get ready and fail by turns are never all
// noticed, and a revision is made smaller all the same.
func TestAScaleDownComesWhateverPodsDo(t *testing.T) {
	s := scene(settledNow, stablePods(6, 6, 6, 6, time.Hour))
	until := s.Now.Add(keepFor(assess(s)) + 2*time.Second)
	for n := int32(5); !scales(Decide(s)); n = 11 - n {
		s.Rollout.Status, s.Now = Decide(s).Status, s.Now.Add(time.Second)
		s.Revisions[0].Ready, s.Revisions[0].Available = n, n
		s.StableService.Ready["v1"], s.CanaryService.Ready["v1"] = n, n
		if s.Now.After(until) {
			t.Fatalf("at %s nothing is scaled: %s", s.Now.Format(time.TimeOnly), Decide(s).Status.Message)
		}
	}
}

func scales(p Plan) bool {
	return slices.ContainsFunc(p.Actions, func(a Action) bool { _, is := a.(ScaleRevision); return is })
}
