// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
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
func listedSince(f facts, old []v1alpha1.ServiceEndpoints) map[traffic.Slot]listed {
	all := map[traffic.Slot]listed{}
	for _, slot := range slots {
		s := f.slot(slot)
		revision, one := lists(s, f)
		if !one || s.Ready[revision] == 0 {
			continue
		}
		was := listed{revision: revision, since: stamp(f.Now)}
		for _, e := range old {
			if e.Service == s.Name && e.Revision == revision {
				was = listed{revision, e.Ready, e.Since.Time, e.Before, e.Ending, e.Evicted}
			}
		}
		all[slot] = was.become(s.Ready[revision], f)
	}
	return all
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

// become takes in another number of endpoints. Fewer are known at once. As long
// as pods that were told to end are listed, no others can be told from them.
func (l listed) become(n int32, f facts) listed {
	if l.ending > 0 && n == l.ready+l.ending && f.Now.Before(l.since.Add(f.strategy.timeout)) {
		return l
	}
	r, ours := f.revisions[l.revision]
	var ending int32
	if ours {
		ending = max(0, n-r.Replicas)
	}
	n -= ending
	sure := l.sure(f)
	switch {
	case ending > 0 && ending != l.ending:
		return listed{l.revision, n, stamp(f.Now), min(n, sure), ending, ""}
	case n == l.ready:
		return listed{l.revision, n, l.since, l.before, ending, ""}
	case n <= sure:
		return listed{l.revision, n, l.since, n, ending, ""}
	}
	return listed{l.revision, n, stamp(f.Now), sure, ending, ""}
}

// without counts a pod no more whose eviction is about to be asked for, be it
// for the first time or again.
func (l listed) without(pod string, f facts) listed {
	if l.evicted == pod {
		l.since = stamp(f.Now)
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
	l, ok := f.listed[slot]
	if !ok || l.revision != revision {
		return 0
	}
	return l.sure(f)
}

// blind reports whether the data plane knows none of the endpoints that a slot lists.
func blind(f facts, slot traffic.Slot) bool {
	l, ok := f.listed[slot]
	s := f.slot(slot).Selects
	return ok && (s == "" || s == l.revision) && l.sure(f) == 0
}

// serves reports whether a slot can be given what n pods carry: it lists ready
// endpoints of a revision and of no other, and the data plane has noticed n of them.
func (f facts) serves(slot traffic.Slot, revision string, n int32) bool {
	if n == 0 {
		return f.slot(slot).Selects == revision
	}
	return f.slot(slot).only(revision, n) && f.noticed(slot, revision) >= n
}
