// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"
)

const (
	// lateAfter is how long pods may take before the controller looks what keeps them.
	lateAfter = 10 * time.Second
	// lateAgain is how often that is asked again.
	lateAgain = 30 * time.Second
)

// LatePods names the revision in flight while its release waits for pods, and says in
// how long to look what keeps them; 0 means now. It names none at any other time.
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
