// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"
)

const (
	// lateAfter is how long pods may take before somebody asks what keeps them.
	lateAfter = 10 * time.Second
	// lateAgain is how often that is asked again.
	lateAgain = 30 * time.Second
)

// LatePods names the revision whose pods a release has waited for so long that
// people want to know why, and says when to look next: at once when it is time.
// It names none while nothing is late or may become so.
func LatePods(s Snapshot) (hash string, in time.Duration) {
	st := s.Rollout.Status
	if st.CanaryRevision == "" {
		return "", 0
	}
	since := st.StartedAt
	if st.CurrentStep != nil {
		since = st.CurrentStep.WaitingSince
	}
	short := slices.ContainsFunc(s.Revisions, func(r Revision) bool { return r.Hash == st.CanaryRevision && r.Available < r.Replicas })
	if since == nil || !short {
		return "", 0
	}
	return st.CanaryRevision, max(0, since.Add(lateAfter).Sub(s.Now))
}

// LateWake is when to look again at the latest while pods are late; 0 while none are.
func LateWake(s Snapshot) time.Duration {
	hash, in := LatePods(s)
	switch {
	case hash == "":
		return 0
	case in == 0:
		return lateAgain
	}
	return in
}
