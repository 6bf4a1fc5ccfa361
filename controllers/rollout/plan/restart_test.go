// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestRestartWaitsForStandIn: the number of endpoints is the same before and
// after one pod took another's place.
func TestRestartWaitsForStandIn(t *testing.T) {
	old, young := noon.Add(-time.Hour), noon.Add(-time.Minute)
	long, just := metav1.NewTime(noon.Add(-time.Minute)), metav1.NewTime(noon.Add(-time.Second))
	cases := map[string]struct {
		reason    string
		endpoints v1alpha1.ServiceEndpoints
		names     []string
		older     []string
		younger   []string
		evicts    string
	}{
		"First":       {"all five have been known for long", v1alpha1.ServiceEndpoints{Ready: 5, Since: long}, []string{"a", "b", "c", "d", "e"}, []string{"a", "b"}, nil, "a"},
		"Unchanged":   {"the five that are listed are the former ones", v1alpha1.ServiceEndpoints{Ready: 4, Since: long, Before: 4, Ending: 1, Evicted: "a"}, []string{"a", "b", "c", "d", "e"}, []string{"b"}, []string{"f"}, ""},
		"StandInHere": {"it took the other's place within one update, and is not known yet", v1alpha1.ServiceEndpoints{Ready: 4, Since: long, Before: 4, Ending: 1, Evicted: "a"}, []string{"b", "c", "d", "e", "f"}, []string{"b"}, []string{"f"}, ""},
		"StandInNew":  {"it is listed, and not known yet", v1alpha1.ServiceEndpoints{Ready: 5, Since: just, Before: 4}, []string{"b", "c", "d", "e", "f"}, []string{"b"}, []string{"f"}, ""},
		"StandInSeen": {"it is known by now", v1alpha1.ServiceEndpoints{Ready: 5, Since: long, Before: 4}, []string{"b", "c", "d", "e", "f"}, []string{"b"}, []string{"f"}, "b"},
		"Refused":     {"the pod is still there, so that it may be asked again", v1alpha1.ServiceEndpoints{Ready: 4, Since: just, Before: 4, Ending: 1, Evicted: "a"}, []string{"a", "b", "c", "d", "e"}, []string{"a", "b"}, nil, "a"},
		"RefusedTwo":  {"so it is although two were told to end for a while, of which the other is known again", v1alpha1.ServiceEndpoints{Ready: 4, Since: long, Before: 2, Ending: 1, Evicted: "a"}, []string{"a", "b", "c", "d", "e"}, []string{"a", "b"}, nil, "a"},
		"ListedLate":  {"x is gone, though the EndpointSlices have only just heard that it came", v1alpha1.ServiceEndpoints{Ready: 5, Since: long, Before: 4}, []string{"a", "b", "c", "d", "x"}, []string{"a", "b"}, nil, ""},
		"OnItsWay":    {"it leaves", v1alpha1.ServiceEndpoints{Ready: 4, Since: just, Before: 4, Ending: 1, Evicted: "a"}, []string{"a", "b", "c", "d", "e"}, []string{"-a", "b"}, nil, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow)
			s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-30 * time.Minute)))
			s.Revisions = []Revision{revision("v1", 1, 5)}
			s.Pods = append(append(podsOf(tc.older, old), podsOf(tc.younger, young)...), podsOf([]string{"c", "d", "e"}, young)...)
			s.StableService = service("stable", "v1", 5)
			s.StableService.Listed = tc.names
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

// TestEvictionAndShrinkingTakeTurns: which pods leave when there are to be fewer
// nobody knows, so that none is evicted beside them.
func TestEvictionAndShrinkingTakeTurns(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		evicted string
		since   time.Duration
		want    string
	}{
		"Shrinks": {"first there are as many as wanted", "", time.Minute, "scale shop-v1 from 7 to 5"},
		"Evicts":  {"the one evicted before is listed still", "a", time.Minute, ""},
		"Late":    {"but not for ever", "a", 3 * time.Minute, "scale shop-v1 from 7 to 5"},
		"Gone":    {"it is listed no more", "x", time.Minute, "scale shop-v1 from 7 to 5"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow)
			s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-30 * time.Minute)))
			s.Revisions = []Revision{revision("v1", 1, 7)}
			s.Pods = podsOf([]string{"a", "b", "c", "d", "e", "f", "g"}, noon.Add(-time.Hour))
			s.StableService, s.CanaryService = service("stable", "v1", 7), service("canary", "v1", 7)
			s.StableService.Listed = []string{"a", "b", "c", "d", "e", "f", "g"}
			s.CanaryService.Listed = s.StableService.Listed
			e := v1alpha1.ServiceEndpoints{Service: "stable", Revision: "v1", Ready: 7, Since: metav1.NewTime(noon.Add(-tc.since)), Evicted: tc.evicted}
			if tc.evicted != "" {
				e.Ready, e.Before, e.Ending = 6, 6, 1
			}
			s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{e}
			s.Rollout.Status = Decide(s).Status // what is listed anew by then is noticed at the next look
			s.Now = s.Now.Add(3 * time.Second)
			wantsDone(t, s, tc.reason, tc.want)
		})
	}
}

// TestAnotherRestartKeepsThePodMore: the time of a command is rounded up, so that for a
// moment no restart is to be done yet.
func TestAnotherRestartKeepsThePodMore(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		asked  time.Duration
		done   time.Duration
		has    int32
		wants  int32
		want   string
	}{
		"Kept":     {"it is there already", 500 * time.Millisecond, -time.Minute, 5, 4, ""},
		"NotYet":   {"its time has not come", 500 * time.Millisecond, -time.Minute, 4, 4, ""},
		"Complete": {"no restart is left to do", -time.Minute, -time.Minute, 5, 4, "scale shop-v1 from 5 to 4"},
		"None":     {"no pods are wanted at all", 500 * time.Millisecond, -time.Minute, 5, 0, "scale shop-v1 from 5 to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(settledNow, replicas(tc.wants))
			s.Rollout.Status.RestartAt = ptr.To(metav1.NewTime(noon.Add(tc.asked)))
			s.Rollout.Status.RestartedAt = ptr.To(metav1.NewTime(noon.Add(tc.done)))
			s.Revisions = []Revision{revision("v1", 1, tc.has)}
			s.StableService, s.CanaryService = service("stable", "v1", tc.has), service("canary", "v1", tc.has)
			settledNow(&s)
			wantsDone(t, s, tc.reason, tc.want)
		})
	}
}

// TestEvictionIsKeptInMind: the pod whose eviction was asked for may still be
// there when another pod was told to end as well. It counts no more at the second
// look either.
func TestEvictionIsKeptInMind(t *testing.T) {
	s := scene(settledNow)
	s.Revisions = []Revision{revision("v1", 1, 5)}
	s.Pods = podsOf([]string{"a", "b", "c", "d"}, noon.Add(-time.Hour)) // e has gone, and is still listed
	s.StableService = service("stable", "v1", 5)
	s.StableService.Listed = []string{"a", "b", "c", "d", "e"}
	s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{{
		Service: "stable", Revision: "v1", Ready: 4, Before: 4, Ending: 1, Evicted: "a", Since: metav1.NewTime(noon.Add(-time.Minute)),
	}}
	for _, look := range []string{"first", "second"} {
		s.Rollout.Status = Decide(s).Status
		for _, e := range s.Rollout.Status.Traffic.Endpoints {
			if e.Service == "stable" && (e.Ready != 3 || e.Ending != 2) {
				t.Errorf("%s look: %d endpoints that stay and %d that end, want 3 and 2", look, e.Ready, e.Ending)
			}
		}
	}
}

// TestARestartSaysWhatTheNextEvictionWaitsFor: the words are those of a release where
// the pod more than usual does not come.
func TestARestartSaysWhatTheNextEvictionWaitsFor(t *testing.T) {
	const left = "replacing pods one by one: 1 created before the restart asked for are left, "
	old, young := noon.Add(-time.Hour), noon.Add(-time.Minute)
	late := func(s *Snapshot) {
		s.Revisions[0].Ready, s.Revisions[0].Available = 4, 4
		s.Revisions[0].Trouble = "pod e: Unschedulable: 0/1 nodes are available"
	}
	asked := func(s *Snapshot) {
		s.Rollout.Spec.RestartAt = ptr.To(metav1.NewTime(noon.Add(-30 * time.Minute)))
		s.Revisions = []Revision{revision("v1", 1, 5)}
		s.Pods = append(podsOf([]string{"a"}, old), podsOf([]string{"b", "c", "d", "e"}, young)...)
		s.StableService = service("stable", "v1", 5)
		s.StableService.Listed = []string{"a", "b", "c", "d", "e"}
	}
	listedSince := func(ago time.Duration) edit {
		return func(s *Snapshot) {
			s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{{Service: "stable", Revision: "v1", Ready: 5, Before: 4, Since: metav1.NewTime(noon.Add(-ago))}}
		}
	}
	for name, tc := range map[string]struct {
		reason string
		edits  []edit
		want   string
	}{
		"NoRoom":  {"the pod more than usual is late", []edit{late}, left + "4 of 5 available; pod e: Unschedulable: 0/1 nodes are available"},
		"Leaving": {"the one before has not ended", []edit{func(s *Snapshot) { s.Pods = append(s.Pods, podsOf([]string{"-z", "-y"}, old)...) }}, "5 of 5 available; waiting for pod y to end"},
		"Listed":  {"proxies may not know it yet", []edit{listedSince(time.Second)}, left + "5 of 5 available; waiting for Service stable to list them for 2s"},
		"ByPods":  {"nor may callers of the one Service", []edit{byPods("1"), func(s *Snapshot) { s.CallerService.Ready = map[string]int32{"v1": 4} }}, left + "5 of 5 available; waiting for Service shop to list them for 2s"},
		"Others":  {"callers come by another Service, whose endpoints nobody has counted", []edit{listedSince(time.Minute), carries(traffic.CanaryAt(100))}, left + "5 of 5 available; waiting for all traffic to be with it: stable 0 %, canary 100 % accepted, settling for 2s"},
		"Ignored": {"no gateway accepts what the routes say, and nobody waits for that for ever", []edit{listedSince(time.Minute), unaccepted(time.Hour)}, left + "5 of 5 available"},
		"Refused": {"but it may still accept it", []edit{listedSince(time.Minute), unaccepted(time.Minute)}, left + "5 of 5 available; waiting for all traffic to be with it: waiting for the data plane of HTTPRoute shop to confirm stable 100 %, canary 0 %"},
		"Now":     {"it is asked for right now", []edit{listedSince(time.Minute)}, left + "5 of 5 available"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(scene(append([]edit{settledNow, asked}, tc.edits...)...))
			got := p.Status.Message
			asks := slices.ContainsFunc(p.Actions, evicts)
			if waits := got != left+"5 of 5 available"; asks && strings.Contains(got, "waiting for") || !asks && !waits {
				t.Errorf("%s: says %q, and an eviction is asked for: %t", tc.reason, got, asks)
			}
			if !strings.HasSuffix(got, tc.want) {
				t.Errorf("%s: says %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
	s := scene(settledNow, asked, listedSince(time.Minute), unaccepted(time.Minute))
	for p := Decide(s); !slices.ContainsFunc(p.Actions, evicts); p = Decide(s) {
		if next := s.Now.Add(p.Wake); p.Wake == 0 || next.After(noon.Add(time.Minute)) {
			t.Fatalf("at %s nothing is evicted, and the next look is in %s: %s", s.Now.Format(time.TimeOnly), p.Wake, p.Status.Message)
		}
		s.Now, s.Rollout.Status = s.Now.Add(p.Wake), p.Status
	}
}

// TestARestartTakesAPodMoreWhateverMaxSurge: without it no pod could be evicted.
func TestARestartTakesAPodMoreWhateverMaxSurge(t *testing.T) {
	moment{"a release by pods may take none more", scene(byPods("1"), surgeOf(0), func(s *Snapshot) {
		at := metav1.NewTime(noon.Add(-time.Minute))
		s.Rollout.Spec.RestartAt = &at
		s.Rollout.Spec.Strategy.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(1))
		s.CallerService.Ready = map[string]int32{"v1": 4}
		s.Pods = podsOf([]string{"a", "b", "c", "d"}, noon.Add(-time.Hour))
	}), []string{"scale shop-v1 from 4 to 5"}, nil}.check(t)
}

func evicts(a Action) bool { _, is := a.(EvictPod); return is }

// unaccepted has the routes written some time ago, and not accepted since.
func unaccepted(ago time.Duration) edit {
	return func(s *Snapshot) {
		s.Traffic.Confirmed = nil
		s.Rollout.Status.Traffic.AcceptedAt = nil
		s.Rollout.Status.Traffic.Since = ptr.To(metav1.NewTime(noon.Add(-ago)))
	}
}

// wantsDone checks that one thing is done, or nothing where none is wanted.
func wantsDone(t *testing.T, s Snapshot, reason, want string) {
	t.Helper()
	got := ""
	for _, a := range Decide(s).Actions {
		got += a.String()
	}
	if got != want {
		t.Errorf("%s: %q, want %q", reason, got, want)
	}
}

// podsOf have these names; a minus says that one is on its way out.
func podsOf(names []string, created time.Time) []Pod {
	var all []Pod
	for _, n := range names {
		name, leaves := strings.CutPrefix(n, "-")
		all = append(all, Pod{Name: name, Created: created, Terminating: leaves})
	}
	return all
}
