// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// kind is a kind of object; caches hold each kind as of a time of its own.
type kind int

const (
	rollouts kind = iota
	workloads
	replicaSets
	services
	routes
	runs
	jobs
	kinds
)

// slots in the order in which worlds list them.
var slots = [...]traffic.Slot{traffic.Stable, traffic.Canary, traffic.Baseline}

// instead is the slot that takes over what another can't serve. Nothing is ever the baseline's to take over.
var instead = [...]int{stableService: canaryService, canaryService: stableService, baselineService: stableService}

// The Services of a world: one for each slot, by its index, and one that the slots' are
// copied from where the controller makes them. Whatever the strategy, callers
// come in by the routes, which a strategy without routes leaves at stable; what
// it calls active, or the Service of the callers, is the stable slot's.
const (
	stableService = iota
	canaryService
	baselineService
	callerService
	serviceCount
)

// objects are what an API server stores, or what a cache holds of it. What is
// reachable from it is never changed, only replaced: whoever has read an
// object keeps what it was.
type objects struct {
	// rollout is nil once it is gone.
	rollout *v1alpha1.Rollout
	// version is the rollout's resourceVersion.
	version  int64
	workload *workload
	sets     []plan.Revision
	// services by the constants above; nil where there is none.
	services [serviceCount]*plan.Service
	routes   []route
	runs     []v1alpha1.AnalysisRun
	jobs     map[string]plan.Job
}

func emptyService(name string) *plan.Service {
	return &plan.Service{Name: name, Version: "1", Ready: map[string]int32{}}
}

// workload is a referenced Deployment.
type workload struct {
	plan.Workload
	image string
}

// route is one route object.
type route struct {
	gone bool
	// split that it carries, written in this generation.
	split      traffic.Split
	generation int64
	// lost is the generation in which it was deleted last.
	lost int64
	// ours counts the generations that the controller wrote.
	ours int64
	// accepted is the generation that its gateway reports as accepted.
	accepted int64
	// silent: no data plane ever reports it, as with Istio.
	silent bool
}

// take copies one kind from another set of objects, as a cache does.
func (o *objects) take(k kind, from *objects) {
	switch k {
	case rollouts:
		o.rollout, o.version = from.rollout, from.version
	case workloads:
		o.workload = from.workload
	case replicaSets:
		o.sets = from.sets
	case services:
		o.services = from.services
	case routes:
		o.routes = from.routes
	case runs:
		o.runs = from.runs
	case jobs:
		o.jobs = from.jobs
	case kinds:
	}
}

// takeHalf reads of each Service what its EndpointSlices say, or all but that.
func (o *objects) takeHalf(from *objects, endpoints bool) {
	for i, theirs := range from.services {
		ours := o.services[i]
		switch {
		case ours == nil || theirs == nil:
			if !endpoints {
				o.services[i] = theirs
			}
			continue
		case endpoints:
			svc := *ours
			svc.Ready, svc.Listed = theirs.Ready, theirs.Listed
			o.services[i] = &svc
		default:
			svc := *theirs
			svc.Ready, svc.Listed = ours.Ready, ours.Listed
			o.services[i] = &svc
		}
	}
}

// image is that of the wanted template.
func (o *objects) image() string {
	if o.workload != nil {
		return o.workload.image
	}
	return image(o.rollout.Spec.Template)
}

func image(t *corev1.PodTemplateSpec) string {
	if t == nil || len(t.Spec.Containers) == 0 {
		return ""
	}
	return t.Spec.Containers[0].Image
}

// replicas carry the whole traffic.
func (o *objects) replicas() int32 {
	if o.rollout == nil {
		return 0
	}
	return replicasOf(o.rollout)
}

// replicasOf are those that a Rollout asks for.
func replicasOf(r *v1alpha1.Rollout) int32 {
	if n := r.Spec.Replicas; n != nil {
		return *n
	}
	return 1
}

// need is the number of pods that carry weight percent.
func (o *objects) need(weight int32) int32 {
	return int32((int64(o.replicas())*int64(weight) + 99) / 100)
}

// set finds a ReplicaSet by its revision.
func (o *objects) set(hash string) (plan.Revision, bool) {
	i := slices.IndexFunc(o.sets, func(r plan.Revision) bool { return r.Hash == hash })
	if i < 0 {
		return plan.Revision{}, false
	}
	return o.sets[i], true
}

// update replaces one ReplicaSet, or removes it.
func (o *objects) update(r plan.Revision, exists bool) {
	sets := make([]plan.Revision, 0, len(o.sets)+1)
	found := false
	for _, old := range o.sets {
		switch {
		case old.Hash != r.Hash:
			sets = append(sets, old)
		case exists:
			sets = append(sets, r)
			found = true
		}
	}
	if exists && !found {
		sets = append(sets, r)
	}
	o.sets = sets
}

// run finds an AnalysisRun.
func (o *objects) run(name string) int {
	return slices.IndexFunc(o.runs, func(r v1alpha1.AnalysisRun) bool { return r.Name == name })
}

// snapshot is what the controller reads of the objects.
func (o *objects) snapshot(now time.Time, c Catalogue) plan.Snapshot {
	s := plan.Snapshot{Now: now, Rollout: o.rollout, Revisions: o.sets, Runs: o.runs, Jobs: o.jobs}
	entry := c.entries[o.image()]
	s.Template, s.Target, s.Selector = entry.template, entry.hash, c.selector
	if o.workload != nil {
		w := o.workload.Workload
		s.Workload = &w
	}
	b := plan.Bindings(o.rollout)
	s.StableService, s.CanaryService, s.CallerService = o.service(&s, b, b.StableService), o.service(&s, b, b.CanaryService), o.service(&s, b, b.Service)
	s.BaselineService = o.service(&s, b, b.BaselineService)
	if len(b.Routes) > 0 {
		s.Traffic = o.observed(&s)
	}
	return s
}

// service finds a Service by its name; one that should be there and is not is a problem.
func (o *objects) service(s *plan.Snapshot, b v1alpha1.Bindings, name string) plan.Service {
	if name == "" {
		return plan.Service{}
	}
	for _, svc := range o.services {
		if svc != nil && svc.Name == name {
			return *svc
		}
	}
	if name == b.BaselineService || plan.Makes(o.rollout, name) {
		return plan.Service{Name: name, Missing: true}
	}
	s.Problems = append(s.Problems, plan.Problem{
		Field: "spec.strategy", Message: "Service " + name + " does not exist; create it", Steers: true, Bound: plan.Rebinding(o.rollout),
	})
	return plan.Service{Name: name, Absent: true}
}

// observed is what routers report of the routes that are there.
func (o *objects) observed(s *plan.Snapshot) traffic.Observed {
	seen := make([]traffic.Observed, 0, len(o.routes))
	for i, r := range o.routes {
		if r.gone {
			s.Problems = append(s.Problems, plan.Problem{
				Field: "spec.strategy.canary.routes", Message: "HTTPRoute does not exist; create it", Steers: true, Bound: plan.Rebinding(o.rollout),
			})
			continue
		}
		one := traffic.Observed{Requested: []traffic.Split{r.split}, Silent: r.silent, Edition: "route-" + strconv.Itoa(i) + "/" + strconv.FormatInt(r.generation, 10)}
		switch {
		case r.silent:
		case r.accepted == r.generation:
			one.Confirmed = one.Requested
		default:
			one.Message = "waiting for the gateway to accept the HTTPRoute"
		}
		seen = append(seen, one)
	}
	s.NoRoutes = len(seen) == 0
	if len(seen) == 1 {
		return seen[0]
	}
	return traffic.Merge(seen...)
}

// String names a kind as watches do.
func (k kind) String() string {
	return [...]string{"Rollouts", "Deployments", "ReplicaSets", "Services", "routes", "AnalysisRuns", "Jobs"}[k]
}

func (o *objects) named(name string) (plan.Revision, bool) {
	i := slices.IndexFunc(o.sets, func(r plan.Revision) bool { return r.Name == name })
	if i < 0 {
		return plan.Revision{}, false
	}
	return o.sets[i], true
}
