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
func (d *desired) keepUnnoticed(f facts) {
	for hash, want := range d.replicas {
		r, ok := findAny(f, hash)
		if !ok || want.n == 0 || want.n >= r.Replicas {
			continue
		}
		if s, waits := listing(f, r); waits {
			d.replicas[hash] = sized{r.Replicas, fmt.Sprintf("kept until Service %s lists all of them for %s", s.Name, f.strategy.settle)}
		}
	}
}

// listing gives a Service that leads to a revision and whose endpoints are not all
// noticed: it does not list all that are ready, or some may get ready at any moment. The
// latter is waited for no longer than convergence.timeout after the last of them came or
// more were asked for, since pods that never get ready are never listed. A Service that
// gets nothing yet counts too: it may be given its share in this very pass.
func listing(f facts, r Revision) (Service, bool) {
	for _, slot := range slots {
		s := f.slot(slot)
		l, counted := f.listed.in(slot)
		switch {
		case counted && l.revision == r.Hash:
			if l.ready+l.ending < r.Ready || f.Now.Before(listedUntil(l, f, r)) && l.noticed(f) < r.Replicas {
				return s, true
			}
		case s.Selects == r.Hash && s.follows(f), s.wide() && s.Ready[r.Hash] > 0:
			return s, true // nobody knows since when it lists what it does
		}
	}
	return Service{}, false
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
// are still to follow. A stranger's pod that carries our labels stays for ever.
func (s Service) follows(f facts) bool {
	for hash, n := range s.Ready {
		if ours := hash != "" || f.Workload != nil; ours && hash != s.Selects && n > 0 {
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
	if s, waits := listing(f, r); waits {
		return fmt.Sprintf("; %s more until Service %s lists all of them for %s", count(more, "pod"), s.Name, f.strategy.settle)
	}
	return ""
}
