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

// HangsOn gives the kinds of objects whose present state a plan depends on: these
// have to be read live, and the plan decided once more, before it is carried out. The
// other kinds may be as old as a cache is, for one of three reasons: there can only be
// more by now than was seen (capacity), or the write is locked to the version that was
// seen, or the write is as right now as it was a moment ago. In any case the cache has
// to show all that the controller itself has written.
func HangsOn(s Snapshot, p Plan) Kinds {
	kinds := hangsStatus(s, p.Status)
	for _, a := range p.Actions {
		kinds |= hangsAction(s, p.Status, a)
	}
	return kinds
}

// place is where a release is, by what a status says.
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

// hangsStatus gives what a new status depends on, by how it moves the release. Writing
// it is locked to the Rollout's version, so that the Rollout need not be read again.
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

// begins: a release starts, and none was in flight before.
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

// judges are the objects that may have forbidden to go on since they were last read.
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
	case HoldFinalizer, CopyConfig, CreateService, CreateBaseline, SetMinReady, MarkRevision, StartJob, DeleteJob, AskGate, StartRun, AskRun, RedirectRun, StopRun:
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
		if assess(s).stableShort() { // stable has been shrunk, or is about to grow
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

// sizes: where pods are the split, how many a revision may get depends on the pods
// that there are of all.
func sizes(s Snapshot) Kinds {
	if meansOf(Bindings(s.Rollout)) == byReplicas {
		return ReplicaSets | Endpoints
	}
	return 0
}

// hangsShrink: taking pods from a revision without a role depends on no Service
// leading to it any more; taking them from one with a role depends on everything.
func hangsShrink(s Snapshot, now v1alpha1.RolloutStatus, a ScaleRevision) Kinds {
	i := slices.IndexFunc(s.Revisions, func(r Revision) bool { return r.Name == a.Name })
	if i < 0 || role(cursorOf(now), s.Revisions[i].Hash) != v1alpha1.RoleRetired {
		return AllKinds
	}
	return Services | Endpoints | sizes(s)
}

// hangsSelect: pointing a Service elsewhere depends on the share that it gets, and
// unless that is none on the pods too.
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
