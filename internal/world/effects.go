// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// effects gives the writes of an action, each one request to the API server.
// What an action is not allowed to do is found by the laws, not here.
//
//nolint:gocyclo // one flat switch over a closed set: that it is exhaustive can be seen at a glance
func effects(w *World, p *pass, a plan.Action) []func() error {
	w.logf("%s (%s)", a, a.Why())
	one := func(write func() error) []func() error {
		return []func() error{func() error {
			w.laws.writing.before(p, a)
			return write()
		}}
	}
	switch a := a.(type) {
	case plan.HoldFinalizer:
		return one(func() error { return setFinalizer(w, true) })
	case plan.DropFinalizer:
		return one(func() error { w.laws.rest.letGo(p); return setFinalizer(w, false) })
	case plan.CreateRevision:
		return one(func() error { return createRevision(w, p, a) })
	case plan.CreateBaseline:
		return one(func() error { return createBaseline(w, p, a) })
	case plan.ScaleRevision:
		return locked(func() bool { r, ok := w.live.named(a.Name); return ok && r.Replicas != a.From }, one(func() error { return scaleRevision(w, a) }))
	case plan.DeleteRevision:
		return one(func() error { return deleteRevision(w, a) })
	case plan.SelectRevision:
		return locked(func() bool { svc := w.service(a.Service); return svc != nil && svc.Version != a.Version }, one(func() error { return selectRevision(w, a) }))
	case plan.CreateService:
		return one(func() error { return createService(w, a) })
	case plan.SetMinReady:
		return one(func() error { return setMinReady(w, a) })
	case plan.MarkRevision:
		return one(func() error { return markRevision(w, a) })
	case plan.StartJob:
		return one(func() error { return w.jobController.start(a) })
	case plan.DeleteJob:
		return one(func() error { return w.jobController.delete(a) })
	case plan.AskGate:
		p.c.ask(a)
		return nil
	case plan.EvictPod:
		return one(func() error { w.pods.evict(a.Name); return nil })
	case plan.ShiftTraffic:
		return shift(w, p, a, a.Split)
	case plan.ReleaseTraffic:
		return shift(w, p, a, traffic.CanaryAt(0))
	case plan.ScaleWorkload:
		return one(func() error { return scaleWorkload(w, a) })
	case plan.StartRun, plan.AskRun, plan.RedirectRun, plan.StopRun, plan.DeleteRun:
		return one(func() error { return writeRun(w, a) })
	default:
		return one(func() error { return fmt.Errorf("unknown action %T", a) })
	}
}

// writeRun makes the write of an action on an AnalysisRun.
func writeRun(w *World, a plan.Action) error {
	switch a := a.(type) {
	case plan.StartRun:
		return startRun(w, a)
	case plan.AskRun:
		return w.analyst.edit(a.Name, func(s *v1alpha1.AnalysisRunSpec) { s.Question = a.Question })
	case plan.RedirectRun:
		return w.analyst.edit(a.Name, a.Sources.Into)
	case plan.StopRun:
		return w.analyst.edit(a.Name, func(s *v1alpha1.AnalysisRunSpec) { s.Stop, s.Question = true, nil })
	case plan.DeleteRun:
		w.analyst.forget(a.Name)
		return nil
	}
	return fmt.Errorf("unknown action %T", a)
}

// locked makes writes conflict when the object is not what was decided upon.
func locked(changed func() bool, writes []func() error) []func() error {
	return []func() error{func() error {
		if changed() {
			return errConflict
		}
		return writes[0]()
	}}
}

// service finds a Service by its name.
func (w *World) service(name string) *plan.Service {
	for _, svc := range w.live.services {
		if svc != nil && svc.Name == name {
			return svc
		}
	}
	return nil
}

func setFinalizer(w *World, hold bool) error {
	if w.live.rollout == nil {
		return nil
	}
	w.editRollout(false, func(r *v1alpha1.Rollout) {
		r.Finalizers = nil
		if hold {
			r.Finalizers = []string{v1alpha1.Finalizer}
			w.laws.rest.held = true
		}
	})
	return nil
}

func createRevision(w *World, p *pass, a plan.CreateRevision) error {
	if w.live.rollout == nil {
		return errRefused
	}
	if _, exists := w.live.set(a.Hash); exists {
		return nil
	}
	w.live.update(plan.Revision{
		Hash: a.Hash, Name: names.ReplicaSet(p.read.rollout.Name, a.Hash), Number: a.Number,
		Images: []string{w.catalogue.byHash[a.Hash].image}, Replicas: a.Replicas, MinReadySeconds: a.MinReadySeconds, Mark: a.Mark,
	}, true)
	w.touch(replicaSets)
	w.pods.changed(a.Hash)
	return nil
}

func createBaseline(w *World, p *pass, a plan.CreateBaseline) error {
	from, ok := w.live.named(a.From)
	if !ok || w.live.rollout == nil {
		return errRefused
	}
	if _, exists := w.live.set(a.Hash); exists {
		return nil
	}
	w.live.update(plan.Revision{
		Hash: a.Hash, Name: names.ReplicaSet(p.read.rollout.Name, a.Hash), Images: from.Images, Replicas: a.Replicas, MinReadySeconds: from.MinReadySeconds,
	}, true)
	w.touch(replicaSets)
	w.pods.changed(a.Hash)
	return nil
}

func scaleRevision(w *World, a plan.ScaleRevision) error {
	r, ok := w.live.named(a.Name)
	switch {
	case !ok:
		return errRefused
	case r.Replicas != a.From:
		return errConflict
	}
	r.Replicas = a.Replicas
	w.live.update(r, true)
	w.touch(replicaSets)
	w.pods.asked(r.Hash)
	w.pods.changed(r.Hash)
	return nil
}

func deleteRevision(w *World, a plan.DeleteRevision) error {
	if r, ok := w.live.named(a.Name); ok {
		w.live.update(r, false)
		w.touch(replicaSets)
		w.pods.delete(r.Hash)
	}
	return nil
}

func selectRevision(w *World, a plan.SelectRevision) error {
	for i, svc := range w.live.services {
		if svc != nil && svc.Name == a.Service {
			w.selects(i, a.Revision)
			return nil
		}
	}
	return errRefused
}

// selects points a Service at a revision, or at all of them.
func (w *World) selects(slot int, revision string) {
	svc := *w.live.services[slot]
	svc.Selects, svc.Version = revision, strconv.Itoa(w.happened)
	w.live.services[slot] = &svc
	w.touch(services)
	w.endpoints.lookAt(slot)
}

func createService(w *World, a plan.CreateService) error {
	if w.service(a.From) == nil || w.live.rollout == nil {
		return errRefused
	}
	for i, name := range w.serviceNames {
		if name == a.Name && w.live.services[i] == nil {
			w.live.services[i] = emptyService(name)
			w.endpoints.listed[i] = nil
			w.touch(services)
			w.endpoints.lookAt(i)
		}
	}
	return nil
}

func setMinReady(w *World, a plan.SetMinReady) error {
	var hash string
	err := patchRevision(w, a.Name, func(r *plan.Revision) { r.MinReadySeconds, hash = a.Seconds, r.Hash })
	if err == nil {
		ripenAll(&w.pods, hash) // by what the ReplicaSet says now
	}
	return err
}

func markRevision(w *World, a plan.MarkRevision) error {
	return patchRevision(w, a.Name, func(r *plan.Revision) { r.Mark = a.Mark })
}

// patchRevision changes a ReplicaSet whatever else it says.
func patchRevision(w *World, name string, patch func(*plan.Revision)) error {
	r, ok := w.live.named(name)
	if !ok {
		return errRefused
	}
	patch(&r)
	w.live.update(r, true)
	w.touch(replicaSets)
	return nil
}

// shift writes every route that does not carry the split already.
func shift(w *World, p *pass, a plan.Action, want traffic.Split) []func() error {
	var writes []func() error
	for i := range w.live.routes {
		writes = append(writes, func() error {
			r := w.live.routes[i]
			switch {
			case r.gone, r.split.Equal(want):
				return nil
			}
			w.laws.writing.before(p, a)
			w.plane.write(i, want)
			w.live.routes[i].ours++
			return nil
		})
	}
	return writes
}

func scaleWorkload(w *World, a plan.ScaleWorkload) error {
	if w.live.workload == nil {
		return errRefused
	}
	d := *w.live.workload
	if d.Before == nil {
		from := a.From
		d.Before = &from
	}
	if a.Restore {
		d.Before = nil
	}
	d.Replicas = a.Replicas
	w.live.workload = &d
	w.touch(workloads)
	w.pods.asked("")
	w.pods.changed("")
	return nil
}

func startRun(w *World, a plan.StartRun) error {
	if w.live.run(a.Name) >= 0 || w.live.rollout == nil {
		return nil
	}
	run := v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{Name: a.Name, Generation: 1, Labels: map[string]string{v1alpha1.RevisionLabel: a.Revision}},
		Spec:       a.Spec,
	}
	w.live.runs = append(slices.Clone(w.live.runs), run)
	w.touch(runs)
	w.analyst.follow(a.Name)
	return nil
}
