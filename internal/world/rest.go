// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// restLaw is law 0: once nobody does anything any more and nothing fails, the world comes
// to rest, and in order. The wanted revision is stable or was aborted, the routes send
// stable everything, each revision has its pods and each Service stands for stable; or
// the Rollout is gone and all is given back. With it come the ends of two other laws:
//   - 6: once more in the queue, a Rollout at rest writes nothing.
//   - 8: a Rollout that is not at rest has something that will wake it.
type restLaw struct {
	*court
	// edited is when a stranger last wrote to a route or Service.
	edited map[thing]time.Duration
	// theirs are the routes and Services that a stranger wrote to after the pass had read
	// them that let them go. What they say from then on is the stranger's own affair. The
	// pass could not have noticed: its status names what it lets go, and no write can be
	// locked to two objects.
	theirs map[thing]bool
	// overrun: a former leader has written once the Rollout was gone. Nobody is left to see it.
	overrun bool
	// held: the controller has held the Rollout by its finalizer.
	held bool
}

// thing is a route or a Service, by its index.
type thing struct {
	kind  kind
	index int
}

// edits notes a stranger's write.
func (l *restLaw) edits(k kind, i int) { l.edited[thing{k, i}] = l.w.now }

// letGo notes that a pass lets routes and Services go, which it had read live.
func (l *restLaw) letGo(p *pass) {
	for t, at := range l.edited {
		switch late := at >= p.began; {
		case l.holds(p.read.rollout, t):
			l.theirs[t] = late
		case p.stored.Status.Bindings == nil: // the first bindings do not name it
			l.theirs[t] = true
		case t.kind == services && late: // none of its two, but of its callers
			l.theirs[t] = true
		}
	}
}

// gone notes that the Rollout is gone. If its finalizer never held it, nobody was asked
// to give anything back, and what strangers wrote stays.
func (l *restLaw) gone() {
	for t := range l.edited {
		l.theirs[t] = l.theirs[t] || !l.held
	}
}

// holds reports whether a Rollout has a route or Service to let go. What an earlier pass
// has let go was judged then.
func (l *restLaw) holds(ro *v1alpha1.Rollout, t thing) bool {
	if t.kind == services {
		return bound(ro, l.w.serviceNames[t.index])
	}
	return meansOf(ro) == byRoute
}

// foreign reports whether a route is a stranger's own by now.
func (l *restLaw) foreign(i int) bool {
	ro := l.w.live.rollout
	return l.theirs[thing{routes, i}] && (ro == nil || meansOf(ro) != byRoute)
}

// narrowed reports whether a Service is a stranger's own by now, and narrowed to one revision.
func (l *restLaw) narrowed(slot int) bool {
	ro, svc := l.w.live.rollout, l.w.live.services[slot]
	return svc != nil && svc.Selects != "" && l.theirs[thing{services, slot}] && (ro == nil || !bound(ro, svc.Name))
}

// keepsAborted reports whether the pods of an aborted revision stay.
func keepsAborted(r *v1alpha1.Rollout) bool {
	switch s := r.Spec.Strategy; {
	case s.Canary != nil:
		return s.Canary.AbortScaleDownDelaySeconds == nil
	case s.BlueGreen != nil:
		return s.BlueGreen.AbortScaleDownDelaySeconds == nil
	}
	return false
}

// judge looks at a world in which nothing is left to happen.
func (l *restLaw) judge() error {
	l.checked[0]++
	l.checked[8]++
	r := l.w.live.rollout
	switch {
	case r == nil && l.overrun:
		return nil
	case r == nil:
		return l.handedBack()
	}
	if r.DeletionTimestamp != nil {
		return l.fails(8, "a deleted Rollout waits for nothing: %s", l.w.standing())
	}
	target := l.w.catalogue.entries[l.w.live.image()].hash
	if r.Status.Undo != nil {
		target = r.Status.Undo.To
	}
	return l.ended(r, target)
}

// ended judges where a release has ended.
func (l *restLaw) ended(r *v1alpha1.Rollout, target string) error {
	s := r.Status
	switch {
	case s.Phase != v1alpha1.PhaseHealthy && (s.StableRevision == "" || l.broken(s.StableRevision)):
		return nil // nothing that could run is there to return to
	case s.Phase == v1alpha1.PhaseHealthy && s.StableRevision != target:
		return l.fails(0, "healthy with %s, wanted is %s", l.w.name(s.StableRevision), l.w.name(target))
	case s.Phase == v1alpha1.PhaseHealthy, rejected(s, target):
	case s.Phase == v1alpha1.PhaseDegraded && l.broken(s.CanaryRevision) && r.Spec.OnDeadline == v1alpha1.OnDeadlineDegrade:
		return nil // reported, as asked for
	default:
		return l.fails(8, "nothing will ever wake it, but it waits: %s", l.w.standing())
	}
	return l.settled(s)
}

// rejected: what is wanted was aborted.
func rejected(s v1alpha1.RolloutStatus, target string) bool {
	return s.Phase == v1alpha1.PhaseDegraded && s.Abort != nil && s.Abort.Revision == target
}

// settled judges the objects of a world at rest, and that another pass writes nothing (law 6).
func (l *restLaw) settled(s v1alpha1.RolloutStatus) error {
	if err := l.placed(s); err != nil {
		return err
	}
	l.checked[6]++
	before := l.w.mischief.writes
	for _, c := range l.w.leaders {
		c.enqueue()
	}
	for {
		if more, err := l.w.step(); err != nil || !more {
			break
		}
	}
	if n := l.w.mischief.writes - before; n > 0 {
		return l.fails(6, "a settled Rollout causes %d writes", n)
	}
	return nil
}

// placed judges where routes, pods and Services are.
func (l *restLaw) placed(s v1alpha1.RolloutStatus) error {
	for i, r := range l.w.live.routes {
		if !r.split.Equal(traffic.CanaryAt(0)) && !l.foreign(i) {
			return l.fails(0, "at rest route %d says %s", i+1, r.split)
		}
	}
	if err := l.sized(s); err != nil {
		return err
	}
	for i, svc := range l.w.live.services {
		if svc == nil {
			continue
		}
		want := ""
		switch {
		case bound(l.w.live.rollout, svc.Name):
			want = s.StableRevision
		case l.theirs[thing{services, i}]:
			continue
		}
		if svc.Selects != want {
			return l.fails(0, "at rest Service %s stands for %q instead of %q", svc.Name, l.w.name(svc.Selects), l.w.name(want))
		}
	}
	return nil
}

// sized judges how many pods each revision is to have.
func (l *restLaw) sized(s v1alpha1.RolloutStatus) error {
	for _, r := range l.w.live.sets {
		want := int32(0)
		if _, is := plan.BaselineOf(r.Hash); is {
			return l.fails(0, "at rest the baseline %s is still there", l.w.name(r.Hash))
		}
		switch {
		case r.Hash == s.StableRevision:
			want = l.w.live.replicas()
		case s.Abort != nil && s.Abort.Revision == r.Hash && keepsAborted(l.w.live.rollout):
			continue
		}
		if r.Replicas != want {
			return l.fails(0, "at rest %s has %d replicas and should have %d", l.w.name(r.Hash), r.Replicas, want)
		}
	}
	return nil
}

// handedBack judges a world whose Rollout was deleted.
func (l *restLaw) handedBack() error {
	for i, r := range l.w.live.routes {
		if !r.gone && (r.split.Canary > 0 || r.split.Baseline > 0) && !l.foreign(i) {
			return l.fails(0, "deleted, and route %d still says %s", i+1, r.split)
		}
	}
	for i, svc := range l.w.live.services {
		if svc != nil && svc.Selects != "" && !l.theirs[thing{services, i}] {
			return l.fails(0, "deleted, and Service %s still stands for %s", svc.Name, l.w.name(svc.Selects))
		}
	}
	if d := l.w.live.workload; d != nil && d.Before != nil {
		return l.fails(0, "deleted, and the Deployment is not handed back")
	}
	return nil
}

func (l *restLaw) broken(hash string) bool { return l.w.catalogue.byHash[hash].Health == Broken }

// standing says where a release is.
func (w *World) standing() string {
	if w.live.rollout == nil {
		return "the Rollout is gone"
	}
	return fmt.Sprintf("%s: %s", w.live.rollout.Status.Phase, w.live.rollout.Status.Message)
}
