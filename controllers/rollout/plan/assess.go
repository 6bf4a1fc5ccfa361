// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Defaults of fields. The API server fills them in; these are for objects that it has
// not seen, as in a simulation or a test.
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
// depends on where the release is, except for what [withTarget], [withRoles] and
// [withoutEvicted] add before anything is desired. They are an argument of nearly
// every function, so they are a pointer, which is cheap to hand on.
type facts struct{ *said }

// said is what the facts hold.
type said struct {
	Snapshot
	// strategy in force.
	strategy strategy
	// bound are the objects that traffic moves through now; wanted those that the spec names.
	bound, wanted v1alpha1.Bindings
	// rebinding: the two differ, and what the spec names is in order.
	rebinding bool
	// means by which the bound objects move traffic.
	means means
	// replicas is the number of pods that carry the whole traffic.
	replicas int32
	// written is the hash of the template as written; Target differs from it under an undo.
	written string
	// revisions oldest first, with no more pods ready than are wanted of them: a
	// ReplicaSet's status lags behind its spec. Snapshot.Revisions lists the same as read.
	revisions revisions
	// baselines are the ReplicaSets of baselines, in the same way. They are in neither
	// of the other two lists.
	baselines revisions
	// shiftedAt is since when the routes carry what they carry now.
	shiftedAt time.Time
	// acceptedAt is since when every route reports that as accepted; zero while one does not.
	acceptedAt time.Time
	// sight is what the requests that an analysis counted say of the split, and
	// observed the figures for that.
	observed *v1alpha1.ObservedTraffic
	sight    sight
	// sightPending: an analysis is counting, and may soon have counted enough to say.
	sightPending bool
	// listed is what each slot's EndpointSlices list, and since when; see [perSlot.in].
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
	if f.rebinding { // nobody has to mend what is left behind; but what comes has to be in order first
		f.Problems = slices.DeleteFunc(slices.Clone(f.Problems), func(p Problem) bool { return p.Bound })
		f.rebinding = len(f.Problems) == 0
	}
	return remember(f, s.Rollout.Status.Traffic)
}

// remember takes over from the status since when something is so, unless it has
// changed since that status was written.
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
		old.Differ == disagree(f) && sameEdition(f, old)
	if same {
		f.shiftedAt = soFar(old.Since.Time, f.Now)
	}
	if f.Traffic.Silent { // no data plane will ever report: what is written counts as accepted, and settles
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
		f.acceptedAt = soFar(old.AcceptedAt.Time, f.Now)
	}
	f.observed, f.sight = sightOf(f, old.Observed)
	f.sightPending = awaitsSight(f)
	return f
}

// withRoles are the facts for the roles that the cursor has given out by now. What
// is remembered of traffic depends on them. Without this the next look at the same
// world, which finds those roles in the status, would see other facts than this one.
func withRoles(c cursor, f facts) facts {
	st := f.Rollout.Status
	if c.stable == st.StableRevision && c.abort == st.Abort && c.skipped == st.AnalysisSkipped {
		return f
	}
	ro, again := *f.Rollout, *f.said
	ro.Status.StableRevision, ro.Status.Abort, ro.Status.AnalysisSkipped = c.stable, c.abort, c.skipped
	again.Rollout = &ro
	again.acceptedAt, again.observed, again.sight, again.sightPending = time.Time{}, nil, unsure, false
	if c.stable != st.StableRevision {
		again.Pods = nil // they are the former one's
	}
	return remember(facts{&again}, st.Traffic)
}

// disagree reports whether the routes do not all carry the same. Then the status
// shows the weights of the route that gives the canary most.
func disagree(f facts) bool { return f.means == byRoute && len(f.Traffic.Requested) > 1 }

// sameShares reports whether callers get what they got before. For which revision a
// Service stands does not matter to them while its share is 0, unless the routes
// themselves tell the data plane of it ([traffic.Observed].Marked).
func sameShares(f facts, before, now []v1alpha1.RevisionWeight) bool {
	return slices.EqualFunc(before, now, func(a, b v1alpha1.RevisionWeight) bool {
		if a.Weight == 0 && !f.Traffic.Marked {
			a.Revision = b.Revision
		}
		return a == b
	})
}

// sameEdition reports whether nobody has written to the routes since a status was: what
// was written and written back in between, while nobody watched, may still be served.
func sameEdition(f facts, old *v1alpha1.TrafficStatus) bool {
	return old.Edition == "" || old.Edition == edition(f)
}

// edition is that of the routes, in few characters.
func edition(f facts) string {
	if f.Traffic.Edition == "" {
		return ""
	}
	return digest([]byte(f.Traffic.Edition))
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

// of gives a revision; one without a name and pods when there is none.
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

// need is the number of pods that a share of the traffic needs: so many percent of
// spec.replicas, rounded up.
func (f facts) need(weight int32) int32 {
	return int32((int64(f.replicas)*int64(weight) + 99) / 100)
}

// settled reports whether the routes have been accepted as they are for long enough.
func (f facts) settled() bool { return !f.acceptedAt.IsZero() && !f.Now.Before(f.settlesAt()) }

func (f facts) settlesAt() time.Time { return f.acceptedAt.Add(f.strategy.settle) }

// confirmed reports whether the data plane is known to serve exactly s.
func (f facts) confirmed(s traffic.Split) bool { return f.settled() && f.Traffic.ConfirmedAll(s) }

// follows reports whether a slot stands for the pods that its Service lists. That
// may be otherwise where the routes themselves say which pods a slot stands for:
// until they say the same as the Services, and have settled.
func follows(f facts) bool {
	return !f.Traffic.Unbound && (!f.Traffic.Marked || f.settled())
}

// most is the largest share that a slot may be getting, in percent: 100 for as long
// as nobody knows. Nobody knows until the data plane has settled, nor while the
// requests that were counted contradict the routes.
func (f facts) most(slot traffic.Slot) int32 {
	switch {
	case f.means == bySelector && slot == traffic.Canary:
		return 0 // nobody but testers calls the preview
	case slot == traffic.Baseline && (f.means != byRoute || f.BaselineService.Name == ""):
		return 0
	case slot != traffic.Stable && routesLeft(f):
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

// exposed reports whether pods of a revision may be getting requests: a slot stands
// for it or lists its endpoints. The baseline's slot counts only while it may have
// a share, because it keeps standing for its former revision afterwards.
func (f facts) exposed(hash string) bool {
	return f.StableService.reaches(hash) || f.CanaryService.reaches(hash) ||
		f.BaselineService.reaches(hash) && f.most(traffic.Baseline) > 0
}

// carrying counts the pods of a revision that callers can reach: those that are
// available, and noticed behind the stable Service. Where pods are the split they
// have to be listed by the Service that callers use; if that is gone, or there is
// none, all available pods count. No caller can lose anything by that, and the way
// back to stable must not wait for a Service that may never return.
func (f facts) carrying(hash string) int32 {
	n := f.revisions.of(hash).Available
	switch {
	case f.means != byReplicas:
		return min(n, f.noticed(traffic.Stable, hash))
	case f.CallerService.Version != "" && hash == f.Rollout.Status.StableRevision && len(f.Pods) > 0:
		return min(n, alive(f.CallerService, f.Pods, "")) // its EndpointSlices may list pods that are gone
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
