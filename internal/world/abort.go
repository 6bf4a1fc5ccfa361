// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// returnBound is how soon an undisturbed abort must reach 0 %: the sum of all lags at their longest.
const returnBound = 20 * time.Second

// abortLaw is law 4, an abort returns everything to stable. It has three parts:
//   - in time (judge): from when nothing disturbs and stable can carry everything, the
//     proxies send the aborted revision nothing within returnBound.
//   - latched (latch): the abort is neither forgotten nor promoted over before
//     another release begins.
//   - asked for (returned): after a pass that did all it wanted, no route and no Service
//     leads to the aborted revision any more, except for what a shrunk stable can't carry yet.
type abortLaw struct {
	*court
	// at is when the last abort was decided; -1 when the traffic has left since, and where
	// no time is promised, because pods are the split and have to start first.
	at time.Duration
	// revision and release that were aborted.
	revision string
	release  int64
	// capableAt is since when stable could carry everything, wasCapable whether it could
	// when it was looked at last.
	capableAt  time.Duration
	wasCapable bool
	// slowest is the longest time from an abort to 0 %, slowestCalm that of the aborts that nothing disturbed.
	slowest, slowestCalm time.Duration
	aborts               int
}

// judge judges that an abort reaches 0 % in time.
func (l *abortLaw) judge() {
	if l.at < 0 {
		return
	}
	share := l.share()
	// During harm even a stable that is kept in full may have no pods.
	ro := l.w.live.rollout
	l.watchCapacity(!l.harmed && (share == 0 || ro == nil || !l.shrinks(ro) || l.capable()))
	took := l.w.now - max(l.capableAt, l.undisturbed())
	if share == 0 {
		l.slowest = max(l.slowest, l.w.now-l.at)
		if !l.harmed && l.undisturbed() <= l.at {
			l.slowestCalm = max(l.slowestCalm, took)
		}
		l.at = -1
		return
	}
	if took > l.bound() {
		l.breaks(4, "%s after an abort that nothing disturbs %s still gets %d %%", took, l.w.name(l.revision), share)
	}
}

// watchCapacity notes since when stable can carry everything: since the first event at which
// it could, not since the last one at which it could not. Long may lie between the two.
func (l *abortLaw) watchCapacity(capable bool) {
	if !capable || !l.wasCapable {
		l.capableAt = l.w.now
	}
	l.wasCapable = capable
}

// share is what proxies still send to the aborted revision, and to the baseline of its
// release, which ends with it. A later release has a baseline of its own.
func (l *abortLaw) share() int32 {
	share := l.w.plane.share(l.revision)
	if ro := l.w.live.rollout; ro != nil && ro.Status.Release == l.release {
		share += l.w.plane.most(traffic.Baseline)
	}
	return share
}

// bound is returnBound; a stable that has to grow gets the time until the controller hears of its pods, too.
func (l *abortLaw) bound() time.Duration {
	if ro := l.w.live.rollout; ro != nil && l.shrinks(ro) {
		return returnBound + l.w.lags.Notice.Max
	}
	return returnBound
}

// capable reports whether every proxy knows enough of stable's pods to carry
// everything. The aborted revision's own pods do not count: they are behind the stable
// Service, too, when the abort comes in the middle of the promotion.
func (l *abortLaw) capable() bool {
	for n := range l.w.plane.proxies {
		var others []*pod
		for _, p := range l.w.plane.proxies[n].known[stableService] {
			if p.hash != l.revision {
				others = append(others, p)
			}
		}
		if alive(l.w, others) < l.w.live.replicas() {
			return false
		}
	}
	return true
}

// latch judges that an abort holds for its revision until another release begins.
func (l *abortLaw) latch(old, now *v1alpha1.RolloutStatus) {
	l.checked[4]++
	if old.Abort != nil && old.Release == now.Release {
		switch {
		case now.StableRevision == old.Abort.Revision:
			l.breaks(4, "%s was aborted and is promoted all the same", l.w.name(old.Abort.Revision))
		case now.Abort == nil && now.CanaryRevision == old.CanaryRevision:
			l.breaks(4, "the abort of %s is forgotten", l.w.name(old.Abort.Revision))
		}
	}
	l.time(old, now)
}

// time starts the clock at a new abort, and stops it when the revision is released once
// more, be it that it is promoted in the very pass that begins its release.
func (l *abortLaw) time(old, now *v1alpha1.RolloutStatus) {
	again := now.CanaryRevision == l.revision || now.StableRevision == l.revision && now.Release != l.release
	if now.Abort == nil && again {
		l.at = -1
	}
	if now.Abort == nil || old.Abort != nil && old.Abort.Revision == now.Abort.Revision && old.Release == now.Release {
		return
	}
	l.aborts++
	l.at, l.revision, l.release = l.w.now, now.Abort.Revision, now.Release
	l.capableAt, l.wasCapable = l.at, true
	if meansOf(l.w.live.rollout) == byReplicas {
		l.at = -1
	}
}

// returned judges that after a pass that did all it wanted nothing leads to an aborted
// revision, except for what a shrunk stable can't carry yet.
func (l *abortLaw) returned(p *pass) {
	s := p.plan.Status
	if s.Abort == nil || s.Abort.Revision != s.CanaryRevision || p.read.rollout.DeletionTimestamp != nil {
		return
	}
	l.checked[4]++
	ready := l.servable(p)
	if ready == 0 {
		return
	}
	switch meansOf(p.read.rollout) {
	case byRoute:
		share := requested(l.w, baselineService)
		if !l.isStable(p, canaryService) {
			share += requested(l.w, canaryService)
		}
		if share > 0 && !l.shrinks(p.read.rollout) && !unnoticed(p, stableService) {
			l.breaks(4, "%s is aborted and stable has %d endpoints, but a route gives %d %%", l.w.name(s.CanaryRevision), ready, share)
		}
		l.unbound(p, ready)
	case bySelector:
		l.switchedBack(p)
	case byReplicas:
	}
}

// unbound judges that no route keeps users at an aborted revision by their cookie.
func (l *abortLaw) unbound(p *pass, ready int32) {
	keeps := slices.ContainsFunc(l.w.live.routes, func(r route) bool { return !r.gone && r.split.Sticky != nil })
	if keeps && !unnoticed(p, stableService) && !l.torn(p, ready) {
		l.breaks(4, "%s is aborted, but a route keeps its users", l.w.name(p.plan.Status.CanaryRevision))
	}
}

// torn reports whether somebody has made the routes disagree, and no split is safe for
// all of them: a shrunk stable has too few pods for what one route leaves it, and the
// canary for what another gives it. The routes stay as they are until either has grown.
// Stable has no more pods than the pass has read to be ready, whatever the EndpointSlices
// list that may be late.
func (l *abortLaw) torn(p *pass, ready int32) bool {
	stable, _ := p.read.set(p.plan.Status.StableRevision)
	least, most := int32(100), int32(0)
	for _, r := range p.read.routes {
		least, most = min(least, r.split.Canary), max(most, r.split.Canary)
	}
	return least < most && l.shrinks(p.read.rollout) && min(ready, stable.Ready, noticed(p, stableService)) < p.read.need(100-least) && endpoints(p.read.services[canaryService]) < p.read.need(most)
}

// isStable reports whether a slot leads to stable's pods and no others, so that what
// goes there has returned already.
func (l *abortLaw) isStable(p *pass, slot int) bool {
	svc, stable := p.read.services[slot], p.plan.Status.StableRevision
	return svc != nil && svc.Selects == stable && endpoints(svc) == svc.Ready[stable] && l.w.plane.share(l.revision) == 0
}

// servable counts the endpoints of stable that a pass has read and whose pods still
// serve; none when others have changed the world since it read.
func (l *abortLaw) servable(p *pass) int32 {
	svc := p.read.services[stableService]
	if svc == nil || l.harmedAt >= p.began || l.unsteerable() || len(l.w.leaders) > 1 ||
		!slices.Equal(generations(p.read.routes), generations(l.w.live.routes)) {
		return 0
	}
	var n int32
	for _, pod := range l.w.pods.set(p.plan.Status.StableRevision).pods {
		if pod.serves() && slices.Contains(svc.Listed, pod.name) {
			n++
		}
	}
	return n
}

// switchedBack judges the same where a selector moves everything.
func (l *abortLaw) switchedBack(p *pass) {
	s := p.plan.Status
	svc, read := l.w.live.services[stableService], p.read.services[stableService]
	if svc == nil || read == nil || svc.Selects != read.Selects {
		return // somebody else has pointed it elsewhere since the pass read it
	}
	if r, _ := p.read.set(s.StableRevision); svc.Selects == s.CanaryRevision && r.Ready > 0 && r.Replicas >= p.read.replicas() {
		l.breaks(4, "%s is aborted and stable has %d ready pods, but the active Service stands for it", l.w.name(s.CanaryRevision), r.Ready)
	}
}

// unnoticed reports whether a slot lists only endpoints that are too new for every
// proxy to know them. What is sent there now is lost anyway.
func unnoticed(p *pass, slot int) bool {
	svc, t := p.read.services[slot], p.plan.Status.Traffic
	if svc == nil || t == nil {
		return true
	}
	for _, e := range t.Endpoints {
		if e.Service == svc.Name && e.Before == 0 && p.now.Sub(e.Since.Time) < settle {
			return true
		}
	}
	return false
}

// noticed counts the endpoints of a slot that have been listed for so long that every
// proxy has to know them.
func noticed(p *pass, slot int) int32 {
	svc, t := p.read.services[slot], p.plan.Status.Traffic
	if svc == nil || t == nil {
		return 0
	}
	for _, e := range t.Endpoints {
		switch late := p.now.Sub(e.Since.Time) < settle; {
		case e.Service != svc.Name:
		case late:
			return e.Before
		default:
			return e.Ready
		}
	}
	return 0
}

// generations of the routes, without the writes of the controller itself. They differ
// from those that a pass has read when somebody else wrote to a route since.
func generations(rs []route) []int64 {
	all := make([]int64, 0, len(rs))
	for _, r := range rs {
		all = append(all, r.generation-r.ours)
	}
	return all
}
