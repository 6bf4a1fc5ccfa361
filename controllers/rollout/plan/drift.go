// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Drift is what somebody else has changed of what we steer. It is put right like
// anything else that is not as desired. Here is only how it is told apart, for the
// event and the metric that report it.

// serviceDrifted reports whether a Service stood for the wanted revision when the
// status was last written, and stands for none of ours now: somebody else did that.
func serviceDrifted(f facts, s Service, want string) bool {
	old := f.Rollout.Status.Traffic
	if _, ours := f.revisions.find(s.Selects); old == nil || ours {
		return false
	}
	return slices.ContainsFunc(old.Requested, func(w v1alpha1.RevisionWeight) bool { return w.Service == s.Name && w.Revision == want })
}

// scaledByOthers reports whether somebody else has scaled a revision: it had the
// wanted number of pods when the status was last written, and the spec has not
// changed since.
func scaledByOthers(c cursor, f facts, r Revision, want int32) bool {
	old := f.Rollout.Status
	m, named := c.mode(f), r.Hash == c.stable || r.Hash == c.canary
	return named && (m == resting || m == forward) && old.ObservedGeneration == f.Rollout.Generation &&
		slices.ContainsFunc(old.Revisions, func(s v1alpha1.RevisionStatus) bool { return s.Hash == r.Hash && s.Replicas == want })
}

// routesDrifted reports whether the routes carried the wanted split when the status
// was last written, so that somebody else has changed them since.
func routesDrifted(f facts, want traffic.Split) bool {
	old := f.Rollout.Status.Traffic
	return old != nil && old.Since != nil && !old.Differ &&
		slices.Equal(old.Requested, f.weights([]traffic.Split{want})) && old.Beside == beside([]traffic.Split{want})
}

// unseen reports whether callers get the same before and after a split is written.
func unseen(f facts, want traffic.Split) bool {
	oneRevision := f.StableService.Selects == f.CanaryService.Selects && want.Plain() && beside(f.Traffic.Requested) == ""
	return oneRevision || f.Traffic.RequestedAll(want)
}
