// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// surplus is why a revision is larger than wanted, and since when.
type surplus struct {
	since time.Time
	until string
}

// keepUnnoticed takes no pod of a revision, unless it takes all of them, before proxies
// know each. Which pods end is the ReplicaSet controller's choice: those that are not
// ready first, and then any, be they all that proxies know. See [keepFor] for how long.
func (d *desired) keepUnnoticed(f facts) {
	for hash, want := range d.replicas {
		r, ok := findAny(f, hash)
		if !ok || want.n == 0 || want.n >= r.Replicas {
			continue
		}
		until, waits := d.unnoticed(f, r)
		if !waits {
			continue
		}
		if d.kept == nil {
			d.kept = map[string]surplus{}
		}
		since := keptSince(f, hash)
		d.kept[hash] = surplus{since, until + ", at the latest at " + clockTime(since, since.Add(keepFor(f)))}
		if f.Now.Before(since.Add(keepFor(f))) {
			d.replicas[hash] = sized{r.Replicas, "kept until " + d.kept[hash].until}
		}
	}
}

// keepFor is how long that may take: pods get ready within progressDeadlineSeconds, or
// never, and EndpointSlices and proxies hear of it within convergence.timeout. Pods that
// fail by turns, or that no Service will ever list, are not worth more, nor is a deadline
// that is meant to be none.
func keepFor(f facts) time.Duration {
	return min(f.deadline(), defaultDeadline*time.Second) + f.strategy.timeout
}

// keptSince is since when a revision has been larger than wanted, as far as this
// controller has watched: whatever it has not seen may have been otherwise.
func keptSince(f facts, hash string) time.Time {
	for _, old := range f.Rollout.Status.Revisions {
		if old.Hash != hash || old.KeptSince == nil {
			continue
		}
		if since := soFar(old.KeptSince.Time, f.Now); !since.Before(stamp(f.Watched)) || f.Watched.After(f.Now) {
			return since
		}
	}
	return stamp(f.Now)
}

// keeps reports whether a revision is kept larger than wanted.
func (d *desired) keeps(r Revision) bool {
	_, larger := d.kept[r.Hash]
	return larger && d.replicas[r.Hash].n == r.Replicas
}

// keepRoom stops the deadline's clock while the revision in flight lacks pods, and may
// lack them because there is no room beside another one's that are kept for so long. It
// begins anew after that, as after a pause, unless the deadline has passed already.
func (d *desired) keepRoom(c cursor, f facts) cursor {
	if len(d.kept) == 0 || c.waiting.IsZero() || overdue(c, f) {
		return c
	}
	another := func(r Revision) bool { return r.Hash != c.canary && d.keeps(r) }
	if _, short := shortOfPods(c, f); short && slices.ContainsFunc(allRevisions(f), another) {
		c.waiting, c.soFar = time.Time{}, nil
	}
	return c
}

// unnoticed says what is waited for while not all of a revision's pods are noticed behind
// the Services that give it traffic, or will in this pass; where none does, behind those
// that lead to it.
func (d *desired) unnoticed(f facts, r Revision) (until string, waits bool) {
	leads := slices.DeleteFunc(slices.Clone(slots), func(s traffic.Slot) bool { return !f.slot(s).reaches(r.Hash) })
	idle := func(s traffic.Slot) bool { return f.most(s) == 0 && !d.split.Reaches(s) }
	if gives := slices.DeleteFunc(slices.Clone(leads), idle); len(gives) > 0 {
		leads = gives
	}
	for _, slot := range leads {
		if f.noticed(slot, r.Hash) < r.Replicas {
			return listing(slot, f), true
		}
	}
	return "a Service lists each of them", len(leads) == 0
}

// listing says what a Service is to list.
func listing(slot traffic.Slot, f facts) string {
	if l, _ := f.listed.in(slot); l.evicted != "" {
		return "pod " + l.evicted + ", whose eviction was asked for, has ended"
	}
	return fmt.Sprintf("Service %s lists each of them for %s, and no others", f.slot(slot).Name, f.strategy.settle)
}

// wakeForKept looks again when a revision is kept in its size no longer.
func wakeForKept(f facts, d desired, consider func(time.Time)) {
	for _, k := range d.kept {
		consider(k.since.Add(keepFor(f)))
	}
}

// keptText says which revisions have more pods than wanted, and until when.
func keptText(f facts, d desired) string {
	var text string
	for _, r := range allRevisions(f) {
		if d.keeps(r) {
			text += fmt.Sprintf("; %s keeps %s until %s", r.Name, count(r.Replicas, "pod"), d.kept[r.Hash].until)
		}
	}
	return text
}
