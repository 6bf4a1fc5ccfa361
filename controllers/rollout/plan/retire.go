// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"
)

// retire sets a time for each revision that has no role and that nothing leads to,
// and takes its pods when that time has come.
func (d *desired) retire(c cursor, f facts) {
	before := map[string]time.Time{}
	for _, r := range f.Rollout.Status.Revisions {
		if r.ScaleDownAt != nil {
			before[r.Hash] = r.ScaleDownAt.Time
		}
	}
	for _, r := range f.revisions {
		hash := r.Hash
		inFlight := hash == c.canary && c.mode(f) == forward
		if hash == c.stable || inFlight || r.Replicas == 0 || f.exposed(hash) {
			continue
		}
		at, known := before[hash]
		if !known {
			delay, leaves := retirementDelay(c, f, hash)
			if !leaves {
				d.replicas[hash] = sized{r.Replicas, "kept, as abortScaleDownDelaySeconds is null"}
				continue
			}
			at = stamp(f.Now).Add(delay)
		}
		d.retired[hash] = at
		d.replicas[hash] = sized{r.Replicas, "kept for a way back"}
		if !f.Now.Before(at) {
			d.replicas[hash] = sized{0, "its traffic has left and its delay is over"}
		}
	}
}

// retirementDelay is how long a revision keeps its pods once its traffic has left:
// convergence.settle at least. Those of an aborted revision stay until another one is
// wanted (leaves is false) when abortScaleDownDelaySeconds is null.
func retirementDelay(c cursor, f facts, hash string) (delay time.Duration, leaves bool) {
	delay = f.strategy.scaleDownDelay
	if hash == c.canary {
		if f.strategy.abortDelay == nil && !f.rebinding {
			return 0, false
		}
		if f.strategy.abortDelay != nil {
			delay = *f.strategy.abortDelay
		}
	}
	return max(delay, f.strategy.settle), true
}
