// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// handBack is what is decided about a deleted Rollout. It hands back first the
// workload's capacity, then the Services, then the routes. Once the data plane knows
// the workload's pods it lets the Rollout go, and Kubernetes removes its pods with it.
// Without a workload nobody takes over, and nothing is waited for.
func handBack(f facts) Plan {
	c := cursorOf(f.Rollout.Status)
	p := Plan{Status: *f.Rollout.Status.DeepCopy(), Returns: true}
	p.Status.ObservedGeneration = f.Rollout.Generation
	p.Status.Phase = v1alpha1.PhaseProgressing
	p.Status.Traffic = trafficStatus(c, f)
	home, leaving := bringHome(c, f)
	if p.Status.Message = cmp.Or(growBack(f), leaving); p.Status.Message != "" {
		p.Actions = slices.Concat(copyAgain(f), regrow(f), home)
		p.Wake = wakeUntil(f, f.Rollout.DeletionTimestamp.Add(f.strategy.timeout))
		return p
	}
	p.Status.Message = "handing back routes and Services"
	p.Actions = widen(f)
	if message := takeover(f); message != "" {
		p.Status.Message = message
		p.Actions = slices.Concat(copyAgain(f), p.Actions)
		p.Wake = wakeUntil(f, time.Time{})
		return p
	}
	settling := settlesLast(f)
	switch {
	case f.means != byRoute || taken(f, f.StableService):
	case !settling:
		p.Actions = append(p.Actions, ReleaseTraffic{"the Rollout is deleted", returnable(f)})
	case !f.Traffic.RequestedAll(stableOnly()):
		p.Actions = append(p.Actions, ReleaseTraffic{"the Rollout is deleted", atRestOnly(f)})
	}
	if settling {
		p.Status.Message = "handing back: " + trafficText(f)
		p.Wake = wakeUntil(f, f.shiftedAt.Add(f.strategy.timeout))
		return p
	}
	if w := f.Workload; w != nil && w.Before != nil {
		p.Actions = append(p.Actions, giveAway(f, w.Name)...)
		p.Actions = append(p.Actions, ScaleWorkload{"it is handed back", w.Name, w.Replicas, w.Replicas, true, false})
	}
	p.Actions = append(p.Actions, letGo(f))
	return p
}

// bringHome takes an aborted revision out of traffic, and then the pods of all but stable
// away, before the Services are wide: they would list these, too. While the workload's
// pods come there is time for that. Once they are there nothing but pods on their way is
// waited for, and that until convergence.timeout after the deletion at most.
func bringHome(c cursor, f facts) (actions []Action, leaving string) {
	if !canBringHome(c, f) || othersGone(c, f) {
		return nil, ""
	}
	d := desire(c, f)
	actions = slices.Concat(point(c, f, d), shift(c, f, d))
	if !onStable(c, f) {
		return append(actions, grow(c, f, d)...), ""
	}
	for _, r := range allRevisions(f) {
		if r.Hash != c.stable && r.Replicas > 0 && !mayBeReached(r.Hash, f) {
			actions = append(actions, ScaleRevision{"the Rollout is deleted, and its Services will list all pods", r.Name, r.Replicas, 0, false})
		}
	}
	if since := f.Rollout.DeletionTimestamp; f.Now.Before(since.Add(f.strategy.timeout)) {
		leaving = "handing back: waiting for the pods of all revisions but " + c.stable + " to leave"
	}
	return actions, leaving
}

// canBringHome: no good revision is in flight, and callers are steered by a Service that is
// still ours and has endpoints. Where pods are the split it is wide at all times.
func canBringHome(c cursor, f facts) bool {
	s := f.StableService
	resting := c.stable != "" && (c.canary == "" || c.aborted())
	return resting && f.Workload != nil && f.means != byReplicas && s.Selects != "" && s.ready() > 0 && !taken(f, s)
}

// letGo names what goes with the Rollout though the workload owns it, too. Routes
// that a workload which was scaled down still needs are nobody's by now. Without a
// workload nobody but the Rollout owns anything.
func letGo(f facts) DropFinalizer {
	drop := DropFinalizer{why: "everything is handed back"}
	if f.Workload == nil {
		return drop
	}
	for _, r := range allRevisions(f) {
		drop.Revisions = append(drop.Revisions, r.Name)
		drop.Config = append(drop.Config, r.Config...)
	}
	for _, c := range f.Config { // of a revision that was not made yet
		drop.Config = append(drop.Config, ConfigRef{c.From.Kind, c.Name})
	}
	slices.SortFunc(drop.Config, func(a, b ConfigRef) int { return strings.Compare(a.String(), b.String()) })
	drop.Config = slices.Compact(drop.Config)
	for _, s := range []Service{f.StableService, f.CanaryService, f.BaselineService} {
		if s.Version != "" {
			drop.Services = append(drop.Services, s.Name)
		}
	}
	if f.Workload.Before == nil {
		for _, m := range f.Managed {
			drop.Routes = append(drop.Routes, m.Ref)
		}
	}
	return drop
}

// growBack says what a workload that was scaled down still lacks.
func growBack(f facts) string {
	w := f.Workload
	switch {
	case w == nil || w.Before == nil:
		return ""
	case w.Replicas < heirs(f):
		return fmt.Sprintf("handing back: Deployment %s grows to %s", w.Name, count(heirs(f), "replica"))
	case w.Available < heirs(f):
		return fmt.Sprintf("handing back: waiting for Deployment %s, %d of %d pods available%s", w.Name, w.Available, heirs(f), heirless(w))
	}
	return ""
}

// heirless says what keeps the workload's pods, and what a person can do where they never
// come: this wait has no end of its own, because nobody else could serve. The
// workload's replicas are no way to end it. Many are kept at 0 by a manifest, which
// would be taken for a person's word and leave nobody to serve.
func heirless(w *Workload) string {
	text := ""
	if w.Trouble != "" {
		text = "; " + w.Trouble
	}
	return text + "; if they never come, mend its pod template or make room for them, or give it up and delete it: nothing is waited for then, and the Rollout's pods leave"
}

// heirs is the number of the workload's pods that have to take over: as many as it
// once had or as we have, whichever is more. A workload that was never scaled down
// takes over with the pods that it has.
func heirs(f facts) int32 {
	if w := f.Workload; w.Before != nil {
		return max(*w.Before, f.replicas)
	}
	return min(f.Workload.Replicas, f.Workload.Available)
}

func regrow(f facts) []Action {
	w, n := f.Workload, heirs(f)
	if w.Replicas >= n {
		return nil
	}
	return []Action{ScaleWorkload{"the Rollout is deleted and its pods will leave", w.Name, w.Replicas, n, false, false}}
}

// widen gives the Services back: they select all pods again that their owner meant.
func widen(f facts) []Action {
	var actions []Action
	for _, s := range narrowed(f) {
		if s.Name != f.BaselineService.Name && !taken(f, s) { // that one goes with the Rollout
			actions = append(actions, SelectRevision{why: "the Rollout is deleted", Service: s.Name, Version: s.Version})
		}
	}
	return actions
}

// taken reports whether a Service carries the traffic of another Rollout by now. It
// is not ours to hand back then.
func taken(f facts, s Service) bool {
	_, ours := f.revisions.find(s.Selects)
	return s.Rival != "" && !ours
}

// lost reports whether a Service will never list the workload's pods, or is
// another Rollout's by now.
func lost(f facts, s Service) bool { return s.Absent || s.Unfit || taken(f, s) }

// takeover says what is waited for until callers are known to reach the
// workload's pods. A Service that will never list them is not waited for.
// Mistakes of other kinds, as in an analysis, keep nobody from taking over.
func takeover(f facts) string {
	s := f.StableService
	if f.Workload == nil || s.Name == "" || s.Missing || lost(f, s) {
		return ""
	}
	switch n := heirs(f); {
	case s.Selects != "" || s.Ready[""] < n:
		return fmt.Sprintf("handing back: waiting for Service %s to list %s of Deployment %s, has %d", s.Name, count(n, "pod"), f.Workload.Name, s.Ready[""])
	case f.noticed(traffic.Stable, "") < n:
		return fmt.Sprintf("handing back: %s of Deployment %s in Service %s, settling for %s", count(n, "pod"), f.Workload.Name, s.Name, f.strategy.settle)
	}
	return ""
}

// settlesLast reports whether the routes may still send callers to pods that will
// leave. As after any other write, that is waited for until convergence.timeout at
// most; and no longer once the routes have the user's own weights, which are written last.
func settlesLast(f facts) bool {
	if routesGivenBack(f) && !f.Traffic.RequestedAll(stableOnly()) {
		return false
	}
	return f.Workload != nil && !lost(f, f.StableService) && f.means == byRoute && len(f.Traffic.Requested) > 0 &&
		!f.confirmed(stableOnly()) && f.Now.Before(f.shiftedAt.Add(f.strategy.timeout))
}

// wakeUntil looks again when the data plane has settled, at the latest at a time if there is one.
func wakeUntil(f facts, latest time.Time) time.Duration {
	var next time.Duration
	consider := func(at time.Time) {
		if left := at.Sub(f.Now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	wakeForDataPlane(f, consider)
	consider(latest)
	return next
}
