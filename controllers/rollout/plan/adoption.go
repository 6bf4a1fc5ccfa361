// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// adopting says how far the first revision, of which n pods are wanted, has taken the
// referenced workload's place, and what keeps it: its own pods, or the workload, which
// makes room only by having fewer.
func adopting(c cursor, f facts, n int32) (hold, bool) {
	w, r := f.Workload, f.revisions.of(c.canary)
	if w == nil || c.mode(f) != initial || r.Replicas >= n {
		return hold{}, false
	}
	if crowded(*w, r, f.replicas) {
		return waits(v1alpha1.ReasonWaitingForPods, "waiting for Deployment %s's own rollout, which leaves no room for ours (%s, wants %d): %s",
			w.Name, count(w.Current, "pod"), w.Replicas, unrolled(*w)), true
	}
	text := fmt.Sprintf("taking over from Deployment %s: %d of %d pods are ours and available", w.Name, r.Available, n)
	if r.Available < r.Replicas && r.Trouble != "" {
		text += "; " + r.Trouble
	}
	return waits(v1alpha1.ReasonWaitingForPods, "%s", text), true
}

// crowded: all our pods are there, and no more may come, because the workload has more
// than it wants for a rollout of its own. One that was told to shrink a moment ago is
// not meant.
func crowded(w Workload, ours Revision, replicas int32) bool {
	return ours.Available >= ours.Replicas && w.Current > w.Replicas && (w.Current > replicas || w.Trouble != "")
}

// unrolled says what a workload's own rollout is stuck on, and what a person can do.
func unrolled(w Workload) string {
	switch {
	case w.Paused:
		return w.Trouble + "; resume it"
	case w.Trouble != "":
		return w.Trouble + "; mend its pod template, make room for its pods, or undo it"
	}
	return "that comes first"
}
