// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// watchSize notes whether stable has been shrunk to its share in the release under
// way. An edit of scaleStable does not make it whole at once. Nor does the end of the
// release: the next one begins with the same stable, unless every proxy has known it
// in full between the two, and after a pass had read the edit: until then it is sized by
// its share for all that the controller knows, however many pods that is.
func (c *court) watchSize() {
	ro := c.w.live.rollout
	switch {
	case ro == nil || ro.Status.StableRevision == "", meansOf(ro) != byRoute:
		c.shrunk, c.short = false, false // without routes stable is kept in full
	case dynamic(ro):
		c.shrunk = true
	case c.short && !c.byShare:
		c.short = !known(c.w, ro.Status.StableRevision, replicasOf(ro))
	}
	if ro != nil && ro.Status.CanaryRevision == "" {
		c.shrunk = c.short
	}
	watchFull(c, ro)
}

// watchFull notes how many pods stable has had. Only where it may be short does that matter.
func watchFull(c *court, ro *v1alpha1.Rollout) {
	if !c.short {
		c.full = 0
		return
	}
	stable, _ := c.w.live.set(ro.Status.StableRevision)
	if c.fullOf != stable.Hash {
		c.full, c.fullOf = 0, stable.Hash
	}
	c.full = min(c.full, stable.Replicas)
	if n := min(stable.Replicas, replicasOf(ro)); c.full < n && known(c.w, stable.Hash, n) {
		c.full = n
	}
}

// acts notes that stable may get short from now on: a pass that has signed its decision
// had read that stable's size follows its share. An edit that no such pass has read yet
// has shrunk nothing.
func acts(c *court, p *pass) {
	hears(c, p)
	if !c.byShare {
		return
	}
	if !c.short {
		c.shortAt = c.w.now
	}
	c.shrunk, c.short = true, true
}

// hears notes what a pass had read of stable's size. It counts once its status is stored,
// be that the last thing that its controller does.
func hears(c *court, p *pass) {
	c.byShare = dynamic(p.read.rollout) && p.read.rollout.Status.StableRevision != ""
	c.intact = !c.byShare && (c.intact || c.full >= p.read.replicas())
}

// leads notes that a new controller goes by what is stored. That may be older than what
// the one before knew: that stable is whole once more is not worth a write of its own.
func leads(c *court) {
	ro := c.w.live.rollout
	if ro == nil || meansOf(ro) != byRoute {
		return
	}
	told := slices.ContainsFunc(ro.Status.Revisions, func(r v1alpha1.RevisionStatus) bool {
		return r.Hash == ro.Status.StableRevision && r.Shrunk
	})
	c.intact = c.intact && !told
	if !told || c.short {
		return
	}
	c.shrunk, c.short, c.shortAt = true, true, c.w.now
}

// known reports whether every proxy knows so many pods of a revision behind the stable Service.
func known(w *World, hash string, n int32) bool {
	for i := range w.plane.proxies {
		var pods []*pod
		for _, p := range w.plane.proxies[i].known[stableService] {
			if p.hash == hash {
				pods = append(pods, p)
			}
		}
		if alive(w, pods) < n {
			return false
		}
	}
	return true
}

// shrinks reports whether stable may have fewer pods than carry everything because the
// planner made it so, as the user asks by scaleStable.
func (c *court) shrinks(ro *v1alpha1.Rollout) bool { return c.shrunk || dynamic(ro) }
