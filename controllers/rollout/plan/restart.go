// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// restart remembers which restart was asked for by command, and which is complete.
type restart struct{ asked, done *metav1.Time }

// wanted gives the time that a restart was asked for: every pod of stable that was
// created before it has to be replaced. False when no restart is to be done.
func (r restart) wanted(s *Snapshot) (time.Time, bool) {
	var at time.Time
	for _, asked := range []*metav1.Time{s.Rollout.Spec.RestartAt, r.asked} {
		if asked != nil && asked.After(at) && !asked.After(s.Now) {
			at = asked.Time
		}
	}
	return at, !at.IsZero() && (r.done == nil || at.After(r.done.Time))
}

// pending: a restart is asked for and not complete.
func (r restart) pending(f facts) bool {
	_, wanted := r.wanted(&f.Snapshot)
	return wanted && f.replicas > 0
}

// surges: stable has a pod more than usual for a restart. A pause keeps that pod but does
// not ask for it, and so does another restart commanded meanwhile, whose time, rounded
// up, lies a moment ahead.
func surges(c cursor, f facts) bool {
	if c.mode(f) != resting || f.replicas == 0 {
		return false
	}
	kept := f.revisions.of(c.stable).Replicas > f.replicas
	return c.restart.pending(f) && (c.free(f) || kept) || c.restart.commanded() && kept
}

// commanded: a command asks for a restart that is not complete, even if its time has not come.
func (r restart) commanded() bool {
	return r.asked != nil && (r.done == nil || r.asked.After(r.done.Time))
}

// outdated lists the pods that a restart still has to replace, oldest first.
func outdated(c cursor, f facts) []Pod {
	at, wanted := c.restart.wanted(&f.Snapshot)
	if !wanted {
		return nil
	}
	var old []Pod
	for _, p := range f.Pods {
		if p.Created.Before(at) {
			old = append(old, p)
		}
	}
	slices.SortFunc(old, func(a, b Pod) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
	return old
}

// restarted: every pod is younger than what was asked for.
func restarted(c cursor, f facts) bool {
	_, wanted := c.restart.wanted(&f.Snapshot)
	if !wanted {
		return false
	}
	r := f.revisions.of(c.stable)
	return f.replicas == 0 || len(f.Pods) > 0 && len(outdated(c, f)) == 0 && r.Available >= f.replicas
}

func noteRestart(c cursor, f facts) cursor {
	at, _ := c.restart.wanted(&f.Snapshot)
	done := metav1.NewTime(at)
	c.restart.done = &done
	return c
}

// replace evicts the oldest pod that a restart still has to replace. First the pod
// that took the place of the one before has to be available and noticed by the data
// plane, and no other pod may be on its way out: also none of those beyond the wanted
// number, since nobody knows which of them the ReplicaSet will choose. An eviction
// respects PodDisruptionBudgets; when it is refused it is tried again later.
func replace(c cursor, f facts) []Action {
	if c.mode(f) != resting || !c.free(f) {
		return nil
	}
	l, _ := f.listed.in(traffic.Stable)
	old, carrying, before := outdated(c, f), f.carrying(c.stable), l.evicted
	leaving := f.revisions.of(c.stable).Replicas > f.replicas+1 || slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.Terminating })
	switch {
	case len(old) == 0 || leaving:
		return nil
	case before == old[0].Name: // it is still there: nothing came of its eviction
		carrying = min(carrying+1, f.revisions.of(c.stable).Available)
	case before != "":
		return nil
	}
	if carrying <= f.replicas || elsewhere(c, f) {
		return nil
	}
	return []Action{EvictPod{why(fmt.Sprintf("created before the restart asked for; %d to go, %d of %d pods available", len(old), carrying, f.replicas)), old[0].Name}}
}

// elsewhere: callers may still come by another Service than stable's, whose endpoints
// nobody has counted. Routes that nobody accepts are taken to be served after
// convergence.timeout.
func elsewhere(c cursor, f facts) bool {
	if f.means != byRoute || onStable(c, f) {
		return false
	}
	return !f.Traffic.RequestedAll(stableOnly()) || f.Now.Before(f.shiftedAt.Add(f.strategy.timeout))
}

// nextEviction says what the next one waits for once all pods are available: a pod on
// its way out, or a Service that does not list them for long enough yet.
func nextEviction(c cursor, f facts) string {
	if f.revisions.of(c.stable).Available <= f.replicas {
		return ""
	}
	if elsewhere(c, f) {
		return "; waiting for all traffic to be with it: " + backText(c, f)
	}
	l, _ := f.listed.in(traffic.Stable)
	var leaving []string
	for _, p := range f.Pods {
		switch {
		case p.Terminating:
			leaving = append(leaving, p.Name)
		case p.Name == l.evicted:
			return "" // that is asked for right now
		}
	}
	service := f.StableService.Name
	if f.means == byReplicas {
		service = f.CallerService.Name
	}
	switch {
	case len(leaving) > 0:
		return fmt.Sprintf("; waiting for pod %s to end", slices.Min(leaving))
	case f.carrying(c.stable) <= f.replicas:
		return fmt.Sprintf("; waiting for Service %s to list them for %s", service, f.strategy.settle)
	}
	return ""
}

// withoutEvicted are the facts without the pod that this decision evicts: it no longer
// counts as noticed. That has to be said before it is gone, because the EndpointSlices
// may next list its successor in its place, and their number would not change.
func withoutEvicted(c cursor, f facts) facts {
	l, ok := f.listed.in(traffic.Stable)
	if !ok || l.revision != c.stable {
		return f
	}
	for _, a := range replace(c, f) {
		if e, evicts := a.(EvictPod); evicts {
			f.listed[slices.Index(slots, traffic.Stable)] = l.without(e.Name, f)
		}
	}
	return f
}
