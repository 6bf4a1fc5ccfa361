// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// scenarios are the stories that releases are made of, each a name for its golden transcript.
func scenarios() map[string]scenario {
	first := then(healthy("v1"), want("v2"))
	held := canaryWith(heldAt(5, 50, 99))
	promote, abort := say(v1alpha1.VerbPromote), say(v1alpha1.VerbAbort)
	minute := &v1alpha1.Duration{Duration: time.Minute}
	all := map[string]scenario{
		"canary-good": {tells: "three weights with pauses, then promoted",
			strategy: canaryWith([]v1alpha1.Step{weight(5), pauseFor(10 * time.Second), weight(50), pauseFor(10 * time.Second), weight(99)}),
			acts:     []act{first}, ends: healthy("v2")},
		"canary-analysed": {tells: "evidence is asked for before the weight grows",
			strategy: canaryWith([]v1alpha1.Step{weight(25), analyzeFor(5*time.Minute, ""), weight(75)}, analysed),
			acts:     []act{first}, ends: healthy("v2")},
		"canary-bad": {tells: "the analysis fails and aborts",
			strategy: canaryWith([]v1alpha1.Step{weight(25), analyzeFor(5*time.Minute, ""), weight(75)}, analysed),
			acts:     []act{then(healthy("v1"), want("v5-bad"))}, ends: aborted("v5-bad", "v1")},
		"canary-never-ready": {tells: "pods never come up: the deadline aborts",
			strategy: held, acts: []act{then(healthy("v1"), want("v7-broken"))}, ends: aborted("v7-broken", "v1")},
		"promote-full-then-abort": {tells: "an abort beats a full promotion under way",
			strategy: held, acts: []act{first, then(at("v2", 2), say(v1alpha1.VerbPromoteFull)), then(walks("v2", 7), abort)}, ends: aborted("v2", "v1")},
		"rollback-to-stable": {tells: "the template goes back to stable's: no steps",
			strategy: held, acts: []act{first, then(at("v2", 2), promote), then(at("v2", 4), want("v1"))}, ends: healthy("v1")},
		"retry": {tells: "an aborted revision is released again from the first step",
			strategy: held, acts: []act{first, then(at("v2", 2), abort), then(aborted("v2", "v1"), say(v1alpha1.VerbRetry)),
				then(at("v2", 2), promote), then(at("v2", 4), promote), then(at("v2", 6), promote)}, ends: healthy("v2")},
		"undo": {tells: "the revision before comes back although the template stays",
			strategy: canaryWith(nil), acts: []act{first, then(healthy("v2"), say(v1alpha1.VerbUndo))}, ends: healthy("v1")},
		"restart": {tells: "pods are replaced one by one",
			strategy: canaryWith(nil), replicas: 2, acts: []act{then(healthy("v1"), say(v1alpha1.VerbRestart))}, ends: healthy("v1")},
		"pause-and-resume": {tells: "a pause by command holds everything",
			strategy: canaryWith([]v1alpha1.Step{weight(50)}),
			acts:     []act{first, then(walks("v2", 1), say(v1alpha1.VerbPause)), then(at("v2", 1), say(v1alpha1.VerbResume))}, ends: healthy("v2")},
		"dynamic-stable": {tells: "stable shrinks as the canary grows",
			strategy: canaryWith(heldAt(50), dynamically), acts: []act{first, then(at("v2", 2), promote)}, ends: healthy("v2")},
		"dynamic-stable-abort": {tells: "stable grows back before traffic returns",
			strategy: canaryWith(heldAt(50), dynamically), acts: []act{first, then(at("v2", 2), abort)}, ends: aborted("v2", "v1")},
		"scale-in-mid-canary": {tells: "3, then 10, then 2 replicas at 50 %", replicas: 3,
			strategy: canaryWith(heldAt(50)), acts: []act{first, then(at("v2", 2), scale(10)), then(sized10, scale(2)), then(settled2, promote)}, ends: healthy("v2")},
		"services-made": {tells: "the Services of the slots are the controller's own",
			strategy: canaryWith(heldAt(50), func(c *v1alpha1.CanaryStrategy) { c.StableService, c.CanaryService, c.Service = "", "", callerName }),
			acts:     []act{first, then(at("v2", 2), promote)}, ends: healthy("v2")},
		"beside-the-weight": {tells: "testers and a mirror before any share",
			strategy: canaryWith([]v1alpha1.Step{scaleTo(2), matchTesters(true), {Mirror: &v1alpha1.Mirror{Percent: 10}}, pauseFor(10 * time.Second),
				{Mirror: &v1alpha1.Mirror{}}, matchTesters(false), weight(50)}),
			acts: []act{first}, ends: healthy("v2")},
		"baseline": {tells: "fresh pods of stable as the fair control, compared with from when they are there",
			strategy: canaryWith([]v1alpha1.Step{weight(25), baselineOf(1, 25), analyzeFor(5*time.Minute, ""), weight(50), baselineOf(0, 0), weight(75)}, analysed),
			acts:     []act{first}, ends: healthy("v2")},
		"baseline-abort": {tells: "an abort ends the baseline with the canary's share",
			strategy: canaryWith([]v1alpha1.Step{weight(25), baselineOf(1, 25), {Pause: &v1alpha1.Pause{}}}), acts: []act{first, then(at("v2", 3), abort)}, ends: aborted("v2", "v1")},
		"baseline-newer": {tells: "a newer revision has a baseline of its own, from the first step",
			strategy: canaryWith([]v1alpha1.Step{baselineOf(2, 30), weight(25), {Pause: &v1alpha1.Pause{}}}, dynamically),
			acts:     []act{first, then(at("v2", 3), want("v3")), then(at("v3", 3), promote)}, ends: healthy("v3")},
		"baseline-vanishes": {tells: "the baseline's pods vanish: its share is stable's at once, and comes back with them",
			strategy: canaryWith([]v1alpha1.Step{baselineOf(2, 30), weight(25), {Pause: &v1alpha1.Pause{}}, weight(50)}),
			acts:     []act{first, then(at("v2", 3), vanishing("v1-b2")), then(lostAndBack, promote)}, ends: healthy("v2")},
		"silent": {tells: "no data plane reports: the requests counted are the evidence", silent: true,
			strategy: canaryWith(watchedAt(25, 50), analysed), acts: []act{first}, ends: healthy("v2")},
		"silent-ignored": {tells: "the proxies ignore the route for a quarter of an hour: the release holds until they follow", silent: true,
			strategy: canaryWith(watchedAt(25, 50), analysed), acts: []act{then(healthy("v1"), ignoringRoutes), first}, ends: healthy("v2")},
		"silent-ignored-abort": {tells: "the proxies keep half of the traffic on the canary: nothing goes on, and the way back is written at once", silent: true,
			strategy: canaryWith(watchedAt(50, 5), analysed, dynamically), acts: []act{first, then(at("v2", 2), ignoringRoutes), then(strays, abort)}, ends: aborted("v2", "v1")},
		"gates": {tells: "a job, an approval by name and a second weight",
			strategy: canaryWith([]v1alpha1.Step{{Job: &v1alpha1.JobStep{Timeout: minute}}, weight(30), {Approve: &v1alpha1.Approve{}}, weight(60)}),
			acts:     []act{first, then(at("v2", 3), promote)}, ends: healthy("v2")},
		"job-fails": {tells: "a job that fails aborts",
			strategy: canaryWith([]v1alpha1.Step{{Job: &v1alpha1.JobStep{Timeout: minute}}, weight(30)}),
			acts:     []act{then(healthy("v1"), want("v5-bad"))}, ends: aborted("v5-bad", "v1")},
	}
	for n, w := range []string{"5", "50", "99"} {
		step := int32(2 * (n + 1))
		acts := []act{first}
		for before := int32(2); before < step; before += 2 {
			acts = append(acts, then(at("v2", before), promote))
		}
		newer := append(append([]act(nil), acts...), then(at("v2", step), want("v3")),
			then(at("v3", 2), promote), then(at("v3", 4), promote), then(at("v3", 6), promote))
		all["newer-at-"+w] = scenario{tells: "a newer revision arrives at " + w + " %", strategy: held, acts: newer, ends: healthy("v3")}
		all["abort-at-"+w] = scenario{tells: "aborted at " + w + " %", strategy: held, acts: append(append([]act(nil), acts...), then(at("v2", step), abort)), ends: aborted("v2", "v1")}
	}
	for name, s := range otherMeans(first, promote, abort) {
		all[name] = s
	}
	return all
}

// watchedAt pauses after each of some weights for long enough to count requests.
func watchedAt(weights ...int32) []v1alpha1.Step {
	var steps []v1alpha1.Step
	for _, n := range weights {
		steps = append(steps, weight(n), pauseFor(2*time.Minute))
	}
	return steps
}

func ignoringRoutes(h *people) { h.w.plane.stick(2 * time.Minute) }

// strays: requests go another way than the routes say, and have for long.
func strays(w *World) bool { return status(w).Phase == v1alpha1.PhaseHolding }

// vanishing takes away all pods of a revision.
func vanishing(name string) func(*people) {
	return func(h *people) {
		h.w.logf("all pods of %s vanish", name)
		for _, p := range h.w.mischief.all() {
			if h.w.name(p.hash) == name {
				h.w.pods.vanish(p)
			}
		}
	}
}

// lostAndBack: the baseline has its share again, after having lost it.
func lostAndBack(w *World) bool {
	r := w.live.routes[0] // written for the baseline, for the canary, and twice since
	return r.split.Baseline == 30 && r.ours >= 4
}

func sized10(w *World) bool {
	r, _ := w.live.set(w.catalogue.entries["v1"].hash)
	return r.Available == 10 && at("v2", 2)(w)
}

func settled2(w *World) bool {
	r, _ := w.live.set(w.catalogue.entries["v1"].hash)
	return r.Current == 2 && at("v2", 2)(w)
}

// otherMeans are the scenarios without weights in routes, and those that change between means.
func otherMeans(first act, promote, abort func(*people)) map[string]scenario {
	return map[string]scenario{
		"blue-green": {tells: "preview in full, switch, blue leaves later",
			strategy: blueGreenWith(), acts: []act{first}, ends: healthy("v2")},
		"blue-green-by-route": {tells: "the same, switched by a route",
			strategy: blueGreenWith(func(b *v1alpha1.BlueGreenStrategy) { b.Routes = routeRefs() }), acts: []act{first}, ends: healthy("v2")},
		"blue-green-by-hand": {tells: "a person promotes",
			strategy: blueGreenWith(byHand), acts: []act{first, then(at("v2", 2), promote)}, ends: healthy("v2")},
		"blue-green-abort": {tells: "aborted before the switch",
			strategy: blueGreenWith(byHand), acts: []act{first, then(at("v2", 2), abort)}, ends: aborted("v2", "v1")},
		"blue-green-watched": {tells: "post-promotion analysis passes",
			strategy: blueGreenWith(watchedAfter), acts: []act{first}, ends: healthy("v2")},
		"blue-green-switched-back": {tells: "post-promotion analysis fails: straight back to blue",
			strategy: blueGreenWith(watchedAfter), acts: []act{then(healthy("v1"), want("v6-bad-late"))}, ends: aborted("v6-bad-late", "v1")},
		"by-pods": {tells: "no routes: the ratio of pods is the weight",
			strategy: canaryWith(heldAt(25, 50), byPods), acts: []act{first, then(at("v2", 2), promote), then(at("v2", 4), promote)}, ends: healthy("v2")},
		"by-pods-abort": {tells: "no routes, aborted at half",
			strategy: canaryWith(heldAt(50), byPods), acts: []act{first, then(at("v2", 2), abort)}, ends: aborted("v2", "v1")},
		"rolling-update": {tells: "no strategy at all", acts: []act{first}, ends: healthy("v2")},
		"rolling-update-broken": {tells: "no strategy, and pods that never come up",
			acts: []act{then(healthy("v1"), want("v7-broken"))}, ends: aborted("v7-broken", "v1")},
		"adoption": {tells: "a live Deployment is taken over, then a release", workload: true,
			strategy: canaryWith(heldAt(50)), acts: []act{first, then(at("v2", 2), promote)}, ends: healthy("v2")},
		"adoption-rolling": {tells: "a live Deployment is taken over without a strategy", workload: true, acts: []act{first}, ends: healthy("v2")},
		"deletion-with-restore": {tells: "the Deployment gets its replicas and traffic back", workload: true,
			strategy: canaryWith(heldAt(50)), acts: []act{first, then(at("v2", 2), deletion)}, ends: gone},
		"deletion": {tells: "routes and Services are handed back",
			strategy: canaryWith(heldAt(50)), acts: []act{first, then(at("v2", 2), deletion)}, ends: gone},
		"strategy-switch": {tells: "from canary to blue-green in mid-flight",
			strategy: canaryWith(heldAt(50)), acts: []act{first, then(at("v2", 2), switchTo(v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
				ActiveService: stableName, PreviewService: canaryName, ScaleDownDelaySeconds: new(int32(5)), AbortScaleDownDelaySeconds: new(int32(5))}}))},
			ends: healthy("v2")},
		"strategy-switch-back": {tells: "from blue-green to canary by routes at rest",
			strategy: blueGreenWith(), acts: []act{then(healthy("v1"), switchTo(canaryWith(heldAt(50)))), first, then(at("v2", 2), promote)}, ends: healthy("v2")},
	}
}
