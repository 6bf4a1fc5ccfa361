// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Kinds is a set of the kinds of objects that a snapshot is read from.
type Kinds uint8

// The kinds, one bit each.
const (
	Rollouts Kinds = 1 << iota
	Workloads
	ReplicaSets
	Services
	Endpoints
	Routes
	Runs
	Jobs

	// AllKinds is what nothing is taken for granted with.
	AllKinds = Rollouts | Workloads | ReplicaSets | Services | Endpoints | Routes | Runs | Jobs
)

// Has reports whether all kinds of another set are in this one.
func (k Kinds) Has(other Kinds) bool { return k&other == other }

// HangsOn gives the kinds whose present state a plan hangs on: with these read
// live it has to be decided once more before it counts. What is not named may
// be as old as a cache is. Either it can only have become more than was seen, or
// the write is locked to the version that was seen, or doing it now is no worse
// than having done it a moment earlier. The writer's own doings must all have
// been seen in any case.
func HangsOn(s Snapshot, p Plan) Kinds {
	kinds := hangsStatus(s, p.Status)
	for _, a := range p.Actions {
		kinds |= hangsAction(s, p.Status, a)
	}
	return kinds
}

// place is what a status says of where a release is.
type place struct {
	stable, canary string
	release        int64
	step           int32
	aborted        bool
	undo           *v1alpha1.UndoStatus
	bindings       *v1alpha1.Bindings
}

func placeOf(s v1alpha1.RolloutStatus) place {
	p := place{s.StableRevision, s.CanaryRevision, s.Release, -1, s.Abort != nil, s.Undo, s.Bindings}
	if s.CurrentStep != nil {
		p.step = s.CurrentStep.Index
	}
	return p
}

// hangsStatus is about the place that a status signs. It is locked to the
// Rollout's version, so that the Rollout itself need not be read again.
func hangsStatus(s Snapshot, now v1alpha1.RolloutStatus) Kinds {
	from, to := placeOf(s.Rollout.Status), placeOf(now)
	switch {
	case reflect.DeepEqual(from, to):
		return 0
	case from.begins(to):
		return workloadOf(s)
	case from.steps(to):
		return judges(s)
	case from.ends(to):
		return Endpoints | judges(s)
	}
	return AllKinds
}

// begins: a release starts while none is in flight.
func (p place) begins(to place) bool {
	to.canary, to.release, to.step = "", p.release, -1
	return p.stable != "" && reflect.DeepEqual(p, to)
}

// steps: the release in flight goes on.
func (p place) steps(to place) bool {
	further := to.step > p.step && p.step >= 0
	to.step = p.step
	return further && !p.aborted && reflect.DeepEqual(p, to)
}

// ends: the revision in flight is promoted.
func (p place) ends(to place) bool {
	promoted := p.canary != "" && p.stable != "" && to.stable == p.canary && to.canary == ""
	return promoted && !p.aborted && to.release == p.release
}

// judges are what may have said no since it was last heard.
func judges(s Snapshot) Kinds {
	var kinds Kinds
	if len(s.Runs) > 0 {
		kinds |= Runs
	}
	if len(s.Jobs) > 0 {
		kinds |= Jobs
	}
	return kinds
}

func workloadOf(s Snapshot) Kinds {
	if s.Rollout.Spec.WorkloadRef != nil {
		return Workloads
	}
	return 0
}

func hangsAction(s Snapshot, now v1alpha1.RolloutStatus, a Action) Kinds {
	switch a := a.(type) {
	case HoldFinalizer, CreateService, CreateBaseline, MarkRevision, StartJob, DeleteJob, AskGate, StartRun, AskRun, RedirectRun, StopRun:
		return 0 // done twice, or a little late, they do no harm
	case CreateRevision:
		return workloadOf(s) | sizes(s)
	case ScaleRevision:
		if a.Replicas > a.From {
			return workloadOf(s) | sizes(s)
		}
		return hangsShrink(s, now, a)
	case SelectRevision:
		return hangsSelect(s, a)
	case ShiftTraffic: // written to the version of the route that was seen
		if assess(s).shrinks() { // stable has been shrunk, or is about to grow
			return Endpoints | ReplicaSets | judges(s)
		}
		return Endpoints | judges(s)
	case EvictPod:
		return Rollouts | ReplicaSets | Endpoints // more replicas may be wanted by now
	case DeleteRevision:
		return ReplicaSets | Services | Endpoints
	}
	return AllKinds
}

// sizes: where pods are the split, their number is bounded by those there are.
func sizes(s Snapshot) Kinds {
	if meansOf(Bindings(s.Rollout)) == byReplicas {
		return ReplicaSets | Endpoints
	}
	return 0
}

// hangsShrink: a revision without a role loses its pods once no Service leads
// to it; of one with a role everything counts.
func hangsShrink(s Snapshot, now v1alpha1.RolloutStatus, a ScaleRevision) Kinds {
	i := slices.IndexFunc(s.Revisions, func(r Revision) bool { return r.Name == a.Name })
	if i < 0 || role(cursorOf(now), s.Revisions[i].Hash) != v1alpha1.RoleRetired {
		return AllKinds
	}
	return Services | Endpoints | sizes(s)
}

// hangsSelect: what a Service gets counts, and unless that is nothing the pods too.
func hangsSelect(s Snapshot, a SelectRevision) Kinds {
	switch {
	case a.Revision == "":
		return AllKinds
	case meansOf(Bindings(s.Rollout)) != byRoute:
		return ReplicaSets | Services | Endpoints
	case a.Share > 0:
		return ReplicaSets | Services | Endpoints | Routes
	}
	return Routes
}
