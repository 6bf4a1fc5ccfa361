// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// writingLaws are laws 1 to 3 where they are made: before each write of the
// controller, by what its pass has read and what the data plane may be doing.
//   - 1 and 2: a share grows only with ready endpoints for it, and a Service is pointed
//     only at a revision that can carry its share.
//   - 2: pods are taken only from a revision whose remaining pods carry what it may
//     still get, and the canary of a cookie never gets fewer users than it keeps.
//   - 3: a split sums to 100.
type writingLaws struct {
	*court
	// met is the largest weight at which users of a release were bound, by the value of their cookie.
	met map[string]int32
}

// before judges an action that is about to be written. The planner can know only what
// its pass has read, so nothing is judged when that was overtaken: when harm was done
// since, when a data plane that reports nothing is later than it promises, or when the
// controller's clock has leapt.
func (l *writingLaws) before(p *pass, a plan.Action) {
	if l.harmedAt >= p.began || l.w.plane.late() || l.leapt {
		return
	}
	switch a := a.(type) {
	case plan.ShiftTraffic:
		l.shifts(p, a.Split)
	case plan.SelectRevision:
		l.selects(p, a)
	case plan.ScaleRevision:
		l.scales(p, a)
	case plan.DeleteRevision:
		l.checked[2]++
		if r, ok := l.w.live.named(a.Name); ok && (r.Replicas > 0 || len(l.w.pods.set(r.Hash).pods) > 0) {
			l.breaks(2, "deletes %s, which has %d replicas", l.w.name(r.Hash), r.Replicas)
		}
	case plan.ScaleWorkload:
		l.scalesWorkload(p, a)
	}
}

// shifts judges a new split: it sums to 100, and where it gives more there are endpoints.
func (l *writingLaws) shifts(p *pass, want traffic.Split) {
	l.checked[3]++
	if err := want.Validate(); err != nil {
		l.breaks(3, "%v", err)
	}
	l.binds(want)
	l.w.laws.unpassed.rises(p, want.Canary)
	for slot := range slots {
		share := want.Of(slots[slot])
		if share > l.least(slot) {
			l.rises(p, slot, share)
		}
	}
}

// binds judges a split that keeps users by a cookie: the canary's share must not be less
// than it was before, since all who met it then will stay with it.
func (l *writingLaws) binds(want traffic.Split) {
	if want.Sticky == nil {
		return
	}
	l.checked[2]++
	before := l.met[want.Sticky.Value]
	if want.Canary < before {
		l.breaks(2, "gives canary %d %% and keeps the users there who met it at %d %%", want.Canary, before)
	}
	l.met[want.Sticky.Value] = max(before, want.Canary)
}

// least is the smallest share that any route gives a slot now.
func (l *writingLaws) least(slot int) int32 {
	least := int32(100)
	for _, r := range l.w.live.routes {
		if !r.gone { // nothing is written to what is not there
			least = min(least, r.split.Of(slots[slot]))
		}
	}
	return least
}

func (l *writingLaws) rises(p *pass, slot int, share int32) {
	l.checked[1]++
	l.checked[2]++
	ready, other, need := endpoints(p.read.services[slot]), endpoints(p.read.services[instead[slot]]), p.read.need(share)
	switch {
	case ready >= need:
	case slots[slot] == traffic.Baseline:
		l.breaks(2, "gives the baseline %d %% with %d ready endpoints, which needs %d", share, ready, need)
	case other == 0, unnoticed(p, instead[slot]):
	case ready == 0:
		l.breaks(1, "gives %s %d %% without a ready endpoint, although the other slot has %d", slots[slot], share, other)
	case ready >= p.read.need(share-1) && other < p.read.need(100-share+1):
		// Neither can carry more, and whole percents are coarser than pods.
	case slot == stableService && l.orphaned(p, share):
		// Nobody else may have the share of a baseline without endpoints.
	case l.kept(p, slot):
		// It has lost pods, but not by our doing.
	default:
		l.breaks(2, "gives %s %d %% with %d ready endpoints, which needs %d", slots[slot], share, ready, need)
	}
}

// orphaned reports whether stable gets no more than its own share and that of a
// baseline that has lost its endpoints, or has none that a proxy need know. Those of
// another revision than its Service stands for are as good as lost.
func (l *writingLaws) orphaned(p *pass, share int32) bool {
	svc := p.read.services[baselineService]
	lost := svc == nil || svc.Ready[svc.Selects] == 0 || unnoticed(p, baselineService)
	return lost && share <= l.least(stableService)+requested(l.w, baselineService)
}

// kept reports whether a slot may get more than its pods carry: it stands for a stable
// that is kept in full and has lost some, or that had lost them before it was to be kept
// so, or for the same revision as the other slot, so that nothing changes.
func (l *writingLaws) kept(p *pass, slot int) bool {
	svc, other, ro := p.read.services[slot], p.read.services[instead[slot]], p.read.rollout
	if svc.Selects == "" || other != nil && svc.Selects == other.Selects {
		return true
	}
	if slot == stableService && svc.Selects != ro.Status.StableRevision {
		return true // a stranger points it elsewhere; it is on its way back
	}
	byUs := l.short && l.shortAt < p.began && !l.intact
	return svc.Selects == ro.Status.StableRevision && svc.Ready[svc.Selects] > 0 && !dynamic(ro) && !byUs
}

func endpoints(s *plan.Service) int32 {
	if s == nil {
		return 0
	}
	var sum int32
	for _, n := range s.Ready {
		sum += n
	}
	return sum
}

// selects judges that a Service is pointed at a revision that can carry what it gets.
func (l *writingLaws) selects(p *pass, a plan.SelectRevision) {
	if a.Revision == "" || p.read.replicas() == 0 {
		return
	}
	if l.harmedAt >= p.began {
		return // somebody was faster than this write
	}
	l.checked[1]++
	l.checked[2]++
	for slot := range slots {
		svc := p.read.services[slot]
		if svc == nil || svc.Name != a.Service {
			continue
		}
		l.pointed(p, a, slot)
	}
}

func (l *writingLaws) pointed(p *pass, a plan.SelectRevision, slot int) {
	svc := p.read.services[slot]
	share := max(l.w.plane.most(slots[slot]), requested(l.w, slot))
	r, _ := p.read.set(a.Revision)
	switch {
	case share == 0, r.Ready >= p.read.need(share):
	case r.Ready == 0 && endpoints(svc) == 0:
	case r.Ready == 0:
		l.breaks(1, "points %s, which gets %d %%, at %s without a ready pod", a.Service, share, l.w.name(a.Revision))
	case endpoints(svc) > 0 && (a.Revision != p.plan.Status.StableRevision || r.Replicas < p.read.need(share)):
		l.breaks(2, "points %s, which gets %d %%, at %s with %d ready pods", a.Service, share, l.w.name(a.Revision), r.Ready)
	}
}

// exposure is the share that the pods of a revision may be getting, whether a route asks
// for it or a proxy still serves it: by each slot whose Service stands for the revision,
// and by each of which a proxy knows the revision's endpoints.
func (l *writingLaws) exposure(hash string) int32 {
	var sum int32
	for slot := range slots {
		svc := l.w.live.services[slot]
		if svc == nil {
			continue
		}
		if svc.Selects == hash || !l.harmed && l.known(slot, hash) {
			sum += max(l.w.plane.most(slots[slot]), requested(l.w, slot))
		}
	}
	return min(sum, 100)
}

func (l *writingLaws) known(slot int, hash string) bool {
	for n := range l.w.plane.proxies {
		if sends(l.w.plane.proxies[n].known[slot], hash) {
			return true
		}
	}
	return false
}

// scales judges that pods leave after their traffic.
func (l *writingLaws) scales(p *pass, a plan.ScaleRevision) {
	r, ok := l.w.live.named(a.Name)
	if !ok || a.Replicas >= r.Replicas || !l.expectsTraffic() {
		return
	}
	l.checked[2]++
	if meansOf(p.read.rollout) == byReplicas {
		l.thins(p, r, a)
		return
	}
	share := l.exposure(r.Hash)
	if n := p.read.need(share); a.Replicas < n {
		l.breaks(2, "scales %s to %d although it may get %d %%, which needs %d", l.w.name(r.Hash), a.Replicas, share, n)
	}
}

// thins judges the same where pods are the split: spec.replicas stay available, but for
// maxUnavailable.
func (l *writingLaws) thins(p *pass, r plan.Revision, a plan.ScaleRevision) {
	var left, had int32
	for _, o := range p.read.sets {
		n := o.Available
		if o.Hash == r.Hash {
			had, n = n, min(n, a.Replicas)
		}
		left += n
	}
	if w := p.read.workload; w != nil {
		left += w.Available
	}
	want := p.read.replicas()
	if want -= spared(p.read.rollout, want); left < want && a.Replicas < had {
		l.breaks(2, "scales %s to %d, which leaves %d available pods of %d", l.w.name(r.Hash), a.Replicas, left, want)
	}
}

// scalesWorkload judges that for each pod that the Deployment loses one of ours is listed.
func (l *writingLaws) scalesWorkload(p *pass, a plan.ScaleWorkload) {
	if a.Replicas >= a.From {
		return
	}
	l.checked[2]++
	svc := p.read.services[0]
	ours := endpoints(svc)
	if svc != nil {
		ours -= svc.Ready[""]
	}
	if meansOf(p.read.rollout) == byReplicas { // no Service need be known
		ours = 0
		for _, r := range p.read.sets {
			ours += r.Ready
		}
	}
	if ours+a.Replicas < p.read.replicas() {
		l.breaks(2, "scales the Deployment to %d beside %d endpoints of ours", a.Replicas, ours)
	}
}
