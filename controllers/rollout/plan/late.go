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

// LateWorkload reports whether the referenced workload's pods are what is waited for,
// because it is still about its own rollout or has to take over again, and in how long
// to look what keeps them; 0 means now.
func LateWorkload(s Snapshot) (late bool, in time.Duration) {
	w, st, since := s.Workload, s.Rollout.Status, s.Rollout.DeletionTimestamp
	switch {
	case w == nil:
		return false, 0
	case since != nil:
		late = w.Before != nil && w.Available < w.Replicas
	case st.StableRevision == "" && st.CanaryRevision != "":
		late, since = w.Current > w.Replicas, st.StartedAt
	}
	if !late || since == nil {
		return false, 0
	}
	return true, max(0, since.Add(lateAfter).Sub(s.Now))
}

// LateWake is when to look again at the latest while pods are late; 0 while none are.
func LateWake(s Snapshot) time.Duration {
	hash, in := LatePods(s)
	ofWorkload, inWorkload := LateWorkload(s)
	switch {
	case hash == "" && !ofWorkload:
		return 0
	case hash == "", ofWorkload && inWorkload < in:
		in = inWorkload
	}
	if in == 0 {
		return lateAgain
	}
	return in
}
