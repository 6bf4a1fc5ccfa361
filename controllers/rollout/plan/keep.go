// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// keepUnnoticed takes no pod of a revision that carries traffic while its Service lists
// some that proxies may not know yet. Which pods end is the ReplicaSet controller's
// choice: those that are not ready first, and then any, be they all that proxies know.
// It waits for convergence.timeout at most: pods that crash by turns, or that no Service
// will ever list, are not worth more, see [keptSince].
func (d *desired) keepUnnoticed(f facts) {
	for hash, want := range d.replicas {
		r, ok := findAny(f, hash)
		if !ok || want.n == 0 || want.n >= r.Replicas {
			continue
		}
		s, waits := listing(f, r)
		if !waits {
			continue
		}
		if d.kept == nil {
			d.kept = map[string]time.Time{}
		}
		d.kept[hash] = keptSince(f, hash)
		if f.Now.Before(d.kept[hash].Add(f.strategy.timeout)) {
			d.replicas[hash] = sized{r.Replicas, fmt.Sprintf("kept until Service %s lists all of them for %s, or convergence.timeout", s.Name, f.strategy.settle)}
		}
	}
}

// keptSince is since when a revision has been larger than wanted for the sake of pods
// that are not noticed.
func keptSince(f facts, hash string) time.Time {
	for _, old := range f.Rollout.Status.Revisions {
		if old.Hash == hash && old.KeptSince != nil {
			return soFar(old.KeptSince.Time, f.Now)
		}
	}
	return stamp(f.Now)
}

// listing gives a Service that leads to a revision and whose endpoints are not all
// noticed: it does not list all that are ready, or some may get ready at any moment. The
// latter is waited for no longer than convergence.timeout after the last of them came or
// more were asked for, since pods that never get ready are never listed. A Service that
// gets nothing yet counts too: it may be given its share in this very pass, or later,
// when a pod that has ended meanwhile is listed.
func listing(f facts, r Revision) (Service, bool) {
	for _, slot := range slots {
		s := f.slot(slot)
		l, counted := f.listed.in(slot)
		switch {
		case counted && l.revision == r.Hash:
		case s.wide() && s.Ready[r.Hash] > 0, s.Selects == r.Hash && s.follows():
			return s, true // nobody knows since when it lists what it does
		case s.Selects == r.Hash:
			l = listed{} // it lists nothing
		default:
			continue
		}
		if l.ready+l.ending < r.Ready || f.Now.Before(listedUntil(l, f, r)) && l.noticed(f) < r.Replicas {
			return s, true
		}
	}
	return Service{}, false
}

// wakeForKept looks again when a revision is kept in its size no longer.
func wakeForKept(f facts, d desired, consider func(time.Time)) {
	for hash, since := range d.kept {
		consider(since.Add(f.strategy.timeout))
		r, _ := findAny(f, hash)
		for _, l := range f.listed {
			if l.revision == hash || l.revision == "" {
				consider(listedUntil(l, f, r))
			}
		}
	}
}

// listedUntil is when pods that are still not listed are taken never to get ready.
func listedUntil(l listed, f facts, r Revision) time.Time {
	last := l.since
	if at := grownAt(f, r); at != nil && at.After(last) {
		last = soFar(at.Time, f.Now)
	}
	return last.Add(f.strategy.timeout)
}

// grownAt is when the replicas of a revision were last seen to have risen; nil when nobody knows.
func grownAt(f facts, r Revision) *metav1.Time {
	for _, old := range f.Rollout.Status.Revisions {
		if old.Hash == r.Hash && r.Replicas <= old.Replicas {
			return old.GrownAt
		}
	}
	at := stamped(f.Now)
	return &at
}

// follows: the Service lists pods of others than it selects, because its EndpointSlices
// are still to follow, or because a stranger's pods carry our labels.
func (s Service) follows() bool {
	for hash, n := range s.Ready {
		if hash != s.Selects && n > 0 {
			return true
		}
	}
	return false
}

// keptText says what the pods wait for that stable has beyond those wanted.
func keptText(c cursor, f facts) string {
	r := f.revisions.of(c.stable)
	more := r.Replicas - stableSize(c, f).n
	if more <= 0 || f.means == byReplicas {
		return ""
	}
	if l, _ := f.listed.in(traffic.Stable); evicting(c, f) {
		return fmt.Sprintf("; %s more until %s, whose eviction was asked for, has ended", count(more, "pod"), l.evicted)
	}
	if s, waits := listing(f, r); waits && f.Now.Before(keptSince(f, r.Hash).Add(f.strategy.timeout)) {
		return fmt.Sprintf("; %s more until Service %s lists all of them for %s, or convergence.timeout", count(more, "pod"), s.Name, f.strategy.settle)
	}
	return ""
}
