// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// MissingCopy is a copy of tracked configuration that a revision in use refers to,
// and that somebody has deleted. Pods that run have read it; those that start can't.
type MissingCopy struct {
	// Copy is what is missing.
	Copy ConfigRef
	// From is what it was copied from; empty when nobody knows.
	From ConfigRef
	// Lost says why From does not tell its content; empty when it does, so that it can be made again.
	Lost string
}

// CopyConfig makes a copy of tracked configuration again.
type CopyConfig struct {
	why
	// Copy to make, of what still has its content.
	Copy ConfigCopy
}

// String implements Action.
func (a CopyConfig) String() string {
	return fmt.Sprintf("copy %s to %s", a.Copy.From, a.Copy.Name)
}

// ConfigInUse lists the copies of configuration that pods may have to read at any time.
func ConfigInUse(s Snapshot) []ConfigRef {
	var all []ConfigRef
	for _, r := range s.Revisions {
		if len(r.Config) > 0 && inUse(s, r) {
			all = append(all, r.Config...)
		}
	}
	slices.SortFunc(all, func(a, b ConfigRef) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// inUse: the revision has pods, be it for a way back, or a role, or is wanted. What a
// revision of the past needs is asked when somebody wants it again.
func inUse(s Snapshot, r Revision) bool {
	st := s.Rollout.Status
	return r.Replicas > 0 || r.Current > 0 || r.Hash == st.StableRevision || r.Hash == st.CanaryRevision || r.Hash == s.Target
}

// copyAgain makes the copies that are missing and whose content is known. Whatever
// holds or takes back a release is no reason against it: it changes nothing for pods
// that run, and lets others start.
func copyAgain(f facts) []Action {
	var actions []Action
	for _, m := range f.Missing {
		if m.Lost == "" {
			actions = append(actions, CopyConfig{why("somebody deleted it, and pods of " + readers(f, m.Copy) + " that start read it"), ConfigCopy{m.From, m.Copy.Name}})
		}
	}
	return actions
}

// readers names the revisions in use that refer to a copy.
func readers(f facts, of ConfigRef) string {
	var all []string
	for _, r := range f.Revisions {
		if inUse(f.Snapshot, r) && slices.Contains(r.Config, of) {
			all = append(all, r.Hash)
		}
	}
	return strings.Join(all, " and ")
}

// copiesLost are the missing copies that can't be made again.
func copiesLost(f facts) []MissingCopy {
	return slices.DeleteFunc(slices.Clone(f.Missing), func(m MissingCopy) bool { return m.Lost == "" })
}

// configurationKept is a warning: pods of a revision in use can't start. It holds
// nothing, since a release or an abort may well be the way out.
func configurationKept(_ cursor, f facts, _ hold) (metav1.Condition, bool) {
	var texts []string
	for _, m := range copiesLost(f) {
		texts = append(texts, lostText(f, m))
	}
	return condition(v1alpha1.ConditionConfigurationKept, false, v1alpha1.ReasonCopyLost, strings.Join(texts, "; ")), len(texts) > 0
}

// lostText names a copy that can't be made again, whom that concerns, and the remedy.
func lostText(f facts, m MissingCopy) string {
	back := ""
	if m.From.Name != "" {
		back = fmt.Sprintf(", or put that back into %s", m.From)
	}
	return fmt.Sprintf("%s, the copy of its configuration that revision %s refers to, was deleted and can't be made again, as %s: pods of it that start can't come up; create it with its former content%s, or have another revision take its place",
		m.Copy, readers(f, m.Copy), m.Lost, back)
}

// lostBrief points at that condition from wherever a release is.
func lostBrief(f facts) string {
	all := copiesLost(f)
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of revision %s was deleted, see condition %s", all[0].Copy, readers(f, all[0].Copy), v1alpha1.ConditionConfigurationKept)
}
