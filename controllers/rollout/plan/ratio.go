// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Without routes pods are the split: the Service that callers use, if there is one,
// selects the pods of all revisions, so that a revision gets as large a share of the
// requests as it has of the pods. A rolling update is the same with the weight 100.

// mix is how many pods each of two revisions has.
type mix struct{ stable, canary int32 }

// mixFor gives the numbers of pods that come closest to a weight: at least
// spec.replicas together and at most maxSurge more, with a pod of each revision
// unless the weight is 0 or 100. Of equally close ones it takes the fewest pods.
func mixFor(f facts, weight int32) mix {
	switch {
	case weight <= 0:
		return mix{stable: f.replicas}
	case weight >= 100 || f.replicas == 0:
		return mix{canary: f.replicas}
	}
	surge, _ := bounds(f)
	best, bestError := mix{}, int64(-1)
	for total := f.replicas; total <= f.replicas+surge; total++ {
		if total < 2 {
			continue
		}
		canary := min(max((total*weight+50)/100, 1), total-1)
		// The distance from the wanted share, times total and 100, compared across totals.
		off := int64(canary)*100 - int64(total)*int64(weight)
		if off < 0 {
			off = -off
		}
		if bestError < 0 || off*int64(best.stable+best.canary) < bestError*int64(total) {
			best, bestError = mix{stable: total - canary, canary: canary}, off
		}
	}
	if bestError < 0 { // a single pod and no surge: one revision or the other
		return mix{stable: f.replicas}
	}
	return best
}

// bounds are the pods allowed beyond spec.replicas and below it. Both zero would
// forbid any replacement, so that one more is allowed then.
func bounds(f facts) (surge, unavailable int32) {
	surge = podCount(f.strategy.surge, f.replicas, true)
	unavailable = min(podCount(f.strategy.unavailable, f.replicas, false), f.replicas)
	if surge == 0 && unavailable == 0 {
		surge = 1
	}
	return surge, unavailable
}

// wantedMix is the mix that the cursor asks for. Any other revision should have no pods.
func wantedMix(c cursor, f facts) mix {
	switch c.mode(f) {
	case forward:
		return mixFor(f, c.asks(f).weight)
	case initial:
		return mix{canary: f.replicas}
	case resting:
		return mix{stable: stableSize(c, f).n}
	case returning, rebinding:
	}
	return mix{stable: f.replicas}
}

// of gives the number of pods of a revision in a mix.
func (m mix) of(c cursor, hash string) int32 {
	switch hash {
	case c.stable:
		return m.stable
	case c.canary:
		return m.canary
	}
	return 0
}

// desireRatio moves the numbers of pods towards the wanted mix, as far as maxSurge and
// maxUnavailable allow. The pods that exist bound what may grow, the pods that are
// available bound what may shrink; so either is safe without the other.
func desireRatio(d *desired, c cursor, f facts) {
	want := wantedMix(c, f)
	surge, _ := bounds(f)
	room := max(f.replicas, want.stable+want.canary) + surge
	if !c.free(f) && c.mode(f) == forward {
		want = frozenMix(c, f, want)
	}
	d.createMissing(c, f)
	growRatio(d, c, f, want, room)
	shrinkRatio(d, c, f, want)
}

// frozenMix is the mix while the release is held: neither revision gets smaller. Pods of
// any other one, which may have been aborted, leave all the same, and stable takes their
// place, since the canary does not grow.
func frozenMix(c cursor, f facts, want mix) mix {
	stable, canary := f.revisions.of(c.stable).Replicas, f.revisions.of(c.canary).Replicas
	if retires(c, f) {
		want.stable = max(want.stable, f.replicas-min(canary, f.carrying(c.canary)))
	}
	return mix{max(want.stable, stable), canary}
}

// retires reports whether a revision without a role has pods.
func retires(c cursor, f facts) bool {
	return slices.ContainsFunc(f.revisions, func(r Revision) bool {
		return r.Hash != c.stable && r.Hash != c.canary && max(r.Replicas, r.Current) > 0
	})
}

// growRatio adds pods of a mix, as many as there may be in all with maxSurge, first to the
// revision that traffic moves to.
func growRatio(d *desired, c cursor, f facts, want mix, room int32) {
	surge, _ := bounds(f)
	for _, r := range f.revisions {
		room -= max(r.Replicas, r.Current)
	}
	for _, hash := range growing(c, f, d.created) {
		r := f.revisions.of(hash)
		grow := min(want.of(c, hash)-r.Replicas, room)
		if grow <= 0 {
			continue
		}
		room -= grow
		d.replicas[hash] = sized{r.Replicas + grow, fmt.Sprintf("%d of the %d pods wanted of it, within maxSurge %d", r.Replicas+grow, want.of(c, hash), surge)}
	}
}

// growing lists the revisions that may get more pods, the one that traffic moves
// to first: those that have a ReplicaSet or are about to get one. While the
// release is held its canary does not grow.
func growing(c cursor, f facts, created string) []string {
	moving := c.mode(f) == forward
	order := []string{c.canary, c.stable}
	if !moving && c.stable != "" {
		order = []string{c.stable}
	}
	return slices.DeleteFunc(order, func(hash string) bool {
		_, exists := f.revisions.find(hash)
		heldBack := moving && hash == c.canary && !c.free(f)
		return hash == "" || heldBack || !exists && hash != created
	})
}

// shrinkRatio removes pods beyond the wanted mix, but leaves spec.replicas less
// maxUnavailable available. Pods that are not ready go first. They go only as long as
// the available pods, together with the other unready ones that may become ready
// again, are enough: a revision whose pods have failed for a moment must not be given
// up for one whose pods have never been ready.
func shrinkRatio(d *desired, c cursor, f facts, want mix) {
	_, unavailable := bounds(f)
	spare := unavailable - f.replicas
	for _, r := range f.revisions {
		spare += f.carrying(r.Hash)
	}
	hopeful := spare // counting pods that may become ready again; those of a revision that still grows never were
	for _, r := range f.revisions {
		if r.Hash != c.canary || c.mode(f) != forward || r.Replicas > want.canary {
			hopeful += r.idle()
		}
	}
	for _, r := range retiredFirst(c, f) {
		excess := r.Replicas - want.of(c, r.Hash)
		if excess <= 0 {
			continue
		}
		idle := min(excess, r.idle(), max(0, hopeful))
		drop := min(excess-idle, max(0, spare))
		spare -= drop
		hopeful -= idle + drop
		if n := r.Replicas - idle - drop; n < r.Replicas {
			d.replicas[r.Hash] = sized{n, fmt.Sprintf("%d of %d pods wanted of it; at least %d stay available", n, want.of(c, r.Hash), f.replicas-unavailable)}
		}
	}
}

// idle counts the pods that answer nobody yet, or no longer.
func (r Revision) idle() int32 { return max(0, r.Replicas-max(r.Ready, r.Available)) }

// retiredFirst lists the revisions without a role before those with one, oldest first.
func retiredFirst(c cursor, f facts) []Revision {
	var retired, others []Revision
	for _, r := range f.Revisions {
		if r.Hash == c.stable || r.Hash == c.canary {
			others = append(others, r)
			continue
		}
		retired = append(retired, r)
	}
	return append(retired, others...)
}

// podsMissing says what a release by pods still waits for.
func podsMissing(c cursor, f facts) (hold, bool) {
	want, r := wantedMix(c, f), f.revisions.of(c.canary)
	if h, adopts := adopting(c, f, want.canary); adopts {
		return h, true
	}
	if f.carrying(c.canary) < want.canary || r.Name == "" {
		return waits(v1alpha1.ReasonWaitingForPods, "waiting for pods: %s%s", pods(r, want.canary), unreached(f, r, want.canary)), true
	}
	for _, old := range f.Revisions {
		if n := want.of(c, old.Hash); old.Hash != c.canary && (old.Replicas > n || old.Current > n) {
			return waits(v1alpha1.ReasonWaitingForPods, "waiting for pods of %s to leave: %d of %d are left", old.Hash, max(old.Replicas, old.Current), n), true
		}
	}
	return hold{}, false
}

// unreached says that callers do not reach pods yet that are available.
func unreached(f facts, r Revision, n int32) string {
	if has := f.carrying(r.Hash); r.Available >= n && has < n {
		return fmt.Sprintf("; waiting for Service %s to list %s of %s, has %d", f.CallerService.Name, count(n, endpoint), r.Hash, has)
	}
	return ""
}

// homecoming says how far the way back to stable is where pods are the split.
func homecoming(c cursor, f facts) string {
	if r := f.revisions.of(c.stable); f.carrying(c.stable) < f.replicas {
		return "waiting for its pods: " + pods(r, f.replicas) + unreached(f, r, f.replicas)
	}
	for _, r := range f.revisions {
		if n := max(r.Replicas, r.Current); r.Hash != c.stable && n > 0 {
			return fmt.Sprintf("waiting for pods of %s to leave: %d are left", r.Hash, n)
		}
	}
	return "its pods are all there"
}

// hasAllPods: a revision has all the pods that are wanted, and no other has any.
func hasAllPods(hash string, f facts) bool {
	for _, r := range f.revisions {
		if r.Hash != hash && (r.Replicas > 0 || r.Current > 0) {
			return false
		}
	}
	return f.carrying(hash) >= f.replicas
}
