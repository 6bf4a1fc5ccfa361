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
	d.split = rescue(d.split, f)
}

// affordable is the split that may be written now: what the steps ask for, as far
// as the pods of all slots can carry it. Unknown means: leave the routes alone.
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

// leastCanary is the weight that the canary slot has to keep for now, because stable
// could not carry more than the rest. That is so while the data plane knows none of
// stable's pods, and while a stable that was shrunk to its share grows back. A stable
// that is kept in full is waited for only in the first case. The result is never more
// than what the canary has.
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
	case !f.stableShort():
		return 0
	}
	return min(has, 100-carriedBy(f, c.stable)-leastBaseline(c, f))
}

// carriedBy is the share that the pods of the stable revision can carry, in
// percent. EndpointSlices may still list pods that were told to end.
func carriedBy(f facts, stable string) int32 {
	r := f.revisions.of(stable)
	return min(knownReady(f, stable), r.Replicas, f.replicas) * 100 / f.replicas
}

// knownReady counts the pods of a revision behind the stable Service that proxies know and
// that are ready. EndpointSlices that are late list pods that are not.
func knownReady(f facts, revision string) int32 {
	return min(f.noticed(traffic.Stable, revision), f.revisions.of(revision).Ready)
}

// stableShort reports whether stable may have fewer pods than carry all traffic, by
// our own doing: scaleStable is Dynamic, or it was until an edit in mid-release, and
// stable has not been noticed in full since.
func (f facts) stableShort() bool {
	if f.means != byRoute || f.strategy.dynamic {
		return f.means == byRoute
	}
	st := f.Rollout.Status
	return knownReady(f, st.StableRevision) < f.replicas && slices.ContainsFunc(st.Revisions, func(r v1alpha1.RevisionStatus) bool {
		return r.Hash == st.StableRevision && r.Shrunk
	})
}

// torn: the routes disagree, as after somebody's edit, and no split is safe for all of
// them. What the canary or the baseline has to keep in one route, because stable is
// short, is more than it could carry in all. The routes stay as they are until one
// side has grown. Where stable has no endpoint at all, requests are lost that even too
// few pods of the canary would answer.
func torn(c cursor, f facts, least int32) bool {
	baseline := leastBaseline(c, f)
	if stranded(f) {
		return false
	}
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

// carriesAll: all traffic is known to go to this canary, and not to an earlier one
// that its Service still stands for.
func carriesAll(c cursor, f facts) bool {
	return f.CanaryService.Selects == c.canary && f.confirmed(traffic.CanaryAt(100)) && !astray(c, f)
}

// stranded: stable has no ready endpoint, and the canary has.
func stranded(f facts) bool {
	return f.StableService.ready() == 0 && f.CanaryService.ready() > 0 && f.replicas > 0
}

// rescue moves traffic off a slot whose endpoints have vanished, to the other slot.
// It changes nothing while both or neither can serve, nor where no pods are wanted.
// The baseline takes over from nobody, and the share that it can't serve goes to stable.
func rescue(want traffic.Split, f facts) traffic.Split {
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
