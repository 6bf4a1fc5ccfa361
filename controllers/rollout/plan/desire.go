// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// desired is what should be so, given the cursor and the facts.
type desired struct {
	// create says that a revision needs a ReplicaSet, created says which.
	create  bool
	created string
	// replicas by revision; a revision not listed is left alone.
	replicas map[string]sized
	// stableSelects and canarySelects are the revisions that the Services should
	// stand for; empty leaves the Service alone.
	stableSelects, canarySelects string
	// baselineSelects is the same for the baseline's Service.
	baselineSelects string
	// control is the baseline that is to be created; nil creates none.
	control *CreateBaseline
	// split that the routes should carry; unknown leaves the routes alone.
	split traffic.Split
	// workload is the number of replicas of the referenced workload; nil leaves it alone.
	workload *int32
	// retired is when each revision without a role loses its pods.
	retired map[string]time.Time
	// kept is why revisions are larger than wanted.
	kept map[string]surplus
	// run that should be under way; nil wants none.
	run *v1alpha1.AnalysisRunSpec
}

// sized is a number of replicas and the sentence that explains it.
type sized struct {
	n   int32
	why string
}

// desire says what should be so.
func desire(c cursor, f facts) desired {
	d := desired{replicas: map[string]sized{}, retired: map[string]time.Time{}}
	d.workload = desireWorkload(c, f)
	desireBaseline(&d, c, f)
	if f.means == byReplicas {
		desireRatio(&d, c, f)
		desireAdoption(&d, c, f)
		if c.mode(f) == forward {
			d.run = desireRun(c, f, traffic.CanaryAt(c.asks(f).weight))
		}
		return d
	}
	d.createMissing(c, f)
	d.sizeStable(c, f)
	switch c.mode(f) {
	case initial:
		desireFirst(&d, c, f)
	case forward:
		desireForward(&d, c, f)
		d.retire(c, f)
	case returning, resting, rebinding:
		desireStable(&d, c, f)
		d.retire(c, f)
	}
	d.keepUnnoticed(f)
	return d
}

// createMissing wants a ReplicaSet for the revision in flight, and for the
// stable one should somebody have deleted it. Only the template as it is written can be created.
func (d *desired) createMissing(c cursor, f facts) {
	hash := c.canary
	if c.mode(f) == returning || hash == "" {
		hash = c.stable
	}
	_, exists := f.revisions.find(hash)
	if hash != "" && !exists && hash == f.written && (c.free(f) || hash == c.stable) {
		d.create, d.created = true, hash
	}
}

// desireFirst brings the first revision up in full before anything points at
// it. Beside a referenced workload it grows only as fast as that one shrinks.
func desireFirst(d *desired, c cursor, f facts) {
	d.replicas[c.canary] = sized{f.replicas, "the first revision needs spec.replicas before it gets traffic"}
	desireAdoption(d, c, f)
	if f.revisions.of(c.canary).Available >= f.replicas && f.revisions.of(c.canary).Name != "" {
		d.stableSelects, d.canarySelects = c.canary, c.canary
	}
	if f.means == byRoute && (f.serves(traffic.Stable, c.canary, f.need(100)) || f.Workload != nil && f.StableService.ready() > 0) {
		d.split = stableOnly()
	}
}

// desireAdoption lets the first revision grow only as far as the referenced workload
// has shrunk, so that the cluster never has to hold both in full.
func desireAdoption(d *desired, c cursor, f facts) {
	w := f.Workload
	if w == nil || c.mode(f) != initial || scaleDown(f) != v1alpha1.ScaleDownProgressively {
		return
	}
	surge := f.need(25)
	n := min(max(f.replicas+surge-w.Current, f.revisions.of(c.canary).Replicas), f.replicas)
	if s := f.StableService.Selects; s != "" && s != c.canary {
		n = f.replicas // callers are with another revision already; what carries nothing need not make room
	}
	d.replicas[c.canary] = sized{n, fmt.Sprintf("%d of %d replicas plus surge %d beside %d pods of Deployment %s", n, f.replicas, surge, w.Current, w.Name)}
}

// sizeStable sizes the stable revision, if there is one.
func (d *desired) sizeStable(c cursor, f facts) {
	if c.stable == "" {
		return
	}
	d.replicas[c.stable] = stableSize(c, f)
}

// stableSize is spec.replicas. With scaleStable Dynamic it is what stable's share
// needs, for as long as the release moves forward. A restart adds a pod.
func stableSize(c cursor, f facts) sized {
	switch {
	case surges(c, f):
		return sized{f.replicas + 1, "a pod more than usual while pods are replaced"}
	case c.mode(f) != forward || !f.strategy.dynamic || deserted(c, f) || f.means != byRoute || f.CanaryService.Selects != c.canary:
		return sized{f.replicas, "stable keeps spec.replicas, ready to carry all traffic"}
	}
	if has, ok := f.revisions.find(c.stable); ok && f.StableService.Selects == c.canary {
		return sized{has.Replicas, "left as it is: the stable Service stands for the promoted revision"}
	}
	has, share := min(f.revisions.of(c.stable).Replicas, f.replicas), max(givenStable(f), 100-c.asks(f).weight)
	switch {
	case has <= f.need(share):
	case f.sightPending:
		return sized{has, untilSeen}
	case unsettled(f):
		return sized{has, "kept until the smaller share is known to be served"}
	}
	return sized{f.need(share), fmt.Sprintf("%d of %d replicas carry the %d %% that stable may get", f.need(share), f.replicas, share)}
}

// givenStable is the largest share that stable may be getting, in percent. While a shift
// has not settled that is what the routes say by now: stable had as many pods as the
// share before needed, and does not grow for the moment. The baseline's share is
// counted in, so that stable can take it back at any time.
func givenStable(f facts) int32 {
	if !unsettled(f) {
		return min(100, f.most(traffic.Stable)+f.most(traffic.Baseline))
	}
	var most int32
	for _, s := range f.Traffic.Requested {
		most = max(most, 100-s.Canary)
	}
	return most
}

// unsettled: the routes were read, and the data plane may still serve what they said
// before. That counts only just after the write: later, as when nobody accepts it, the
// share before has to be reckoned with as spec.replicas changes.
func unsettled(f facts) bool {
	return len(f.Traffic.Requested) > 0 && !f.settled() && f.Now.Before(unsettledUntil(f))
}

func unsettledUntil(f facts) time.Time { return f.shiftedAt.Add(2 * f.strategy.settle) }

// canarySize is what the steps ask for, but not fewer pods than carry the weight that
// the data plane may still be serving.
func canarySize(c cursor, f facts) sized {
	n := c.asks(f).pods
	reason := fmt.Sprintf("%d of %d replicas for step %s at %d %%", n, f.replicas, c.position(f), c.asks(f).weight)
	has := f.revisions.of(c.canary).Replicas
	if leads := f.CanaryService.Selects == c.canary || f.CanaryService.Ready[c.canary] > 0; leads && n < has {
		if floor, until := canaryFloor(f, has); floor > n {
			n, reason = floor, until
		}
	}
	if n < has && f.replicas > 0 && !f.serves(traffic.Stable, c.stable, 1) {
		n, reason = has, "kept until the stable Service is known to stand for stable alone"
	}
	if f.StableService.Selects == c.canary && n < f.replicas {
		n, reason = f.replicas, "it stands behind the stable Service"
	}
	if heldInSize(c, f, n > has) {
		n, reason = heldSize(c, f, n, has)
	}
	return sized{n, reason}
}

// heldSize is that of a canary which is held, by a pause for example: as it is. But
// spec.replicas may be raised meanwhile, and what it has been given by then asks for more.
func heldSize(c cursor, f facts, n, has int32) (size int32, reason string) {
	share := givenCanary(c, f)
	if need := min(f.need(share), max(n, has)); need > has {
		return need, fmt.Sprintf("%d of %d replicas carry the %d %% that it has been given", need, f.replicas, share)
	}
	return has, "held as it is"
}

// givenCanary is the largest share that routes or a selector give the canary's revision, in percent.
func givenCanary(c cursor, f facts) int32 {
	var most int32
	switch {
	case f.StableService.Selects == c.canary:
		return 100
	case f.means != byRoute || f.CanaryService.Selects != c.canary:
		return 0
	}
	for _, s := range f.Traffic.Requested {
		most = max(most, s.Canary)
	}
	return most
}

// canaryFloor is how many of the canary's pods stay for what it may still be getting.
func canaryFloor(f facts, has int32) (floor int32, until string) {
	if f.sightPending {
		return has, untilSeen
	}
	floor = min(has, f.need(f.most(traffic.Canary)))
	return floor, fmt.Sprintf("%d replicas until the larger weight is known to have left", floor)
}

// untilSeen is why pods stay although the settle time is over: requests are being
// counted that will tell more than it does.
const untilSeen = "kept until requests are seen to follow the smaller weight, or convergence.timeout"

// desireForward grows the canary, points its Service at it and gives it the
// weight that its endpoints can carry, in that order.
func desireForward(d *desired, c cursor, f facts) {
	d.replicas[c.canary] = canarySize(c, f)
	d.stableSelects = c.stable
	if f.means == bySelector {
		desireSwitch(d, c, f)
	} else {
		desireWeight(d, c, f)
	}
	back := d.split.Stable + d.split.Baseline
	if n := f.need(back); d.split.Known() && f.StableService.Selects != c.canary && n > d.replicas[c.stable].n {
		d.replicas[c.stable] = sized{n, fmt.Sprintf("%d of %d replicas carry the %d %% that it is given back", n, f.replicas, back)}
	}
	d.run = desireRun(c, f, d.split)
}

// desireStable keeps, or puts, everything on the stable revision. The canary's Service
// follows once it gets nothing; at once where it is the only way to stable's pods, since
// stable's own Service is gone and can't be given the traffic.
func desireStable(d *desired, c cursor, f facts) {
	d.stableSelects = c.stable
	if f.most(traffic.Canary) == 0 || c.canary == "" && f.CanaryService.Selects == "" || f.means == byRoute && f.StableService.gone() {
		d.canarySelects = c.stable
	}
	if c.mode(f) == rebinding && othersGone(c, f) {
		d.stableSelects, d.canarySelects = "", "" // both are given back
	}
	d.split = homeward(c, f)
	if r, ok := f.revisions.find(c.canary); ok && c.canary != "" && c.canary != c.stable {
		d.replicas[c.canary] = sized{r.Replicas, "kept until its traffic has left"}
	}
}

// homeward is the split on the way back to stable, and at rest. While only the
// canary has endpoints it gets all traffic, aborted or not: requests sent to stable
// would be lost.
func homeward(c cursor, f facts) traffic.Split {
	switch {
	case f.means != byRoute:
		return traffic.Split{}
	case stranded(f):
		return traffic.CanaryAt(100)
	}
	least := leastCanary(c, f)
	if torn(c, f, least) {
		return traffic.Split{}
	}
	return keepBaseline(traffic.CanaryAt(least), c, f)
}

func scaleDown(f facts) v1alpha1.ScaleDown {
	if ref := f.Rollout.Spec.WorkloadRef; ref != nil && ref.ScaleDown != "" {
		return ref.ScaleDown
	}
	return v1alpha1.ScaleDownProgressively
}

// desireWorkload shrinks the referenced workload by as many pods as callers reach of ours.
func desireWorkload(c cursor, f facts) *int32 {
	w := f.Workload
	if w == nil || scaleDown(f) == v1alpha1.ScaleDownNever {
		return nil
	}
	if c.stable == "" && scaleDown(f) == v1alpha1.ScaleDownOnSuccess {
		return nil
	}
	n := min(max(0, f.replicas-f.carrying(cmp.Or(c.stable, c.canary))), w.Replicas)
	return &n
}
