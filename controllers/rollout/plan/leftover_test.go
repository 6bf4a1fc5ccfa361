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

// routesGone has somebody delete the routes, some time ago.
func routesGone(ago time.Duration) edit {
	return func(s *Snapshot) {
		at := metav1.NewTime(noon.Add(-ago))
		s.NoRoutes, s.Traffic = true, traffic.Observed{}
		t := s.Rollout.Status.Traffic
		s.Rollout.Status.Traffic = &v1alpha1.TrafficStatus{Since: &at, Endpoints: t.Endpoints}
	}
}

// otherRoute has the spec name another route than those in force.
func otherRoute(s *Snapshot) {
	b := WantedBindings(s.Rollout)
	s.Rollout.Status.Bindings = &b
	s.Rollout.Spec.Strategy.Canary.Routes = []v1alpha1.RouteRef{{Kind: "HTTPRoute", Name: "shop2"}}
}

// TestDeletedRoutesAreLeft: once the spec names others, nothing has to come back by routes
// that are not there, but for whoever follows them still.
func TestDeletedRoutesAreLeft(t *testing.T) {
	for name, m := range map[string]moment{
		"Followed": {"callers may reach the canary for a while yet", scene(canaryOf(1, 1, 25), settledNow, otherRoute, routesGone(time.Minute)), []string{"RollingBack", "HTTPRoute shop deleted, and followed by nobody from 12:01:00 UTC on"}, []string{"Service canary", "scale shop-v2"}},
		"Left":     {"nobody does any more", scene(canaryOf(1, 1, 25), settledNow, otherRoute, routesGone(3*time.Minute)), []string{"point Service canary at revision v1", "giving the former ones back"}, []string{"scale shop-v2"}},
		"OtherLeads": {"the other route leads callers to the stable Service, and it takes four pods to serve them", scene(canaryOf(3, 4, 0), latched(v1alpha1.ReasonAborted), dynamicStable, func(s *Snapshot) {
			s.Revisions[0] = revision("v1", 1, 1)
			s.StableService = service("stable", "v2", 4)
		}, settledNow, otherRoute, routesGone(3*time.Minute)), []string{"scale shop-v1 from 1 to 4"}, []string{"Service stable", "scale shop-v2"}},
		"Restarted":   {"nor does this controller know what they were a minute ago", scene(canaryOf(1, 1, 25), settledNow, otherRoute, routesGone(3*time.Minute), watchedFor(time.Minute)), []string{"from 12:01:00 UTC on"}, []string{"Service canary"}},
		"Aborted":     {"nor after an abort", scene(canaryOf(1, 1, 25), latched(v1alpha1.ReasonAborted), settledNow, otherRoute, routesGone(3*time.Minute)), []string{"point Service canary at revision v1"}, nil},
		"Named":       {"they are wanted still, and may be back with what they had", scene(canaryOf(1, 1, 25), latched(v1alpha1.ReasonAborted), settledNow, routesGone(3*time.Minute)), []string{"Aborting"}, []string{"Service canary"}},
		"OneIsThere":  {"and has to come back by itself", scene(canaryOf(1, 1, 25), settledNow, otherRoute, routesGone(3*time.Minute), carries(traffic.CanaryAt(25)), func(s *Snapshot) { s.NoRoutes = false }), []string{"shift traffic to stable 100 %"}, []string{"Service canary"}},
		"Unreadable":  {"nobody knows whether they are there", scene(canaryOf(1, 1, 25), settledNow, otherRoute, routesGone(3*time.Minute), func(s *Snapshot) { s.NoRoutes = false }), []string{"waiting for HTTPRoute shop to be read"}, []string{"Service canary"}},
		"JustNoticed": {"they were there at the last look", scene(canaryOf(1, 1, 25), settledNow, otherRoute, func(s *Snapshot) { s.NoRoutes, s.Traffic = true, traffic.Observed{} }), []string{"from 12:02:00 UTC on"}, []string{"Service canary"}},
	} {
		t.Run(name, m.check)
	}
}

// TestAReleaseGoesOnByAnotherRoute, by the clock alone, after its own was deleted.
func TestAReleaseGoesOnByAnotherRoute(t *testing.T) {
	s := scene(canaryOf(1, 1, 25), settledNow, otherRoute, func(s *Snapshot) { s.NoRoutes, s.Traffic = true, traffic.Observed{} })
	for bound := ""; bound != "shop2"; bound = s.Rollout.Status.Bindings.Routes[0].Name {
		p := Decide(s)
		for _, a := range p.Actions {
			switch a := a.(type) {
			case SelectRevision:
				s.CanaryService = service(a.Service, a.Revision, 4)
			case ScaleRevision:
				at := slices.IndexFunc(s.Revisions, func(r Revision) bool { return r.Name == a.Name })
				s.Revisions[at] = revision(s.Revisions[at].Hash, s.Revisions[at].Number, a.Replicas)
			}
		}
		if p.Wake == 0 && len(p.Actions) == 0 || s.Now.Sub(noon) > 4*time.Minute {
			t.Fatalf("at %s nothing is done, and the next look is in %s: %s", s.Now.Format(time.TimeOnly), p.Wake, p.Status.Message)
		}
		s.Now, s.Rollout.Status = s.Now.Add(max(p.Wake, time.Second)), p.Status // a second for what was done to be seen
	}
}

// surgeOf allows so many pods more than wanted.
func surgeOf(n int32) edit {
	return func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.MaxSurge = ptr.To(intstr.FromInt32(n)) }
}

// leavesBefore has the delay of v2's pods be over.
func leavesBefore(s *Snapshot) {
	at := metav1.NewTime(noon.Add(-time.Minute))
	s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v2", ScaleDownAt: &at}}
}

// TestAReplacedRevisionLeavesUnderAPause, or beside a mistake: a newer one has taken its
// place, and it may have been aborted before that.
func TestAReplacedRevisionLeavesUnderAPause(t *testing.T) {
	pods := func(v1, v2, v3 int32, edits ...edit) Snapshot {
		return scene(append([]edit{byPods("1"), canaryOf(0, v2, 0), wants("v3"), func(s *Snapshot) {
			s.Rollout.Status.CanaryRevision = "v3"
			s.Revisions[0] = revision("v1", 1, v1)
			s.Revisions = append(s.Revisions, revision("v3", 3, v3))
			s.CallerService.Ready = map[string]int32{"v1": v1, "v2": v2, "v3": v3}
		}}, edits...)...)
	}
	routes := func(edits ...edit) Snapshot {
		return scene(append([]edit{inSteps(weightStep(50)), canaryOf(0, 2, 50), wants("v3"), func(s *Snapshot) {
			s.Rollout.Status.CanaryRevision = "v3"
			s.Revisions = append(s.Revisions, revision("v3", 3, 2))
		}, settledNow}, edits...)...)
	}
	for name, m := range map[string]moment{
		"Grows":       {"stable takes its place, as far as maxSurge goes", pods(2, 2, 0, pausedBySpec), []string{"scale shop-v1 from 2 to 3"}, []string{"scale shop-v2", "scale shop-v3"}},
		"Leaves":      {"one of stable has come", pods(3, 2, 0, pausedBySpec), []string{"scale shop-v2 from 2 to 1"}, []string{"scale shop-v3"}},
		"LastLeaves":  {"all of stable have", pods(4, 1, 0, pausedByCommand), []string{"scale shop-v2 from 1 to 0"}, []string{"scale shop-v1", "scale shop-v3"}},
		"NotReady":    {"the newer one has a pod that carries nothing", pods(3, 1, 1, pausedBySpec, surgeOf(2), func(s *Snapshot) { s.Revisions[2].Ready, s.Revisions[2].Available = 0, 0 }), []string{"scale shop-v1 from 3 to 4"}, []string{"scale shop-v3"}},
		"NoRoom":      {"no more pods than maxSurge allows beside those of the mix", pods(2, 3, 1, pausedBySpec, func(s *Snapshot) { s.Revisions[2].Ready, s.Revisions[2].Available = 0, 0 }), nil, []string{"scale shop-v1", "scale shop-v3"}},
		"BesideIt":    {"the newer one has a pod already, and keeps it", pods(3, 1, 1, pausedBySpec), []string{"scale shop-v2 from 1 to 0"}, []string{"scale shop-v1", "scale shop-v3"}},
		"Settling":    {"as the pause found it, with one pod less than maxUnavailable allows", pods(2, 0, 1, pausedBySpec, inSteps(weightStep(50))), nil, []string{"scale shop"}},
		"NoneToLeave": {"nobody has to leave, and all stays as it is", pods(3, 0, 2, pausedBySpec), nil, []string{"scale shop"}},
		"Mistake":     {"it leaves beside a mistake, too", pods(4, 1, 0, problem), []string{"scale shop-v2 from 1 to 0"}, nil},
		"Share":       {"by routes it loses its share", routes(problem), []string{"shift traffic to stable 100 %"}, []string{"Service canary"}},
		"NoMore":      {"nobody gets a larger one beside a mistake", routes(problem, carries(traffic.CanaryAt(0)), endpoints(2)), nil, []string{"shift"}},
		"Keeps":       {"stable was shrunk, and can't carry all yet", routes(problem, dynamicStable, behind("v1", 2), func(s *Snapshot) { s.Revisions[0] = revision("v1", 1, 2) }, settledNow), []string{"scale shop-v1 from 2 to 4"}, []string{"shift"}},
		"Differ":      {"one route gives it less already than stable can take over", routes(problem, dynamicStable, func(s *Snapshot) { s.Revisions[0] = revision("v1", 1, 2) }, behind("v1", 2), carries(traffic.CanaryAt(25), traffic.CanaryAt(50)), settledNow), nil, []string{"shift"}},
		"Pods":        {"by routes its pods get nothing, and wait", routes(problem, carries(traffic.CanaryAt(0)), func(s *Snapshot) { s.CanaryService = service("canary", "v3", 2) }, settledNow, leavesBefore), nil, []string{"scale"}},
		"Strangers":   {"somebody made the canary's Service anew, and it selects nobody of ours", scene(canaryOf(1, 1, 25), settledNow, problem, func(s *Snapshot) { s.CanaryService.Selects = "" }), nil, []string{"shift"}},
		"Lowered":     {"the canary's own share stays, whatever the steps say by now", scene(inSteps(weightStep(25)), canaryOf(0, 2, 50), settledNow, problem), nil, []string{"shift"}},
		"ItsOwn":      {"its own share stays, as the release is only held", scene(canaryOf(1, 1, 25), settledNow, problem), nil, []string{"shift"}},
	} {
		t.Run(name, m.check)
	}
}

// TestTheDeadlineAllowsForRoomThatIsKept: stable keeps a pod that is not noticed, and a
// pod of the canary may find no room beside it. Once that one is gone, the canary has as
// long as ever to get its own.
func TestTheDeadlineAllowsForRoomThatIsKept(t *testing.T) {
	s := scene(inSteps(weightStep(25), weightStep(50)), canaryOf(1, 1, 25), canaryPods(2, 1), dynamicStable, func(s *Snapshot) {
		s.Revisions[0].Ready, s.Revisions[0].Available = 3, 3
		s.StableService = service("stable", "v1", 3)
	}, settledNow)
	var gone time.Duration
	for ago := time.Duration(0); s.Rollout.Status.Abort == nil; ago += time.Minute {
		s.Now = noon.Add(ago)
		p := Decide(s)
		s.Rollout.Status = p.Status
		switch {
		case gone == 0 && scales(p):
			s.Revisions[0] = revision("v1", 1, 3)
			gone = ago
		case gone == 0 && !strings.Contains(p.Status.Message, "waiting for pods: 1 of 2 available; shop-v1 keeps 4 pods until Service stable lists"):
			t.Fatalf("after %s stable keeps its pod, and nobody is told: %s", ago, p.Status.Message)
		case ago > time.Hour:
			t.Fatalf("nothing ends it: %s", p.Status.Message)
		}
	}
	deadline := s.Rollout.Status.Abort.At.Sub(noon)
	if gone != 12*time.Minute || deadline-gone < defaultDeadline*time.Second || deadline-gone > defaultDeadline*time.Second+2*time.Minute {
		t.Errorf("stable shrinks after %s and the release is aborted after %s", gone, deadline)
	}
}

// TestTheDeadlineGoesOn where room would help nobody.
func TestTheDeadlineGoesOn(t *testing.T) {
	waits := func(edits ...edit) Snapshot {
		return scene(append([]edit{inSteps(weightStep(25), weightStep(50)), canaryOf(1, 1, 25), func(s *Snapshot) {
			at := metav1.NewTime(noon.Add(-time.Minute))
			s.Rollout.Status.CurrentStep.WaitingSince = &at
		}}, edits...)...)
	}
	for name, m := range map[string]moment{
		"ItsOwn": {"it is larger than wanted itself", waits(canaryPods(4, 1), settledNow), []string{"shop-v2 keeps 4 pods until Service canary lists"}, []string{"scale"}},
		"Passed": {"it has passed, and onDeadline is Degrade", waits(canaryPods(2, 1), dynamicStable, behind("v1", 3), settledNow, func(s *Snapshot) {
			at := metav1.NewTime(noon.Add(-time.Hour))
			s.Rollout.Spec.OnDeadline, s.Rollout.Status.CurrentStep.WaitingSince = v1alpha1.OnDeadlineDegrade, &at
		}), []string{"Degraded"}, []string{"scale"}},
		"Listed": {"it has its pods, and its Service lists one of them", waits(canaryPods(2, 2), dynamicStable, behind("v1", 3), settledNow), []string{"waiting for Service canary to list 2 ready endpoints"}, []string{"scale"}},
	} {
		t.Run(name, func(t *testing.T) {
			m.check(t)
			if at := Decide(m.scene).Status.CurrentStep.WaitingSince; at == nil || !at.Time.Before(noon) {
				t.Errorf("the step waits since %v, want a minute ago", at)
			}
		})
	}
}

// TestTheWayBackNamesWhatIsInTheWay: a pod of nobody's behind the stable Service, so that
// nobody can tell how many of stable's the proxies know.
func TestTheWayBackNamesWhatIsInTheWay(t *testing.T) {
	beside := func(weight int32) Snapshot {
		return scene(shrunk, latched(v1alpha1.ReasonAborted), func(s *Snapshot) {
			s.Revisions[0] = revision("v1", 1, 4)
			s.StableService = service("stable", "v1", 4)
		}, carries(traffic.CanaryAt(weight)), settledNow, pointedAway("", 1), func(s *Snapshot) { s.Rollout.Status.Traffic.AcceptedAt = nil })
	}
	for name, m := range map[string]moment{
		"InTheWay": {"a copy of a pod, made to look into it, has kept the labels", beside(50), []string{"waiting for Service stable to list endpoints of v1 alone, has 4 and 1 of others; aborted because"}, nil},
		"Back":     {"all is written, and such a pod is in nobody's way", beside(0), []string{"settling for 2s; aborted because"}, nil},
	} {
		t.Run(name, m.check)
	}
}
