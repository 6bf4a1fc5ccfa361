// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// moment is a scene and what must, and must not, be done in it. Texts are parts
// of an action's words, or of the status line that comes first.
type moment struct {
	reason string
	scene  Snapshot
	does   []string
	leaves []string
}

func (m moment) check(t *testing.T) {
	t.Helper()
	p := Decide(m.scene)
	lines := []string{fmt.Sprintf("%s at step %v, stable %s, canary %s, release %d: %s",
		p.Status.Phase, stepIndex(p.Status), p.Status.StableRevision, p.Status.CanaryRevision, p.Status.Release, p.Status.Message)}
	if cmd := p.Status.LastCommand; cmd != nil {
		lines[0] += fmt.Sprintf(" [%s %s: %s]", cmd.Verb, cmd.Result, cmd.Message)
	}
	for _, a := range p.Actions {
		lines = append(lines, a.String())
	}
	all := strings.Join(lines, "\n")
	for _, want := range m.does {
		if !strings.Contains(all, want) {
			t.Errorf("%s: lacks %q in:\n%s", m.reason, want, all)
		}
	}
	for _, never := range m.leaves {
		if strings.Contains(all, never) {
			t.Errorf("%s: has %q in:\n%s", m.reason, never, all)
		}
	}
}

func stepIndex(s v1alpha1.RolloutStatus) string {
	if s.CurrentStep == nil {
		return "none"
	}
	return fmt.Sprint(s.CurrentStep.Index)
}

// behind gives the stable Service another revision, with n ready endpoints.
func behind(hash string, n int32) edit {
	return func(s *Snapshot) { s.StableService = service("stable", hash, n) }
}

func endpoints(n int32) edit {
	return func(s *Snapshot) { s.CanaryService = service("canary", "v2", n) }
}

func carries(splits ...traffic.Split) edit {
	return func(s *Snapshot) { s.Traffic = traffic.Observed{Requested: splits, Confirmed: splits} }
}

// byPods takes the routes away and gives the callers' Service a version; it lists nothing.
func byPods(version string) edit {
	return func(s *Snapshot) {
		c := s.Rollout.Spec.Strategy.Canary
		c.Routes, c.StableService, c.CanaryService, c.Service = nil, "", "", "shop"
		s.CallerService = Service{Name: "shop", Version: version}
	}
}

func replicas(n int32) edit { return func(s *Snapshot) { s.Rollout.Spec.Replicas = &n } }

func dynamicStable(s *Snapshot) {
	s.Rollout.Spec.Strategy.Canary.ScaleStable = v1alpha1.ScaleStableDynamic
}

// onceShrunk has scaleStable edited since stable was shrunk.
func onceShrunk(s *Snapshot) {
	s.Rollout.Spec.Strategy.Canary.ScaleStable = ""
	s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v1", Shrunk: true}}
}

// canaryPods gives the canary pods of which some are ready.
func canaryPods(want, ready int32) edit {
	return func(s *Snapshot) {
		r := &s.Revisions[len(s.Revisions)-1]
		r.Replicas, r.Current, r.Ready, r.Available = want, want, ready, ready
	}
}

// old adds a revision without a role.
func old(hash string, n int32) edit {
	return func(s *Snapshot) { s.Revisions = append(s.Revisions, revision(hash, 3, n)) }
}

// nobody has stable lose all its pods.
func nobody(s *Snapshot) {
	s.Revisions[0].Ready, s.Revisions[0].Available = 0, 0
	s.StableService = service("stable", "v1", 0)
}

func match(on bool) v1alpha1.Step {
	m := v1alpha1.MatchRoute{Name: "testers"}
	if on {
		m.Match = []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: "X-Canary", Exact: ptr.To("1")}}}}
	}
	return v1alpha1.Step{MatchRoute: &m}
}

func scaleStep(s v1alpha1.SetScale) v1alpha1.Step { return v1alpha1.Step{SetScale: &s} }

const toStable, toCanary = "shift traffic to stable 100 %, canary 0 %", "shift traffic to stable 0 %, canary 100 %"

// TestCapacityBeforeTraffic: no Service and no route stands for what can't carry it.
func TestCapacityBeforeTraffic(t *testing.T) {
	for name, m := range map[string]moment{
		"FirstRevisionWithoutPods": {
			"nothing points at a revision that has no pods", scene(firstOf("v1", 0)),
			nil, []string{"point Service", "shift traffic"},
		},
		"NarrowedToNobody": {
			"a stranger leaves callers of a takeover with a revision that has no ready pod", scene(firstOf("v2", 0), wants("v2"), old("v1", 4), func(s *Snapshot) {
				s.Workload = &Workload{Name: "shop", Before: ptr.To(int32(4))}
				s.StableService, s.CanaryService = service("stable", "v2", 0), service("canary", "v1", 4)
			}),
			[]string{"widen Service stable"}, []string{"widen Service canary"},
		},
		"FirstRevisionNarrowsBoth": {
			"both Services stand for one revision before there is a second",
			scene(firstOf("v1", 4), behind("", 0), func(s *Snapshot) { s.CanaryService = service("canary", "", 0) }),
			[]string{"point Service stable at revision v1", "point Service canary at revision v1"}, nil,
		},
		"CanaryWithoutEndpoints": {
			"ready pods are not enough: the EndpointSlices decide", scene(canaryOf(0, 1, 0), endpoints(0), settledNow),
			[]string{"waiting for Service canary to list 1 ready endpoint of v2"}, []string{"shift traffic"},
		},
		"CanaryWithFewEndpoints": {
			"the weight waits for all pods that it needs", scene(canaryOf(2, 2, 25), endpoints(1), settledNow), nil, []string{"shift traffic"},
		},
		"EndpointsJustListed": {
			"a data plane hears of endpoints later than of weights",
			scene(canaryOf(0, 1, 0), settledNow, func(s *Snapshot) { s.Rollout.Status.Traffic.Endpoints = nil }),
			[]string{"settling"}, []string{"shift traffic"},
		},
		"EndpointsSettled":     {"then it is given", scene(canaryOf(0, 1, 0), settledNow), []string{"shift traffic to stable 75 %, canary 25 %"}, nil},
		"RetargetUnderTraffic": {"V3 waits until V2's share is known to have left", scene(canaryOf(2, 2, 50), wants("v3"), old("v3", 2), settledNow), nil, []string{"point Service canary at revision v3", "scale shop-v2"}},
		"RetargetUnconfirmed": {
			"a weight that is written is not a weight that is served",
			scene(canaryOf(2, 2, 0), wants("v3"), old("v3", 2), settledNow, func(s *Snapshot) { s.Traffic.Confirmed = nil }),
			nil, []string{"point Service canary at revision v3"},
		},
		"RetargetAtZero": {"at 0 % the canary's Service is free", scene(canaryOf(2, 2, 0), wants("v3"), old("v3", 2), settledNow), []string{"point Service canary at revision v3"}, nil},
		"PromotionUnconfirmed": {
			"stable's Service moves only once nothing is left on it",
			scene(canaryOf(3, 4, 100), settledNow, func(s *Snapshot) { s.Traffic.Confirmed = nil }), nil, []string{"point Service stable", "scale shop-v1"},
		},
		"PromotionBesideAnother": {"what carries everything is the canary of before", scene(canaryOf(3, 4, 100), old("v0", 4), settledNow, func(s *Snapshot) {
			s.CanaryService = service("canary", "v0", 4)
		}), nil, []string{"point Service stable at revision v2"}},
		"PromotionConfirmed": {"then it moves, and the traffic waits for its endpoints", scene(canaryOf(3, 4, 100), settledNow), []string{"point Service stable at revision v2"}, []string{toStable, "scale shop-v1"}},
		"PromotionMovedUnlisted": {
			"until its endpoints are listed the canary slot carries on", scene(canaryOf(3, 4, 100), behind("v2", 1), settledNow), nil, []string{toStable},
		},
		"PromotionPodsLost": {
			"a canary that loses its pods at 100 % does not get stable's Service",
			scene(canaryOf(3, 4, 100), canaryPods(4, 0), endpoints(0), settledNow), []string{toStable}, []string{"point Service stable"},
		},
	} {
		t.Run(name, m.check)
	}
}

// TestTrafficBeforeRemoval: pods leave after their traffic is known to have left.
func TestTrafficBeforeRemoval(t *testing.T) {
	retiring := func(at time.Time) edit {
		return func(s *Snapshot) {
			s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v0", ScaleDownAt: ptr.To(metav1.NewTime(at))}}
		}
	}
	for name, m := range map[string]moment{
		"AbortedStillServed": {
			"the routes say 0 %, but the data plane has not said so",
			scene(canaryOf(2, 2, 0), latched(v1alpha1.ReasonAborted), settledNow, func(s *Snapshot) { s.Traffic.Confirmed = nil }), nil, []string{"scale shop-v2"},
		},
		"SupersededStillSelected": {"a Service that selects it may list its pods", scene(canaryOf(2, 2, 50), wants("v3"), settledNow), []string{"create revision v3"}, []string{"scale shop-v2"}},
		"RetiredInItsDelay":       {"it keeps its pods until the time that was noted", scene(old("v0", 3), retiring(noon.Add(time.Second)), settledNow), nil, []string{"scale shop-v0"}},
		"RetiredWhileScaled":      {"a change of replicas does not touch it", scene(old("v0", 3), retiring(noon.Add(time.Second)), replicas(8), settledNow), []string{"scale shop-v1 from 4 to 8"}, []string{"scale shop-v0"}},
		"RetiredAfterItsDelay":    {"then all leave at once", scene(old("v0", 3), retiring(noon), settledNow), []string{"scale shop-v0 from 3 to 0"}, nil},
		"ScaleThenMatchWeight": {
			"back from setScale to what the weight needs, never to nothing",
			scene(inSteps(weightStep(25), scaleStep(v1alpha1.SetScale{Replicas: ptr.To(int32(3))}), scaleStep(v1alpha1.SetScale{MatchWeight: true}), pauseStep()), canaryOf(2, 3, 25), settledNow),
			[]string{"scale shop-v2 from 3 to 1"}, []string{"to 0"},
		},
		"CanaryServiceWidened": {
			"a Service that GitOps widened leads to the canary's pods all the same, and somebody gave it everything",
			scene(inSteps(scaleStep(v1alpha1.SetScale{Replicas: ptr.To(int32(2))}), pauseStep()), canaryOf(0, 4, 100), widened, settledNow), []string{toStable}, []string{"scale shop-v2"},
		},
		"SmallerWeightUnconfirmed": {
			"pods of the larger weight stay until it is known to have left",
			scene(inSteps(weightStep(75), weightStep(25), pauseStep()), canaryOf(1, 3, 75), settledNow), []string{"shift traffic to stable 75 %, canary 25 %"}, []string{"scale shop-v2"},
		},
		"StableLostItsPods": {
			"nothing shrinks while the other side can't serve: the canary grows to carry everything", scene(canaryOf(2, 3, 25), short(0), behind("v1", 0), settledNow), []string{"scale shop-v2 from 3 to 4"}, nil,
		},
		"DynamicStableFollowsItsShare": {"stable shrinks to the share that is confirmed", scene(canaryOf(2, 2, 50), dynamicStable, settledNow), []string{"scale shop-v1 from 4 to 2"}, nil},
		"DynamicStableUnconfirmed": {
			"and not before", scene(canaryOf(2, 2, 50), dynamicStable, settledNow, func(s *Snapshot) { s.Traffic.Confirmed = nil }), nil, []string{"scale shop-v1"},
		},
	} {
		t.Run(name, m.check)
	}
}

// widened has the canary's Service list the pods of both revisions.
func widened(s *Snapshot) {
	s.CanaryService = Service{Name: "canary", Ready: map[string]int32{"v1": 4, "v2": 4}}
}

// shrunk is a stable revision of two pods under scaleStable Dynamic, with the canary at 50 %.
func shrunk(s *Snapshot) {
	canaryOf(2, 2, 50)(s)
	s.Revisions[0] = revision("v1", 1, 2)
	s.StableService = service("stable", "v1", 2)
	dynamicStable(s)
}

// lagging has the stable Service stand for v1 again while its EndpointSlices list
// others still, and have for a minute.
func lagging(hash string, n int32) edit {
	return func(s *Snapshot) {
		s.StableService = Service{Name: "stable", Version: "7", Selects: "v1", Ready: map[string]int32{hash: n}}
		s.Rollout.Status.Traffic.Endpoints = []v1alpha1.ServiceEndpoints{
			{Service: "stable", Revision: hash, Ready: n, Since: metav1.NewTime(noon.Add(-time.Minute))},
		}
	}
}

// TestWayBack: whatever else is so, an abort and a rollback bring the traffic home.
func TestWayBack(t *testing.T) {
	aborted := latched(v1alpha1.ReasonAbortedByCommand)
	for name, m := range map[string]moment{
		"AbortShiftsAtOnce":     {"stable was kept in full", scene(canaryOf(2, 2, 50), says(v1alpha1.VerbAbort), settledNow), []string{"abort Accepted", toStable}, []string{"scale shop-v2"}},
		"AbortToNobody":         {"what stable can't serve is not sent there", scene(canaryOf(2, 2, 50), aborted, settledNow, nobody), []string{toCanary, "waiting for a ready endpoint of Service stable"}, nil},
		"AbortDuringScaling":    {"a change of replicas in the same look is no detour", scene(canaryOf(2, 2, 50), says(v1alpha1.VerbAbort), replicas(8), settledNow), []string{toStable, "scale shop-v1 from 4 to 8"}, nil},
		"AbortDuringPause":      {"a pause holds no way back", scene(canaryOf(1, 1, 25), pausedBySpec, says(v1alpha1.VerbAbort), settledNow), []string{"abort Accepted", toStable}, nil},
		"AbortDuringPromotion":  {"all steps are done and stable has not moved yet", scene(canaryOf(3, 4, 100), says(v1alpha1.VerbAbort), settledNow), []string{"abort Accepted", toStable}, []string{"point Service stable at revision v2"}},
		"AbortAfterMove":        {"stable's Service goes back under stable", scene(canaryOf(3, 4, 100), behind("v2", 4), says(v1alpha1.VerbAbort), settledNow), []string{"abort Accepted", "point Service stable at revision v1"}, nil},
		"AbortAfterMoveShort":   {"the one pod listed there is the canary's, and stable's are not yet", scene(canaryOf(3, 4, 100), aborted, behind("v2", 1), settledNow), []string{"point Service stable at revision v1"}, []string{toStable}},
		"AbortUnheard":          {"what is listed there is one pod of another revision", scene(canaryOf(3, 4, 100), aborted, settledNow, lagging("v3", 1)), nil, []string{toStable}},
		"AbortToTheSamePods":    {"the canary's own four carry it until stable's are listed", scene(canaryOf(3, 4, 100), aborted, settledNow, lagging("v2", 4)), []string{toStable}, nil},
		"AbortWithProblems":     {"a mistake in the spec holds no way back", scene(canaryOf(2, 2, 50), aborted, problem, settledNow), []string{toStable}, nil},
		"AbortWithoutRelease":   {"there is nothing to abort, and nothing changes", scene(says(v1alpha1.VerbAbort), settledNow), []string{"abort Refused", "Healthy"}, []string{"scale", "shift"}},
		"AbortThenNewer":        {"a newer template is a release of its own", scene(canaryOf(2, 2, 50), aborted, wants("v3"), settledNow), []string{"canary v3", "release 3", "create revision v3"}, []string{"scale shop-v2"}},
		"AbortOfShrunkStable":   {"stable gets what it can carry, and grows", scene(shrunk, aborted, settledNow), []string{"scale shop-v1 from 2 to 4"}, []string{toStable}},
		"AbortOfOnceShrunk":     {"an edit of scaleStable brings no pods", scene(shrunk, aborted, settledNow, onceShrunk), []string{"scale shop-v1 from 2 to 4"}, []string{toStable}},
		"AbortOfOnceShrunkLate": {"nor do slices that list pods which are not ready any more", scene(canaryOf(2, 2, 50), aborted, settledNow, short(2), onceShrunk), nil, []string{toStable}},
		"MovedBackOnceShrunk": {"stable's Service stands for the canary, and stable has two of four", scene(shrunk, aborted, behind("v2", 4), func(s *Snapshot) {
			s.Revisions[0].Replicas, s.Traffic = 4, carried(traffic.CanaryAt(0))
		}, settledNow, onceShrunk), nil, []string{"point Service stable"}},
		"RollBackShrunkStable":  {"the same when the template goes back", scene(shrunk, wants("v1"), settledNow), []string{"scale shop-v1 from 2 to 4"}, []string{toStable}},
		"SupersedeShrunkStable": {"the same when V3 arrives", scene(shrunk, wants("v3"), settledNow), []string{"canary v3"}, []string{toStable, "scale shop-v1 from 2 to 1"}},
		"RollBackAtOnce":        {"no steps on the way back", scene(canaryOf(2, 2, 50), wants("v1"), settledNow), []string{toStable}, nil},
		"CallersServiceGone": {
			"callers reach nobody by it and lose nothing: it is not waited for",
			scene(canaryOf(2, 4, 0), latched(v1alpha1.ReasonRollingBack), wants("v1"), byPods(""), settledNow), []string{"scale shop-v2 from 4 to 0"}, nil,
		},
		"CallersServiceEmpty": {
			"but one that is there and lists no pods yet is",
			scene(canaryOf(2, 4, 0), latched(v1alpha1.ReasonRollingBack), wants("v1"), byPods("7"), settledNow), nil, []string{"scale shop-v2"},
		},
		"RoutesTornBothShort": {
			"neither can carry more: both routes stay until stable has grown",
			scene(canaryOf(1, 1, 25), dynamicStable, replicas(6), aborted, carries(traffic.CanaryAt(0), traffic.CanaryAt(25)), settledNow), []string{"scale shop-v1 from 4 to 6"}, []string{"shift traffic"},
		},
		"RoutesTornBaselineShort": {
			"nor can the baseline, of which one pod is left",
			scene(canaryOf(1, 0, 0), dynamicStable, replicas(6), aborted, carries(traffic.CanaryAt(0), traffic.Split{Stable: 80, Baseline: 20}), func(s *Snapshot) {
				s.Revisions, s.BaselineService = append(s.Revisions, revision("v1-b2", 0, 1)), service("shop-baseline", "v1-b2", 1)
			}, settledNow), []string{"scale shop-v1 from 4 to 6"}, []string{"shift traffic"},
		},
		"RoutesTornCanaryAble": {
			"the canary can keep its share in both",
			scene(canaryOf(1, 2, 25), dynamicStable, replicas(6), aborted, carries(traffic.CanaryAt(0), traffic.CanaryAt(25)), settledNow), []string{"shift traffic to stable 75 %, canary 25 %"}, nil,
		},
		"RoutesDisagree": {"one route written, one not: both are written", scene(canaryOf(2, 2, 50), aborted, carries(traffic.CanaryAt(50), traffic.CanaryAt(0)), settledNow), []string{toStable}, []string{"Degraded"}},
		"StableWithoutEndpoints": {
			"all are kept where they are served until stable can", scene(canaryOf(2, 2, 50), aborted, short(0), behind("v1", 0), settledNow), []string{"waiting for a ready endpoint"}, []string{toStable, "scale shop-v2"},
		},
		"OverduePromotion": {
			"a deadline at the end does not leave it half promoted",
			scene(canaryOf(3, 4, 100), behind("v2", 1), settledNow, waitingFor11Minutes), []string{"point Service stable at revision v1"}, nil,
		},
	} {
		t.Run(name, m.check)
	}
}

// TestRescue: traffic leaves endpoints that vanish, when another slot can serve.
func TestRescue(t *testing.T) {
	for name, m := range map[string]moment{
		"CanaryVanishes": {"stable takes all", scene(canaryOf(2, 2, 50), canaryPods(2, 0), endpoints(0), settledNow), []string{toStable}, nil},
		"BeforeTheFinalizer": {"what is changed has to be handed back one day", scene(canaryOf(2, 2, 50), canaryPods(2, 0), endpoints(0), problem, settledNow, func(s *Snapshot) {
			s.Rollout.Finalizers = nil
		}), []string{"hold the Rollout by a finalizer", toStable}, nil},
		"StableVanishesWhereRoutesAreTorn": {
			"too few pods of the canary answer more than none of stable",
			scene(canaryOf(1, 3, 25), dynamicStable, short(0), behind("v1", 0), carries(traffic.CanaryAt(0), traffic.CanaryAt(100)), settledNow), []string{toCanary}, nil,
		},
		"StableVanishes": {"the canary takes all", scene(canaryOf(2, 2, 50), short(0), behind("v1", 0), settledNow), []string{toCanary}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestTheStatusIsTheCursor: nobody else's edit moves a release on.
func TestTheStatusIsTheCursor(t *testing.T) {
	matching := inSteps(match(true), pauseStep(), match(false), weightStep(50))
	for name, m := range map[string]moment{
		"RouteEdited": {"the share is put back and the step stays", scene(canaryOf(1, 1, 77), settledNow), []string{"at step 1", "shift traffic to stable 75 %, canary 25 %"}, nil},
		"RouteEditedWhileRebinding": {
			"a retired revision behind the canary's Service would keep a stranger's share for ever",
			scene(old("v0", 2), carries(traffic.CanaryAt(78)), func(s *Snapshot) { s.CanaryService = service("canary", "v0", 2) }, settledNow, rebound), []string{toStable}, []string{"scale shop-v0"},
		},
		"RouteReset":      {"GitOps wrote 0 % again", scene(canaryOf(1, 1, 0), settledNow), []string{"at step 1", "shift traffic to stable 75 %, canary 25 %"}, nil},
		"MatchTakenAway":  {"a match is what the steps up to here say, at every look", scene(matching, canaryOf(1, 1, 0), settledNow), []string{"at step 1", "matched to canary: testers"}, nil},
		"MatchEnded":      {"and ends by a step", scene(matching, canaryOf(2, 1, 0), settledNow), nil, []string{"matched to canary"}},
		"CallersNarrowed": {"somebody gave the callers one revision of several", scene(byPods("1"), func(s *Snapshot) { s.CallerService.Selects = "v0" }), []string{"widen Service shop to all revisions"}, nil},
		"ServiceWidened":  {"GitOps took the selector away", scene(canaryOf(1, 1, 25), behind("", 5), settledNow), []string{"point Service stable at revision v1"}, nil},
		"WidenedAtRest": {
			"a retired revision, too, gets requests as soon as one of its pods is ready", scene(old("v0", 2), overdueRetirement, func(s *Snapshot) { s.StableService.Selects = "" }, settledNow),
			[]string{"point Service stable at revision v1"}, []string{"scale shop-v0"},
		},
		"PointedAway": {
			"it is pointed back only once its EndpointSlices have followed", scene(canaryOf(0, 1, 0), func(s *Snapshot) { s.CanaryService.Selects = "v0" }, settledNow),
			nil, []string{"point Service canary", toCanary},
		},
		"PointedAwayLong": {
			"which they have", scene(canaryOf(0, 1, 0), func(s *Snapshot) { s.CanaryService = service("canary", "v0", 1) }, settledNow),
			[]string{"point Service canary at revision v2"}, []string{toCanary},
		},
		"NarrowAtRest":   {"and leaves when its time has come otherwise", scene(old("v0", 2), overdueRetirement, settledNow), []string{"scale shop-v0 from 2 to 0"}, nil},
		"StepsShortened": {"fewer steps than are done is a promotion, by the usual way", scene(inSteps(weightStep(25)), canaryOf(2, 2, 50), settledNow), []string{"scale shop-v2 from 2 to 4"}, []string{"point Service stable", toCanary}},
		"WeightNotInTheSteps": {
			"steps are counted, weights are not looked up", scene(inSteps(weightStep(10), weightStep(30), weightStep(60)), canaryOf(1, 2, 25), settledNow),
			[]string{"at step 1", "shift traffic to stable 70 %, canary 30 %"}, nil,
		},
		"NoSteps":       {"without steps a release is promoted, by the usual way", scene(inSteps(), canaryOf(0, 1, 0), settledNow), []string{"scale shop-v2 from 1 to 4"}, []string{toCanary}},
		"EndsAtZero":    {"a plan may end at 0 % and is promoted all the same", scene(inSteps(weightStep(0)), canaryOf(0, 1, 0), settledNow), []string{"scale shop-v2 from 1 to 4"}, nil},
		"ScaledToZero":  {"no pods and no traffic: nothing to wait for", scene(canaryOf(0, 0, 0), replicas(0), settledNow), nil, []string{"shift traffic to stable 75"}},
		"StatusIsGone":  {"the Service says who is stable, so that v2 walks its steps", scene(wants("v2"), func(s *Snapshot) { s.Rollout.Status = v1alpha1.RolloutStatus{} }), []string{"stable v1, canary v2", "at step 0"}, []string{toCanary}},
		"StableDeleted": {"somebody deleted stable's ReplicaSet while it is wanted", scene(func(s *Snapshot) { s.Revisions = nil }, settledNow), []string{"create revision v1 with 4 replicas"}, nil},
	} {
		t.Run(name, m.check)
	}
}

// TestBounds: each of maxSurge and maxUnavailable is itself, and their defaults are ours.
func TestBounds(t *testing.T) {
	number := func(n int32) *intstr.IntOrString { v := intstr.FromInt32(n); return &v }
	for name, test := range map[string]struct {
		reason             string
		surge, unavailable *intstr.IntOrString
		want               [2]int32
	}{
		"Defaults":        {"a quarter more, none fewer", nil, nil, [2]int32{2, 0}},
		"SurgeOnly":       {"a surge says nothing of unavailability", number(3), nil, [2]int32{3, 0}},
		"UnavailableOnly": {"nor the other way round", nil, number(3), [2]int32{2, 3}},
		"Neither":         {"nothing could ever be replaced", number(0), number(0), [2]int32{1, 0}},
		"MoreThanAll":     {"there are only so many", number(0), number(90), [2]int32{0, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(replicas(8), func(s *Snapshot) {
				c := s.Rollout.Spec.Strategy.Canary
				c.MaxSurge, c.MaxUnavailable = test.surge, test.unavailable
			})
			surge, unavailable := bounds(assess(s))
			if got := [2]int32{surge, unavailable}; got != test.want {
				t.Errorf("%s: got %v, want %v", test.reason, got, test.want)
			}
		})
	}
}

// overdueRetirement: the time of the retired revision v0 has come.
func overdueRetirement(s *Snapshot) {
	at := metav1.NewTime(noon.Add(-time.Second))
	s.Rollout.Status.Revisions = []v1alpha1.RevisionStatus{{Hash: "v0", ScaleDownAt: &at}}
}
