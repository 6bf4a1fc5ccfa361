// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// court is what all judges share: the record, and what can be expected of the planner
// at the moment. There are two grades of excuse:
//   - harm: something that the planner can't prevent has taken pods or moved traffic.
//     Until all is in order again requests may be lost, but no longer than a rescue takes.
//   - disturbance: a write or a read of the controller went wrong, or is late. Nothing
//     may be lost by that, but for a while no time is promised.
type court struct {
	w      *World
	broken *BrokenLaw
	// checked counts judgements by law.
	checked [len(lawNames)]int
	// harmed: there is harm that is not over, see [court.recovered]; harmedAt is when the
	// latest was done.
	harmed   bool
	harmedAt time.Duration
	// leapt: part of that harm is a controller's clock that has leapt, so that its waits mean nothing.
	leapt bool
	// calmAt is since when all has been in order again; -1 while it is not.
	calmAt time.Duration
	// shrunk: stable was sized by its share at some time in the release under way.
	shrunk bool
	// short: a pass has acted by such a size, or a new controller was told of one, at shortAt
	// first, and since then there was no moment at which every proxy knew stable in full.
	short   bool
	shortAt time.Duration
	// full is how many pods of stable every proxy has known at some time since its ReplicaSet
	// last had fewer. What is missing of them has not been taken by the controller.
	full   int32
	fullOf string
	// intact: it had as many as a pass wanted that no longer sized stable by its share.
	intact bool
	// byShare: the last pass that stored a status, or had none to store, had read that stable's size follows its share.
	byShare bool
	// disturbedAt is when writes or reads of the controller last went wrong, or until when they may.
	disturbedAt time.Duration
}

// breaks notes the first broken law.
func (c *court) breaks(law int, format string, args ...any) {
	if c.broken == nil {
		c.broken = &BrokenLaw{law, fmt.Sprintf(format, args...)}
		c.w.logf("LAW %d BROKEN: %s", law, c.broken.What)
	}
}

// fails notes a broken law and gives it.
func (c *court) fails(law int, format string, args ...any) error {
	c.breaks(law, format, args...)
	return c.broken
}

// harm notes that something has just cost requests, or may, that the planner can't prevent.
func (c *court) harm() {
	c.harmed, c.harmedAt, c.calmAt = true, c.w.now, -1
	c.disturb()
}

// leaps notes that a controller's clock has leapt.
func leaps(c *court) {
	c.leapt = true
	c.harm()
}

// disturb notes that a write or read of the controller goes wrong, or may.
func (c *court) disturb() { disturbUntil(c, c.w.now) }

// disturbUntil notes that they may go wrong until then.
func disturbUntil(c *court, at time.Duration) { c.disturbedAt = max(c.disturbedAt, at) }

// lingers is for how long a disturbance may be felt after it: by a controller that
// backs off or is being replaced, by gateways and caches that stand still.
const lingers = time.Minute

// undisturbed is since when a time can be promised: no disturbance and no harm lingers,
// late EndpointSlices have come, and gateways accept what is written.
func (c *court) undisturbed() time.Duration {
	at := max(c.w.endpoints.lateUntil, c.w.plane.stuck)
	for _, last := range []time.Duration{c.disturbedAt, c.harmedAt} {
		if last >= 0 {
			at = max(at, last+lingers)
		}
	}
	return at
}

// expectsTraffic reports whether anything should serve at all.
func (c *court) expectsTraffic() bool {
	o := &c.w.live
	if o.rollout == nil || o.rollout.DeletionTimestamp != nil {
		return o.workload != nil && o.workload.Before == nil
	}
	return o.replicas() > 0 && (o.rollout.Status.StableRevision != "" || o.workload != nil)
}

// unsteerable: traffic can't be moved, because every route or a Service is missing or the
// data plane takes nothing up.
func (c *court) unsteerable() bool {
	if rs := c.w.live.routes; len(rs) > 0 && !slices.ContainsFunc(rs, func(r route) bool { return !r.gone }) {
		return true
	}
	for i := range slots {
		if i != baselineService && c.w.live.services[i] == nil && c.w.serviceNames[i] != "" {
			return true
		}
	}
	return c.w.now < c.w.plane.stuck
}

// recovered reports whether harm is over: all is in order, every controller has heard
// of that, and no pass is under way that had read the disorder. Such a pass may still
// write what was right then and is wrong now.
func (c *court) recovered() bool {
	if !c.calm() {
		c.calmAt = -1
		return false
	}
	if c.calmAt < 0 {
		c.calmAt = c.w.now
	}
	for _, l := range c.w.leaders {
		if l.asOf() <= c.calmAt || l.busy && l.readAt <= c.calmAt {
			return false
		}
	}
	return true
}

// calm reports whether all is in order: there are the pods that there should be, each
// Service stands for a revision with a role, every proxy serves what the routes say, and
// every share is carried.
func (c *court) calm() bool {
	w := c.w
	if w.now-c.harmedAt < 5*time.Second || c.unsteerable() || c.belated() || !c.whole() || !c.aligned() {
		return false
	}
	for slot := range slots {
		if !w.carries(slot) {
			return false
		}
	}
	for n := range w.plane.proxies {
		for i, s := range w.plane.proxies[n].split {
			if !s.Equal(w.live.routes[i].split) || w.plane.proxies[n].generation[i] != w.live.routes[i].generation {
				return false
			}
		}
	}
	return true
}

// unborn: the first revision is not stable yet. Nothing that has never served can be
// lost, even if its few pods carry the share of the moment and not the next one's.
func unborn(c *court) bool {
	o := &c.w.live
	return o.rollout != nil && o.rollout.DeletionTimestamp == nil && o.workload == nil && !c.takenOver()
}

// carries reports whether the pods behind a slot can carry all that they may get, by
// this slot and by any other that leads to the same pods; and whether the EndpointSlices
// and every proxy know just these pods.
func (w *World) carries(slot int) bool {
	behind := w.endpoints.behind(slot)
	most := w.gets(slot, behind)
	if slots[slot] == traffic.Canary && w.plane.matches() {
		most = max(most, 1)
	}
	if most > 0 && (int32(len(behind)) < w.live.need(most) || len(behind) == 0) || !same(behind, w.endpoints.listed[slot]) {
		return false
	}
	for n := range w.plane.proxies {
		if !same(behind, w.plane.proxies[n].known[slot]) || w.plane.proxies[n].heard[slot] < w.plane.heard[slot] {
			return false
		}
	}
	return true
}

// belated: EndpointSlices may come later than the grace of the pods that have ended.
// Where pods are the split nothing but that grace protects requests; a Deployment
// would lose some, too.
func (c *court) belated() bool {
	e, ro := &c.w.endpoints, c.w.live.rollout
	late := c.w.now < e.lateUntil || e.slow > 1 && time.Duration(e.slow)*c.w.lags.List.Max > grace
	return late && ro != nil && meansOf(ro) == byReplicas
}

// whole reports whether the pods that harm took are back, and are known to be: every
// ReplicaSet has as many as it should and reports, all of stable's serve, and a stable
// that is kept in full is full. Fewer might do for the shares of the moment, but not
// for an abort.
func (c *court) whole() bool {
	w := c.w
	if !handsOver(c) || unborn(c) {
		return false
	}
	for _, r := range w.live.sets {
		n := w.pods.count(r.Hash)
		if r.Replicas != n.current || n != (count{r.Current, r.Ready, r.Available}) {
			return false
		}
		if c.takenOver() && r.Hash == w.live.rollout.Status.StableRevision && n.ready < max(n.current, keeps(&w.live)) {
			return false
		}
	}
	return true
}

// handsOver reports whether a referenced Deployment, if there is one, has all its
// pods, and until the first revision is stable whether its callers reach as many pods
// as are wanted. They do not when a stranger has narrowed their Service to the few pods
// that the first revision has so far, and given the canary's slot the rest of the traffic. The
// planner takes both back at once, but for a moment those few pods have to carry all.
func handsOver(c *court) bool {
	d := c.w.live.workload
	if d == nil {
		return true
	}
	n := c.w.pods.count("")
	if d.Replicas != n.current || n != (count{d.Current, n.ready, d.Available}) {
		return false
	}
	return c.takenOver() || n.ready == n.current && int32(len(c.w.endpoints.behind(stableService))) >= c.w.live.replicas()
}

// takenOver: there is a stable revision. If there is a Deployment, it has taken over from that.
func (c *court) takenOver() bool {
	ro := c.w.live.rollout
	return ro != nil && ro.Status.StableRevision != ""
}

// keeps is the number of pods that stable is to have whatever its share. Dynamic shrinks
// nothing before routes carry the traffic, whatever strategy the spec names by now.
func keeps(o *objects) int32 {
	if ro := o.rollout; meansOf(ro) == byReplicas || meansOf(ro) == byRoute && dynamic(ro) {
		return 0
	}
	return o.replicas()
}

// aligned reports whether the Service behind each slot stands for a revision that has
// a role. The baseline's need not while it gets nothing.
func (c *court) aligned() bool {
	ro := c.w.live.rollout
	if ro == nil || ro.DeletionTimestamp != nil || ro.Status.StableRevision == "" {
		return true
	}
	for slot := range slots {
		svc := c.w.live.services[slot]
		if svc != nil && bound(ro, svc.Name) && !standsForRole(svc.Selects, slot, ro) && (slot != baselineService || requested(c.w, slot) > 0) {
			return false
		}
	}
	return true
}

func standsForRole(revision string, slot int, ro *v1alpha1.Rollout) bool {
	_, is := plan.BaselineOf(revision)
	return is && slot == baselineService || revision == ro.Status.StableRevision || revision == ro.Status.CanaryRevision
}

// gets is the share that the pods behind a slot may get, by all slots that lead to the same pods.
func (w *World) gets(slot int, behind []*pod) int32 {
	var most int32
	for other := range slots {
		if other == slot || same(behind, w.endpoints.behind(other)) {
			most = min(100, most+w.plane.most(slots[other]))
		}
	}
	return most
}

func same(a, b []*pod) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// grace is how long a pod that was told to end still answers. The laws count on it only
// where pods are the split. There, as with a Deployment, nothing else covers the time
// until every proxy has noticed.
const grace = 30 * time.Second

// alive counts the pods that answer.
func alive(w *World, pods []*pod) int32 {
	var n int32
	for _, p := range pods {
		if p.serves() || p.graceful && p.ready && w.now-p.ended < grace {
			n++
		}
	}
	return n
}

// requested is the largest share that any route gives a slot now.
func requested(w *World, slot int) int32 {
	var most int32
	for i, r := range w.live.routes {
		if !r.gone && !w.laws.rest.foreign(i) {
			most = max(most, r.split.Of(slots[slot]))
		}
	}
	return most
}
