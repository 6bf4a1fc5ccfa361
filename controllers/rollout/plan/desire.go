// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// desired is what should be so, given the cursor and the facts.
type desired struct {
	// create says that the revision in flight needs a ReplicaSet.
	create bool
	// replicas by revision; a revision not listed is left alone.
	replicas map[string]sized
	// stableSelects and canarySelects are the revisions that the Services should
	// stand for; empty leaves the Service alone.
	stableSelects, canarySelects string
	// split that the routes should carry; unknown leaves the routes alone.
	split traffic.Split
	// workload is the number of replicas of the referenced workload; nil leaves it alone.
	workload *int32
	// retired is when each revision without a role loses its pods.
	retired map[string]time.Time
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
	if c.stable != "" {
		d.replicas[c.stable] = sized{f.replicas, "stable keeps spec.replicas, ready to carry all traffic"}
	}
	switch c.mode(f) {
	case initial:
		desireFirst(&d, c, f)
	case forward:
		desireCanary(&d, c, f)
		d.retire(c, f)
	case returning, resting:
		desireStable(&d, c, f)
		d.retire(c, f)
	}
	d.workload = desireWorkload(c, f)
	return d
}

// desireFirst brings the first revision up in full before anything points at
// it. Beside a referenced workload it grows only as fast as that one shrinks.
func desireFirst(d *desired, c cursor, f facts) {
	n, reason := f.replicas, "the first revision needs spec.replicas before it gets traffic"
	if w := f.Workload; w != nil && scaleDown(f) == v1alpha1.ScaleDownProgressively {
		surge := f.need(25)
		n = min(max(f.replicas+surge-w.Current, f.revisions[c.canary].Replicas), f.replicas)
		reason = fmt.Sprintf("%d of %d replicas plus surge %d beside %d pods of Deployment %s", n, f.replicas, surge, w.Current, w.Name)
	}
	d.want(c, f, sized{n, reason})
	if f.revisions[c.canary].Available >= f.replicas {
		d.stableSelects, d.canarySelects = c.canary, c.canary
	}
	if f.serves(traffic.Stable, c.canary, f.need(100)) {
		d.split = traffic.CanaryAt(0)
	}
}

// want sizes the revision in flight, which may not exist yet.
func (d *desired) want(c cursor, f facts, s sized) {
	d.replicas[c.canary] = s
	_, exists := f.revisions[c.canary]
	d.create = !exists && c.canary == f.Target && free(f)
}

// desireCanary grows the canary, points its Service at it and gives it the
// weight that its endpoints can carry, in that order.
func desireCanary(d *desired, c cursor, f facts) {
	weight := c.weight(f)
	d.stableSelects = c.stable
	d.want(c, f, canarySize(c, f, weight))
	if f.most(traffic.Canary) == 0 || f.CanaryService.Selects == c.canary {
		d.canarySelects = c.canary
	}
	d.split = traffic.CanaryAt(affordable(c, f, weight))
	if c.promoting(f) {
		desirePromotion(d, c, f)
	}
	d.split = serve(d.split, f)
	d.run = desireRun(c, f, d.split)
}

// canarySize is what the step's weight needs, and never less than what the
// weight that may still be served needs.
func canarySize(c cursor, f facts, weight int32) sized {
	n := f.need(weight)
	reason := fmt.Sprintf("%d of %d replicas carry %d %%", n, f.replicas, weight)
	has := f.revisions[c.canary].Replicas
	if f.CanaryService.Selects == c.canary && n < has {
		if floor := min(has, f.need(f.most(traffic.Canary))); floor > n {
			n, reason = floor, fmt.Sprintf("%d replicas until the larger weight is known to have left", floor)
		}
	}
	if f.Rollout.Spec.Paused && n > has {
		n, reason = has, "spec.paused keeps the canary as it is"
	}
	return sized{n, reason}
}

// affordable is the weight that may be given to the canary slot now, in percent.
func affordable(c cursor, f facts, weight int32) int32 {
	has := f.requestedCanary()
	switch {
	case f.CanaryService.Selects != c.canary || f.CanaryService.Ready[c.canary] == 0:
		return 0
	case f.Rollout.Spec.Paused || len(f.Problems) > 0:
		return min(weight, has)
	case has == 0 && weight > 0 && !f.serves(traffic.Canary, c.canary, 1):
		return 0
	case f.CanaryService.only(c.canary, f.need(weight)) && f.revisions[c.canary].Available >= f.need(weight):
		return weight
	default:
		return min(weight, has)
	}
}

// desirePromotion moves the stable slot under the canary once nothing is left
// on it, and then the traffic back to the stable slot. Both slots stand for the
// same pods by then, so no pod is touched.
func desirePromotion(d *desired, c cursor, f facts) {
	moved := f.StableService.Selects == c.canary
	if moved || f.confirmed(traffic.CanaryAt(100)) || (f.replicas == 0 && f.revisions[c.canary].Name != "") {
		d.stableSelects = c.canary
	}
	switch {
	case moved && f.serves(traffic.Stable, c.canary, f.need(100)):
		d.split = traffic.CanaryAt(0)
	case moved && f.Traffic.RequestedAll(traffic.CanaryAt(0)):
		d.split = traffic.CanaryAt(0)
	}
}

// desireStable keeps, or puts, everything on the stable revision.
func desireStable(d *desired, c cursor, f facts) {
	d.stableSelects = c.stable
	if f.most(traffic.Canary) == 0 || c.canary == "" && f.CanaryService.Selects == "" {
		d.canarySelects = c.stable
	}
	if f.StableService.ready() > 0 || f.CanaryService.ready() == 0 {
		d.split = traffic.CanaryAt(0)
	}
	if c.canary == "" {
		return
	}
	has := f.revisions[c.canary]
	d.replicas[c.canary] = sized{has.Replicas, "kept until its traffic has left"}
}

// serve moves traffic off a slot whose endpoints have vanished, to the slot
// that can serve. It changes nothing while both or neither can.
func serve(want traffic.Split, f facts) traffic.Split {
	stable, canary := f.StableService.ready() > 0, f.CanaryService.ready() > 0
	switch {
	case f.StableService.Selects == f.CanaryService.Selects:
		return want
	case want.Stable > 0 && !stable && canary:
		return traffic.CanaryAt(100)
	case want.Canary > 0 && !canary && stable:
		return traffic.CanaryAt(0)
	}
	return want
}

// retire gives each revision that nothing points at a time to leave, and takes
// its pods when the time has come.
func (d *desired) retire(c cursor, f facts) {
	before := map[string]time.Time{}
	for _, r := range f.Rollout.Status.Revisions {
		if r.ScaleDownAt != nil {
			before[r.Hash] = r.ScaleDownAt.Time
		}
	}
	for hash, r := range f.revisions {
		inFlight := hash == c.canary && c.mode(f) == forward
		if hash == c.stable || inFlight || r.Replicas == 0 || f.exposed(hash) {
			continue
		}
		at, known := before[hash]
		if !known {
			at = stamp(f.Now).Add(retirementDelay(c, f, hash))
		}
		d.retired[hash] = at
		d.replicas[hash] = sized{r.Replicas, "kept for a way back"}
		if !f.Now.Before(at) {
			d.replicas[hash] = sized{0, "its traffic has left and its delay is over"}
		}
	}
}

// retirementDelay is never shorter than the time that a data plane needs to notice.
func retirementDelay(c cursor, f facts, hash string) time.Duration {
	delay := seconds(f.strategy.ScaleDownDelaySeconds, defaultScaleDownDelay)
	if hash == c.canary {
		delay = seconds(f.strategy.AbortScaleDownDelaySeconds, defaultScaleDownDelay)
	}
	return max(delay, f.settle())
}

func scaleDown(f facts) v1alpha1.ScaleDown {
	if ref := f.Rollout.Spec.WorkloadRef; ref != nil && ref.ScaleDown != "" {
		return ref.ScaleDown
	}
	return v1alpha1.ScaleDownProgressively
}

// desireWorkload shrinks the referenced workload by what our own endpoints carry.
func desireWorkload(c cursor, f facts) *int32 {
	w := f.Workload
	if w == nil || scaleDown(f) == v1alpha1.ScaleDownNever {
		return nil
	}
	var n int32
	if c.stable == "" {
		if scaleDown(f) == v1alpha1.ScaleDownOnSuccess {
			return nil
		}
		n = max(0, f.replicas-min(f.revisions[c.canary].Available, f.StableService.Ready[c.canary]))
	}
	n = min(n, w.Replicas)
	return &n
}

// runName names the AnalysisRun of the release in flight.
func runName(c cursor, f facts) string { return names.AnalysisRun(f.Rollout.Name, c.release) }
