// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// listed is what the EndpointSlices of a slot say, and for how long. A data
// plane hears of endpoints later than of weights: those listed lately can't be
// counted on yet.
type listed struct {
	revision string
	// ready endpoints are listed since a time.
	ready int32
	since time.Time
	// before is how many of them could be counted on already then.
	before int32
	// ending are listed beyond the pods that their revision is to have: they
	// were told to end, and the EndpointSlices do not say so yet.
	ending int32
	// evicted is the pod among those ending whose eviction was asked for last.
	evicted string
}

// listedSince compares what is listed with what the status remembers.
func listedSince(f facts, old []v1alpha1.ServiceEndpoints) perSlot {
	var all perSlot
	for i, slot := range slots {
		s := f.slot(slot)
		revision, one := lists(s, f)
		if !one || s.Ready[revision] == 0 {
			continue
		}
		was := listed{revision: revision, since: stamp(f.Now)}
		for _, e := range old {
			if e.Service == s.Name && e.Revision == revision {
				was = listed{revision, e.Ready, e.Since.Time, e.Before, e.Ending, e.Evicted}
				if was.unwatched(f) && doubtful(f, slot) {
					was.since, was.before = stamp(f.Watched), 0
				}
			}
		}
		all[i] = was.become(s, f)
	}
	return all
}

// unwatched: endpoints of another revision than stable are counted on since before anybody watched.
func (l listed) unwatched(f facts) bool {
	return l.ready > 0 && l.revision != f.Rollout.Status.StableRevision && l.since.Before(f.Watched) && !f.Watched.After(f.Now)
}

// doubtful: what a slot has listed before anybody watched may have been gone in
// between. So it is with a slot that gets nothing, and with a first revision, beside
// which a workload carries the traffic that its pods lose.
func doubtful(f facts, slot traffic.Slot) bool {
	return f.Rollout.Status.StableRevision == "" || idle(f, slot)
}

// idle: a slot gets nothing. What such a slot has listed of another revision than
// stable before anybody watched may have been gone in between and have come back
// lately; nobody would have missed it.
func idle(f facts, slot traffic.Slot) bool {
	return f.means == byRoute && len(f.Traffic.Requested) > 0 &&
		!slices.ContainsFunc(f.Traffic.Requested, func(s traffic.Split) bool { return s.Reaches(slot) })
}

// perSlot is the same of each slot.
type perSlot [3]listed

// in is what is known of a slot's endpoints; false while they are not of one revision alone.
func (p perSlot) in(slot traffic.Slot) (listed, bool) {
	l := p[slices.Index(slots, slot)]
	return l, !l.since.IsZero()
}

// lists is the one revision whose endpoints are counted in a Service. Beside a
// referenced workload the first revision is counted in a Service that is not
// narrowed yet, and the workload's own pods, of no revision, in one that is given
// back. What a Service still lists of a revision that it stands for no more counts
// too: it may come to stand for it again before its EndpointSlices tell that
// those pods have ended.
func lists(s Service, f facts) (revision string, one bool) {
	leaves := f.Rollout.DeletionTimestamp != nil
	switch {
	case s.Selects != "" && s.only(s.Selects, 1):
		return s.Selects, true
	case s.Selects != "":
		revision = s.alone()
		return revision, revision != ""
	case f.Workload != nil && !leaves:
		revision = f.written
	}
	return revision, revision != "" || leaves
}

// become takes in another number of endpoints. Fewer are known at once.
func (l listed) become(s Service, f facts) listed {
	n := s.Ready[l.revision]
	ending, sure := l.leaving(s, f), l.sure(f)
	n -= ending
	switch {
	case n == l.ready && ending == l.ending:
		return l
	case ending > 0 && ending != l.ending:
		return listed{revision: l.revision, ready: n, since: stamp(f.Now), before: min(n, sure), ending: ending, evicted: l.evicted}
	case n == l.ready:
		return listed{revision: l.revision, ready: n, since: l.since, before: l.before, ending: ending}
	case n <= sure:
		return listed{revision: l.revision, ready: n, since: l.since, before: n, ending: ending}
	}
	return listed{revision: l.revision, ready: n, since: stamp(f.Now), before: sure, ending: ending}
}

// leaving counts those listed that were told to end: all beyond the pods that
// their revision is to have, now or when it had fewer. Since it grew again their
// number does not tell them from those that took their place; their names do,
// where the pods were read. Without that they are in doubt until their number
// changes, or until EndpointSlices can't be as late as that.
func (l listed) leaving(s Service, f facts) int32 {
	n := s.Ready[l.revision]
	var told int32
	if r, ours := findAny(f, l.revision); ours {
		told = max(0, n-r.Replicas)
	}
	switch {
	case l.ending <= told, n != l.ready+l.ending, !f.Now.Before(l.since.Add(f.strategy.timeout)):
		return told
	case len(f.Pods) > 0 && l.revision == f.Rollout.Status.StableRevision:
		return max(told, n-alive(s, f.Pods, l.evicted))
	}
	return l.ending
}

// alive counts the pods that a Service lists and that are to stay: all but those
// on their way out and the one whose eviction was asked for.
func alive(s Service, pods []Pod, evicted string) int32 {
	var n int32
	for _, p := range pods {
		if !p.Terminating && p.Name != evicted && slices.Contains(s.Listed, p.Name) {
			n++
		}
	}
	return n
}

// PodsWanted reports whether a decision hangs on the pods of the stable revision:
// on their age while a restart is asked for, and on which of them are listed
// since a revision that had been told to shrink has grown again. The shell reads
// pods only then.
func PodsWanted(s Snapshot) bool {
	if _, restarts := cursorOf(s.Rollout.Status).restart.wanted(&s); restarts {
		return true
	}
	st := s.Rollout.Status
	if st.Traffic == nil || st.StableRevision == "" {
		return false
	}
	return slices.ContainsFunc(st.Traffic.Endpoints, func(e v1alpha1.ServiceEndpoints) bool {
		return e.Ending > 0 && e.Service == s.StableService.Name && e.Revision == st.StableRevision && slices.ContainsFunc(s.Revisions, func(r Revision) bool {
			return r.Hash == e.Revision && r.Replicas > e.Ready
		})
	})
}

// Remember puts what a later status has seen of traffic into an earlier one, and
// tells whether that is another status then. It is kept in memory even when
// nothing comes of the pass, and written with the error that it met: endpoints or
// weights that were gone once must not count as having been there all along
// because nobody could write that down.
func Remember(old, now v1alpha1.RolloutStatus) (v1alpha1.RolloutStatus, bool) {
	if sameTraffic(old.Traffic, now.Traffic) {
		return old, false
	}
	old.Traffic = now.Traffic
	return old, true
}

// Shifted is a status after actions were carried out, or may have been: when they
// write to routes, what these carried before has not been so all along, should
// somebody write it back before the next look.
func Shifted(s v1alpha1.RolloutStatus, actions []Action) v1alpha1.RolloutStatus {
	shifts := func(a Action) bool { _, is := a.(ShiftTraffic); return is }
	if s.Traffic == nil || !slices.ContainsFunc(actions, shifts) {
		return s
	}
	t := *s.Traffic
	t.Differ = true
	s.Traffic = &t
	return s
}

// without counts a pod no more whose eviction is about to be asked for, be it
// for the first time or again.
func (l listed) without(pod string, f facts) listed {
	if l.evicted == pod {
		l.before, l.since = l.sure(f), stamp(f.Now)
		return l
	}
	return listed{l.revision, l.ready - 1, stamp(f.Now), l.sure(f) - 1, l.ending + 1, pod}
}

// sure is the number of endpoints that the data plane has noticed.
func (l listed) sure(f facts) int32 {
	if f.Now.Before(l.since.Add(f.strategy.settle)) {
		return l.before
	}
	return l.ready
}

// noticed is the number of a revision's endpoints in a slot that the data plane has noticed.
func (f facts) noticed(slot traffic.Slot, revision string) int32 {
	l, ok := f.listed.in(slot)
	if !ok || l.revision != revision {
		return 0
	}
	return l.sure(f)
}

// blind reports whether the data plane knows none of the endpoints that a slot
// lists. While EndpointSlices have not followed a Service that was pointed
// elsewhere, it carries what those carry that it pointed at before: unless that
// is everything, or they are stable's, it counts for nothing.
func blind(f facts, slot traffic.Slot) bool {
	l, ok := f.listed.in(slot)
	if s := f.slot(slot).Selects; s != "" && s != l.revision {
		return ok && l.revision != f.Rollout.Status.StableRevision && l.sure(f) < f.need(100)
	}
	return ok && l.sure(f) == 0 && (slot != traffic.Baseline || !found(l, f))
}

// found: endpoints were listed already when whoever decides began to watch, and
// no status says since when. Nothing can be counted on that, but what goes to
// them was given to them by somebody who knew.
func found(l listed, f facts) bool {
	return !f.Watched.IsZero() && !f.Watched.After(f.Now) && !l.since.After(stamp(f.Watched))
}

// serves reports whether a slot can be given what n pods carry: it lists ready
// endpoints of a revision and of no other, and the data plane has noticed n of them.
func (f facts) serves(slot traffic.Slot, revision string, n int32) bool {
	if n == 0 {
		return f.slot(slot).Selects == revision
	}
	return f.slot(slot).only(revision, n) && f.noticed(slot, revision) >= n
}
