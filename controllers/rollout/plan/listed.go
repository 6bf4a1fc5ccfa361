// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// listed is what the EndpointSlices of a slot list, and since when. A data plane
// may hear of endpoints later than of weights, so that an endpoint counts only once
// it has been listed for convergence.settle; it is *noticed* then. And EndpointSlices
// list pods for a while after these were told to end; such pods never count.
//
// An example with settle = 5 s and timeout = 2 min, for a revision with four pods
// that is scaled to two and back. [TestTimelineOfListed] plays it.
//
//	t      what happens                       replicas  slices  ready  since  before  ending  noticed
//	0 s    four pods, listed for a minute            4       4      4   -60s       0       0        4
//	1 s    two pods are told to end                  2       4      2     1s       2       2        2
//	2 s    the EndpointSlices have heard of it       2       2      2     1s       2       0        2
//	3 s    four are wanted again                     4       2      2     1s       2       0        2
//	20 s   the two new pods are ready                4       4      4    20s       2       0        2
//	24 s   the proxies may not know them yet         4       4      4    20s       2       0        2
//	25 s   settle is over                            4       4      4    20s       2       0        4
//	30 s   two are told to end once more             2       4      2    30s       2       2        2
//	31 s   four are wanted again, at once            4       4      2    30s       2       2        2
//	150 s  timeout is over                           4       4      4   150s       2       0        2
//	155 s  settle is over                            4       4      4   150s       2       0        4
//
// From 31 s on four are listed and four are wanted, but nobody can tell from these
// numbers whether the four are the former ones, two of which are ending, or whether two
// new ones have taken their places. So two count as ending until so many fewer are
// listed, until their names tell ([PodsWanted]), or until the timeout is over.
type listed struct {
	// revision whose endpoints these are.
	revision string
	// ready is how many of its endpoints are listed, without those that are ending.
	ready int32
	// since is when ready last rose, or when pods were last told to end. Settle and
	// timeout count from here.
	since time.Time
	// before is how many of them had been noticed by then. Until settle is over only
	// these count.
	before int32
	// ending is how many more are listed: pods that were told to end, of which the
	// EndpointSlices have not heard yet.
	ending int32
	// evicted is the pod among those ending whose eviction was asked for last.
	evicted string
}

// listedSince compares what is listed with what the status remembers.
func listedSince(f facts, old []v1alpha1.ServiceEndpoints) perSlot {
	var all perSlot
	for i, slot := range slots {
		s := f.slot(slot)
		revision, counts := countedBehind(s, f)
		if !counts || s.Ready[revision] == 0 {
			continue
		}
		was := listed{revision: revision, since: stamp(f.Now)}
		for _, e := range old {
			if e.Service == s.Name && e.Revision == revision {
				was = listed{revision, e.Ready, soFar(e.Since.Time, f.Now), e.Before, e.Ending, e.Evicted}
				if was.unwatched(f) && doubtful(f, slot) {
					was.since, was.before = stamp(f.Watched), 0
				}
			}
		}
		all[i] = was.next(s, f)
	}
	return all
}

// unwatched: the status says since when endpoints of another revision than stable are
// listed, but that is before this controller began to watch.
func (l listed) unwatched(f facts) bool {
	return l.ready > 0 && l.revision != f.Rollout.Status.StableRevision && l.since.Before(f.Watched) && !f.Watched.After(f.Now)
}

// doubtful: the endpoints of a slot may have been gone for a while before this
// controller began to watch, and nobody would have noticed. That is so for a slot that
// gets nothing, and for a first revision: beside it a workload carries the traffic.
func doubtful(f facts, slot traffic.Slot) bool {
	return f.Rollout.Status.StableRevision == "" || getsNothing(f, slot)
}

// getsNothing: no route sends the slot anything.
func getsNothing(f facts, slot traffic.Slot) bool {
	return f.means == byRoute && len(f.Traffic.Requested) > 0 &&
		!slices.ContainsFunc(f.Traffic.Requested, func(s traffic.Split) bool { return s.Reaches(slot) })
}

// perSlot is what is listed of each slot, in the order of [slots].
type perSlot [3]listed

// in is what is known of a slot's endpoints; false while they are not all of one revision.
func (p perSlot) in(slot traffic.Slot) (listed, bool) {
	l := p[slices.Index(slots, slot)]
	return l, !l.since.IsZero()
}

// countedBehind is the one revision whose endpoints are counted behind a Service;
// false when there is none. That is
//   - the revision that the Service is narrowed to;
//   - when it was just pointed elsewhere, the one that it still lists, because it may be
//     pointed back before its EndpointSlices tell that those pods have ended;
//   - when it is not narrowed yet, beside a referenced workload, the first revision;
//   - when it is being handed back, the workload's own pods, which are of no revision ("").
func countedBehind(s Service, f facts) (revision string, counts bool) {
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

// next is what is known once the slot lists what s does. That there are fewer
// endpoints is believed at once, that there are more only after settle.
func (l listed) next(s Service, f facts) listed {
	n := s.Ready[l.revision]
	ending, noticed := l.endingNow(s, f), l.noticed(f)
	n -= ending
	evicted := l.evicted
	if ending == 0 || spares(f) {
		evicted = ""
	}
	switch {
	case n == l.ready && ending == l.ending:
		l.evicted = evicted
		return l
	case ending > 0 && ending != l.ending: // another number is ending: of those that stay no more count than were noticed before
		return listed{revision: l.revision, ready: n, since: stamp(f.Now), before: min(n, noticed), ending: ending, evicted: evicted}
	case n == l.ready: // those that were ending are gone
		return listed{revision: l.revision, ready: n, since: l.since, before: l.before, ending: ending, evicted: evicted}
	case n <= noticed: // fewer; those that are left were noticed before
		return listed{revision: l.revision, ready: n, since: l.since, before: n, ending: ending, evicted: evicted}
	}
	return listed{revision: l.revision, ready: n, since: stamp(f.Now), before: noticed, ending: ending, evicted: evicted} // new ones have come
}

// endingNow counts those listed that were told to end. Where the pods were read their
// names tell, even of one that the EndpointSlices list only after it has gone. Otherwise,
// as long as a revision only shrinks, these are all beyond the pods that it is to have.
// When it has grown again since, their number no longer tells them from those that took
// their place: they stay in doubt until so many fewer are listed, since EndpointSlices
// may catch up with one shrinkage and not yet with the next; or until
// convergence.timeout, which they are never late by. Of another revision than stable,
// whose pods nobody reads, no more are in doubt once their number changes than its
// ReplicaSet has fewer ready.
func (l listed) endingNow(s Service, f facts) int32 {
	n := s.Ready[l.revision]
	var told int32
	r, ours := findAny(f, l.revision)
	if ours {
		told = max(0, n-r.Replicas)
	}
	stable := l.revision == f.Rollout.Status.StableRevision
	doubt := l.ending - max(0, l.ready+l.ending-n)
	if !stable && n != l.ready+l.ending {
		doubt = min(doubt, n-r.Ready)
	}
	over, evicted := !f.Now.Before(l.since.Add(f.strategy.timeout)), l.evicted
	if over || spares(f) {
		evicted = ""
	}
	switch {
	case stable && len(f.Pods) > 0:
		return max(told, n-alive(s, f.Pods, evicted))
	case doubt <= told, over:
		return told
	}
	return doubt
}

// spares: nobody evicts pods any more, since a release has begun, and the last eviction
// that was asked for has had its time. Whether it was carried out, the pods tell.
func spares(f facts) bool {
	st := f.Rollout.Status
	return st.CanaryRevision != "" && st.StartedAt != nil && !f.Now.Before(st.StartedAt.Add(f.strategy.settle))
}

// alive counts the pods that a Service lists and that will stay: neither are they on
// their way out, nor was their eviction asked for.
func alive(s Service, pods []Pod, evicted string) int32 {
	var n int32
	for _, p := range pods {
		if !p.Terminating && p.Name != evicted && slices.Contains(s.Listed, p.Name) {
			n++
		}
	}
	return n
}

// PodsWanted reports whether a decision depends on the single pods of the stable
// revision: on their age while a restart is asked for, and on their names while the
// number of endpoints does not tell old pods from new, see [listed]. The shell reads
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

// Remember puts what a later status says of traffic, and of the wait for the cluster,
// into an earlier one, and reports whether that changes it. The shell keeps the result
// in memory even when a pass fails, and writes it together with the error. Otherwise
// endpoints or weights that were gone for a while would count as having been there all
// along, because nobody could write down that they were gone; and a failure would make
// the deadline of a step later that began to wait meanwhile.
func Remember(old, now v1alpha1.RolloutStatus) (v1alpha1.RolloutStatus, bool) {
	later := withWait(old, now)
	if sameRest(&later, &old) && sameTraffic(old.Traffic, now.Traffic) {
		return old, false
	}
	later.Traffic = now.Traffic
	return later, true
}

// withWait is a status with what is known later of the wait for the cluster, unless that
// is about another step, or about an abort: should that fail to be written, the deadline
// that it was for has passed all the same.
func withWait(old, now v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	other := old.CanaryRevision != now.CanaryRevision || old.Release != now.Release || (old.Abort == nil) != (now.Abort == nil)
	if other || !sameStep(old.CurrentStep, now.CurrentStep) {
		return old
	}
	old.WaitingSince, old.AvailableSoFar = now.WaitingSince, now.AvailableSoFar
	if !sameWait(old.CurrentStep, now.CurrentStep) {
		step := *old.CurrentStep
		step.WaitingSince = now.CurrentStep.WaitingSince
		old.CurrentStep = &step
	}
	return old
}

// Glimpsed is a Rollout whose status tells of the endpoints that an earlier look of the
// same pass has seen come or go since the status that it compared with. What was gone
// then has not been listed all along, however many a later look finds. An eviction that
// the earlier look decided on was not asked for.
func Glimpsed(ro *v1alpha1.Rollout, compared, earlier v1alpha1.RolloutStatus) *v1alpha1.Rollout {
	if ro.Status.Traffic == nil || compared.Traffic == nil || earlier.Traffic == nil {
		return ro
	}
	var endpoints []v1alpha1.ServiceEndpoints
	for _, e := range ro.Status.Traffic.Endpoints {
		if e, there := glimpsed(e, compared, earlier); there {
			endpoints = append(endpoints, e)
		}
	}
	if slices.Equal(endpoints, ro.Status.Traffic.Endpoints) {
		return ro
	}
	ro = ro.DeepCopy()
	ro.Status.Traffic.Endpoints = endpoints
	return ro
}

// glimpsed is what is told of the endpoints of one Service, and whether there are any.
func glimpsed(e v1alpha1.ServiceEndpoints, compared, earlier v1alpha1.RolloutStatus) (now v1alpha1.ServiceEndpoints, there bool) {
	was, known := listedOf(compared, e)
	saw, there := listedOf(earlier, e)
	switch {
	case !known:
		return e, true
	case there && (saw.Ready != was.Ready || saw.Ending != was.Ending) && (saw.Evicted == "" || saw.Evicted == was.Evicted):
		return saw, true
	}
	return e, there
}

// listedOf is what a status tells of the same endpoints.
func listedOf(st v1alpha1.RolloutStatus, of v1alpha1.ServiceEndpoints) (e v1alpha1.ServiceEndpoints, told bool) {
	for _, e := range st.Traffic.Endpoints {
		if e.Service == of.Service && e.Revision == of.Revision {
			return e, true
		}
	}
	return e, false
}

// without is what is known once the eviction of a pod is asked for, for the first
// time or again: that pod counts no more.
func (l listed) without(pod string, f facts) listed {
	if l.evicted == pod {
		l.before, l.since = l.noticed(f), stamp(f.Now)
		return l
	}
	return listed{l.revision, l.ready - 1, stamp(f.Now), l.noticed(f) - 1, l.ending + 1, pod}
}

// noticed is the number of endpoints that every proxy of the data plane is taken to know.
func (l listed) noticed(f facts) int32 {
	if f.Now.Before(l.since.Add(f.strategy.settle)) {
		return l.before
	}
	return l.ready
}

// noticed is the same for a revision behind a slot; 0 when the slot lists another one.
func (f facts) noticed(slot traffic.Slot, revision string) int32 {
	l, ok := f.listed.in(slot)
	if !ok || l.revision != revision {
		return 0
	}
	return l.noticed(f)
}

// blind reports whether the data plane can't be counted on to know any endpoint of a
// slot. It is so before the first of them is noticed. And it is so while a Service
// that was pointed elsewhere, or is about to be, still lists the pods of before, unless those are stable's
// or carry everything.
func blind(f facts, slot traffic.Slot) bool {
	l, ok := f.listed.in(slot)
	selects := f.slot(slot).Selects
	if slot == traffic.Stable && selects != "" { // it is pointed home in the very pass that moves traffic to it
		selects = cmp.Or(f.Rollout.Status.StableRevision, selects)
	}
	if selects != "" && selects != l.revision {
		return ok && l.revision != f.Rollout.Status.StableRevision && l.noticed(f) < f.need(100)
	}
	return ok && l.noticed(f) == 0 && (slot != traffic.Baseline || !listedBeforeWatch(l, f))
}

// listedBeforeWatch: endpoints were listed already when this controller began to
// watch, and no status says since when. They count for nothing new; but the share
// that they have was given to them by a controller that knew.
func listedBeforeWatch(l listed, f facts) bool {
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
