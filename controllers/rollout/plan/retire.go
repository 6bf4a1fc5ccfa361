// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
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
		if hash == c.stable || inFlight || r.Replicas == 0 || mayBeReached(hash, f) {
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

// mayBeReached reports whether a Service leads to a revision, or will as soon as one of
// its pods is ready.
func mayBeReached(hash string, f facts) bool {
	return f.exposed(hash) || f.StableService.wide() || f.CanaryService.wide()
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

// oldRuns deletes finished AnalysisRuns beyond revisionHistoryLimit, those that ended first.
func oldRuns(current string, f facts) []Action {
	var over []v1alpha1.AnalysisRun
	for _, run := range f.Runs {
		if run.Name != current && run.Status.CompletedAt != nil {
			over = append(over, run)
		}
	}
	slices.SortFunc(over, func(a, b v1alpha1.AnalysisRun) int {
		return cmp.Or(a.Status.CompletedAt.Compare(b.Status.CompletedAt.Time), cmp.Compare(a.Name, b.Name))
	})
	var actions []Action
	for i := 0; i < len(over)-historyLimit(f); i++ {
		actions = append(actions, DeleteRun{why(fmt.Sprintf("more than revisionHistoryLimit (%d) AnalysisRuns that are over", historyLimit(f))), over[i].Name})
	}
	return actions
}

// forget deletes the oldest revisions without pods beyond the history limit.
func forget(c cursor, f facts) []Action {
	limit := historyLimit(f)
	var empty []Revision
	for _, r := range f.Revisions {
		if r.Hash != c.stable && r.Hash != c.canary && r.Hash != f.Target && r.Hash != f.written && r.Replicas == 0 && r.Current == 0 && !f.exposed(r.Hash) {
			empty = append(empty, r)
		}
	}
	var actions []Action
	gone := map[string]bool{}
	for i := 0; i < len(empty)-limit; i++ {
		actions = append(actions, DeleteRevision{
			why(fmt.Sprintf("more than revisionHistoryLimit (%d) revisions without pods", limit)), empty[i].Name, unused(f, empty[i], gone),
		})
		gone[empty[i].Hash] = true
	}
	return actions
}

// historyLimit is how much of the past is kept.
func historyLimit(f facts) int {
	if l := f.Rollout.Spec.RevisionHistoryLimit; l != nil {
		return int(*l)
	}
	return defaultHistoryLimit
}
