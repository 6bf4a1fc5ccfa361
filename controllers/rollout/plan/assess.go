// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Defaults of fields that the API server fills in; they serve objects that never met it.
const (
	defaultScaleDownDelay = 30
	defaultBlueDelay      = 300
	defaultDeadline       = 600
	defaultSettle         = 2 * time.Second
	defaultConvergence    = 2 * time.Minute
	defaultHistoryLimit   = 10
	defaultSurge          = "25%"
)

// facts are what the snapshot says, in the planner's words. Nothing in them
// depends on where the release is. They are handed to every question, so that
// what they say is kept in one place instead of being copied for each.
type facts struct{ *said }

// said is what the facts say.
type said struct {
	Snapshot
	// strategy in force.
	strategy strategy
	// bound are the objects that traffic moves through; wanted those that the spec names.
	bound, wanted v1alpha1.Bindings
	// rebinding: they differ.
	rebinding bool
	// means by which the bound objects move traffic.
	means means
	// replicas carry the whole traffic.
	replicas int32
	// written is the hash of the template as written; Target differs from it under an undo.
	written string
	// revisions with no more pods ready than wanted; Snapshot.Revisions lists
	// them, in the same order, as read.
	revisions revisions
	// baselines are the same of the revisions that are fresh pods of a stable one.
	baselines revisions
	// shiftedAt is since when the routes carry what they carry now.
	shiftedAt time.Time
	// acceptedAt is since when every route reports that as accepted; zero while one does not.
	acceptedAt time.Time
	// observed are the figures of the requests counted, and sight what they say of the split.
	observed *v1alpha1.ObservedTraffic
	sight    sight
	// awaited: requests will soon tell whether they follow the routes.
	awaited bool
	// listed is what the endpoints of each slot have been for how long, see
	// [perSlot.in]; of no time while they are not of one revision alone.
	listed perSlot
}

// assess reads the snapshot. It decides nothing.
func assess(s Snapshot) facts {
	f := facts{&said{
		Snapshot: s, strategy: strategyOf(s.Rollout.Spec), written: s.Target,
		bound: Bindings(s.Rollout), wanted: WantedBindings(s.Rollout),
		replicas: 1,
	}}
	f.Revisions, f.baselines = apart(byNumber(s.Revisions))
	f.means, f.rebinding = meansOf(f.bound), !sameBindings(f.bound, f.wanted)
	if s.Rollout.Spec.Replicas != nil {
		f.replicas = *s.Rollout.Spec.Replicas
	}
	f.revisions = slices.Clone(f.Revisions)
	f.revisions.clamp()
	if s.Rollout.DeletionTimestamp == nil {
		f.Problems = append(slices.Clip(f.Problems), mistakes(f)...)
	}
	if f.rebinding { // what is left behind needs no mending, but what comes has to be in order first
		f.Problems = slices.DeleteFunc(slices.Clone(f.Problems), func(p Problem) bool { return p.Bound })
		f.rebinding = len(f.Problems) == 0
	}
	return remember(f, s.Rollout.Status.Traffic)
}

// remember takes the times of the pass before over, as far as what they speak of has not changed.
func remember(f facts, old *v1alpha1.TrafficStatus) facts {
	if old == nil {
		old = &v1alpha1.TrafficStatus{}
	}
	f.listed = listedSince(f, old.Endpoints)
	f.shiftedAt = stamp(f.Now)
	if f.means != byRoute {
		return f
	}
	same := old.Since != nil && sameShares(f, old.Requested, f.weights(f.Traffic.Requested)) && old.Beside == beside(f.Traffic.Requested) &&
		old.Differ == disagree(f)
	if same {
		f.shiftedAt = old.Since.Time
	}
	if f.Traffic.Silent { // nothing more will be heard: what is written counts as accepted, and settles
		f.Traffic.Confirmed = f.Traffic.Requested
	}
	if len(f.Traffic.Confirmed) == 0 {
		return f
	}
	f.acceptedAt = stamp(f.Now)
	if !same {
		return f
	}
	if old.AcceptedAt != nil {
		f.acceptedAt = old.AcceptedAt.Time
	}
	f.observed, f.sight = observe(f, old.Observed)
	f.awaited = awaits(f)
	return f
}

// inRole are the facts for whoever has which role by now: what is remembered of
// traffic hangs on that, and a second look at the same world has to find the same.
func inRole(c cursor, f facts) facts {
	st := f.Rollout.Status
	if c.stable == st.StableRevision && c.abort == st.Abort && c.skipped == st.AnalysisSkipped {
		return f
	}
	ro, again := *f.Rollout, *f.said
	ro.Status.StableRevision, ro.Status.Abort, ro.Status.AnalysisSkipped = c.stable, c.abort, c.skipped
	again.Rollout = &ro
	again.acceptedAt, again.observed, again.sight, again.awaited = time.Time{}, nil, unsure, false
	if c.stable != st.StableRevision {
		again.Pods = nil // they are the former one's
	}
	return remember(facts{&again}, st.Traffic)
}

// disagree reports whether the routes do not all carry the same. The weights
// that are kept of them then are those of the one that gives the canary most.
func disagree(f facts) bool { return f.means == byRoute && len(f.Traffic.Requested) > 1 }

// sameShares reports whether callers get what they got. What a Service stands
// for that gets nothing is no change to them, unless routes have to tell the
// data plane of that themselves.
func sameShares(f facts, before, now []v1alpha1.RevisionWeight) bool {
	return slices.EqualFunc(before, now, func(a, b v1alpha1.RevisionWeight) bool {
		if a.Weight == 0 && !f.Traffic.Marked {
			a.Revision = b.Revision
		}
		return a == b
	})
}

// slots in the order in which they are looked at.
var slots = []traffic.Slot{traffic.Stable, traffic.Canary, traffic.Baseline}

// revisions are found by their hashes.
type revisions []Revision

// clamp counts no more pods than are wanted: a ReplicaSet's status lags behind
// what was asked of it.
func (rs revisions) clamp() {
	for i := range rs {
		r := &rs[i]
		r.Ready, r.Available = min(r.Ready, r.Replicas), min(r.Available, r.Replicas)
	}
}

// find gives a revision; false when there is none.
func (rs revisions) find(hash string) (Revision, bool) {
	for i := range rs {
		if rs[i].Hash == hash {
			return rs[i], true
		}
	}
	return Revision{}, false
}

// of is the same with no pods for one that does not exist.
func (rs revisions) of(hash string) Revision {
	r, _ := rs.find(hash)
	return r
}

func (f facts) slot(slot traffic.Slot) Service {
	switch slot {
	case traffic.Canary:
		return f.CanaryService
	case traffic.Baseline:
		return f.BaselineService
	case traffic.Stable:
	}
	return f.StableService
}

// need is the number of pods that carry weight percent of the traffic: the
// share of spec.replicas, rounded up.
func (f facts) need(weight int32) int32 {
	return int32((int64(f.replicas)*int64(weight) + 99) / 100)
}

// settled reports whether the routes have been accepted as they are for long enough.
func (f facts) settled() bool { return !f.acceptedAt.IsZero() && !f.Now.Before(f.settlesAt()) }

func (f facts) settlesAt() time.Time { return f.acceptedAt.Add(f.strategy.settle) }

// confirmed reports whether the data plane is known to serve exactly s.
func (f facts) confirmed(s traffic.Split) bool { return f.settled() && f.Traffic.ConfirmedAll(s) }

// follows reports whether routes that tell themselves which pods a slot stands
// for tell what the Services do, and have for long enough. Until then a slot
// may stand for other pods than its Service lists.
func follows(f facts) bool {
	return !f.Traffic.Unbound && (!f.Traffic.Marked || f.settled())
}

// most is the largest share that a slot may be getting, in percent. Until the
// data plane has settled that may be anything, as it may where the requests
// that were counted contradict the routes.
func (f facts) most(slot traffic.Slot) int32 {
	switch {
	case f.means == bySelector && slot == traffic.Canary:
		return 0 // nobody but testers calls the preview
	case slot == traffic.Baseline && (f.means != byRoute || f.BaselineService.Name == ""):
		return 0
	case f.means == byRoute && f.settled() && (f.sight != contradicting || slot == traffic.Baseline):
		return f.Traffic.Most(slot)
	}
	return 100
}

// requestedCanary is the least share that any route gives the canary slot now.
func (f facts) requestedCanary() int32 {
	if len(f.Traffic.Requested) == 0 {
		return 0
	}
	least := int32(100)
	for _, s := range f.Traffic.Requested {
		least = min(least, s.Canary)
	}
	return least
}

// reachesCanary reports whether any route sends the canary slot anything.
func (f facts) reachesCanary() bool {
	return slices.ContainsFunc(f.Traffic.Requested, func(s traffic.Split) bool { return s.Reaches(traffic.Canary) })
}

// exposed reports whether pods of a revision may be getting requests: a slot
// stands for it and may have weight, or lists its endpoints. The baseline's is
// looked at only while it has weight: it need not stand for anything else.
func (f facts) exposed(hash string) bool {
	return f.StableService.reaches(hash) || f.CanaryService.reaches(hash) ||
		f.BaselineService.reaches(hash) && f.most(traffic.Baseline) > 0
}

// carrying counts the pods of a revision that callers can reach. Where pods are
// the split and the callers' Service is gone, callers reach nobody by it and
// lose nothing: then the pods themselves count, so that the way back to stable
// does not wait for a Service that may never return.
func (f facts) carrying(hash string) int32 {
	n := f.revisions.of(hash).Available
	switch {
	case f.means != byReplicas:
		return min(n, f.noticed(traffic.Stable, hash))
	case f.CallerService.Version != "":
		return min(n, f.CallerService.Ready[hash])
	}
	return n
}

func (f facts) deadline() time.Duration {
	if d := f.Rollout.Spec.ProgressDeadlineSeconds; d != nil {
		return seconds(*d)
	}
	return defaultDeadline * time.Second
}
