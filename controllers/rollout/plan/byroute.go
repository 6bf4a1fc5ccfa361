// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// desireWeight points the canary's Service at it and gives it the weight that
// its endpoints can carry. At the end it moves the stable slot under the canary.
func desireWeight(d *desired, c cursor, f facts) {
	if f.most(traffic.Canary) == 0 || f.CanaryService.Selects == c.canary {
		d.canarySelects = c.canary
	}
	d.split = keepBaseline(affordable(c, f), c, f)
	if c.promoting(f) {
		desirePromotion(d, c, f)
	}
	d.split = serve(d.split, f)
}

// affordable is what may be given to the canary slot now: what the steps ask
// for as far as both sides can carry it.
func affordable(c cursor, f facts) traffic.Split {
	a, has, least := c.asks(f), f.requestedCanary(), leastCanary(c, f)
	bare := traffic.Split{Baseline: affordableBaseline(c, f)}
	want := a.split
	want.Baseline = bare.Baseline
	want = want.At(a.weight)
	canary, n := f.CanaryService, f.need(want.Canary)
	switch {
	case torn(c, f, least):
		return traffic.Split{}
	case canary.Selects != c.canary || canary.Ready[c.canary] == 0:
		return bare.At(least)
	case !f.reachesCanary() && want.Reaches(traffic.Canary) && !f.serves(traffic.Canary, c.canary, 1):
		return bare.At(0)
	case !c.free(f), astray(c, f):
		return held(want, f, max(min(want.Canary, has), least))
	case !follows(f), !f.serves(traffic.Canary, c.canary, n), f.revisions.of(c.canary).Available < n:
		return stillKept(want.At(max(min(want.Canary, has), least)), c, f)
	}
	return stick(want.At(max(want.Canary, least)), c, f)
}

// held keeps what the routes carry beside the shares while the release is held.
func held(want traffic.Split, f facts, weight int32) traffic.Split {
	if len(f.Traffic.Requested) == 1 {
		baseline := want.Baseline
		want = f.Traffic.Requested[0]
		want.Baseline = baseline
	}
	return want.At(weight)
}

// leastCanary is the least weight that the canary slot must keep because stable,
// shrunk to its share, could not carry more than the rest yet, or
// because no data plane knows any of its pods. A stable revision that is kept in
// full is not waited for beyond that. It never gives the canary more than it has.
func leastCanary(c cursor, f facts) int32 {
	if f.replicas == 0 || f.CanaryService.ready() == 0 {
		return 0
	}
	var has int32
	for _, s := range f.Traffic.Requested {
		has = max(has, s.Canary)
	}
	switch {
	case blind(f, traffic.Stable):
		return has
	case !f.shrinks():
		return 0
	}
	return min(has, 100-carriedBy(f, c.stable)-leastBaseline(c, f))
}

// carriedBy is the share that the pods of the stable revision can carry, in
// percent. EndpointSlices may still list pods that were told to end.
func carriedBy(f facts, stable string) int32 {
	r := f.revisions.of(stable)
	ready := min(f.noticed(traffic.Stable, stable), r.Ready, r.Replicas)
	return min(ready, f.replicas) * 100 / f.replicas
}

// shrinks: stable is kept at its share, or has not been known to be there in full
// since it was, as when scaleStable was Dynamic before an edit in mid-release.
func (f facts) shrinks() bool {
	if f.means != byRoute || f.strategy.dynamic {
		return f.means == byRoute
	}
	st := f.Rollout.Status
	return f.noticed(traffic.Stable, st.StableRevision) < f.replicas && slices.ContainsFunc(st.Revisions, func(r v1alpha1.RevisionStatus) bool {
		return r.Hash == st.StableRevision && r.Shrunk
	})
}

// torn: the routes disagree, and the canary or the baseline can't carry in all of
// them what it must keep in one while stable is short. They stay as they are
// until either can.
func torn(c cursor, f facts, least int32) bool {
	baseline := leastBaseline(c, f)
	return least > f.requestedCanary() && f.CanaryService.ready() < f.need(least) ||
		baseline > requestedBaseline(f) && f.BaselineService.ready() < f.need(baseline)
}

// desirePromotion moves the stable slot under the canary once nothing is left
// on it, and then the traffic back to the stable slot. Both slots stand for the
// same pods by then, so no pod is touched.
func desirePromotion(d *desired, c cursor, f facts) {
	moved := f.StableService.Selects == c.canary && f.CanaryService.Selects == c.canary
	if moved || carriesAll(c, f) || (f.replicas == 0 && f.revisions.of(c.canary).Name != "") {
		d.stableSelects = c.canary
	}
	switch {
	case moved && follows(f) && f.serves(traffic.Stable, c.canary, f.need(100)):
		d.split = stableOnly()
	case moved && f.Traffic.RequestedAll(stableOnly()):
		d.split = stableOnly()
	}
}

// carriesAll: all traffic is known to go to the canary, and to no canary before it.
func carriesAll(c cursor, f facts) bool {
	return f.CanaryService.Selects == c.canary && f.confirmed(traffic.CanaryAt(100)) && !astray(c, f)
}

// stranded: stable has no ready endpoint, and the canary has.
func stranded(f facts) bool {
	return f.StableService.ready() == 0 && f.CanaryService.ready() > 0 && f.replicas > 0
}

// serve moves traffic off a slot whose endpoints have vanished, to the slot
// that can serve. It changes nothing while both or neither can, nor where no
// pods are wanted: what is left then serves nobody. The baseline takes nothing
// over, and what it can't serve is stable's again.
func serve(want traffic.Split, f facts) traffic.Split {
	stable, canary := f.StableService.ready() > 0, f.CanaryService.ready() > 0
	want = orphaned(want, f)
	switch {
	case f.replicas == 0:
	case want.Stable > 0 && !stable && canary:
		return want.At(100)
	case want.Reaches(traffic.Canary) && !canary && stable:
		return traffic.Split{Baseline: want.Baseline}.At(0)
	}
	return want
}
