// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// lateAfter is how long pods may take before the controller looks what keeps them.
	lateAfter = 10 * time.Second
	// lateAgain is how often that is asked again.
	lateAgain = 30 * time.Second
)

// LatePods names the revision whose pods are waited for, and says in how long to look
// what keeps them; 0 means now. It names none while nobody waits for pods.
func LatePods(s Snapshot) (hash string, in time.Duration) {
	hash, since := awaitedPods(s)
	short := slices.ContainsFunc(s.Revisions, func(r Revision) bool { return r.Hash == hash && r.Available < r.Replicas })
	if hash == "" || since == nil || !short {
		return "", 0
	}
	return hash, max(0, since.Add(lateAfter).Sub(s.Now))
}

// awaitedPods gives the revision on whose pods a Rollout hangs, and since when something
// is waited for: the one in flight; or stable, on the way back to it, while its pods
// are replaced, and whenever else it is not ready at rest.
func awaitedPods(s Snapshot) (hash string, since *metav1.Time) {
	st := s.Rollout.Status
	switch {
	case st.Abort != nil:
		return st.StableRevision, &st.Abort.At
	case st.CanaryRevision == "":
		if c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionReady); c != nil && c.Status != metav1.ConditionTrue {
			since = &c.LastTransitionTime
		}
		return st.StableRevision, since
	case st.CurrentStep != nil && (st.CurrentStep.WaitingSince != nil || slices.ContainsFunc(st.Revisions, isKept)):
		// One pod more begins the deadline anew, and so do others that are kept. These are late all the same.
		return st.CanaryRevision, &st.CurrentStep.Since
	case st.CurrentStep != nil:
		return st.CanaryRevision, nil
	}
	return st.CanaryRevision, st.StartedAt
}

func isKept(r v1alpha1.RevisionStatus) bool { return r.KeptSince != nil }

// LatePod reports whether a pod of such a revision, created then, is late itself. Pods of
// stable are replaced one after another, so that each of them has its moment.
func LatePod(s Snapshot, hash string, created time.Time) bool {
	return hash != s.Rollout.Status.StableRevision || !s.Now.Before(created.Add(lateAfter))
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
	case in == 0 && hash == s.Rollout.Status.StableRevision && revisions(s.Revisions).of(hash).Trouble == "":
		return lateAfter // a pod that is not late yet may be so by then
	}
	if in == 0 {
		return lateAgain
	}
	return in
}
