// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// World is a simulated cluster with one Rollout in it.
type World struct {
	kernel
	lags          Lags
	catalogue     Catalogue
	live          objects
	pods          cluster
	kubelet       kubelet
	endpoints     endpointSlices
	jobController jobController
	analyst       analyst
	plane         plane
	leaders       []*controller
	// writing is the controller whose write happens now and will be answered.
	writing  *controller
	mischief mischief
	laws     laws
	decide   func(plan.Snapshot) plan.Plan
	// serviceNames by the constants of services; empty where the strategy has none.
	serviceNames [serviceCount]string
}

// Setup is what a world starts from.
type Setup struct {
	// Rollout as a person wrote it, with a canary strategy.
	Rollout *v1alpha1.Rollout
	// Catalogue of the templates that will be wanted; the first is wanted at first.
	Catalogue Catalogue
	// Lags of the cluster.
	Lags Lags
	// Routes is the number of route objects.
	Routes int
	// Silent has no data plane report what it serves of them.
	Silent bool
	// Services are the names of those of the stable slot, of the canary's and of the one both are copied from.
	Services [3]string
	// Bare has no Service exist that the controller would make itself.
	Bare bool
	// Workload has the Rollout take over from a Deployment of that many replicas; 0 for none.
	Workload int32
	// MinReady is minReadySeconds of that Deployment.
	MinReady int32
	// AnyPod has any of a revision's ready pods end when there are to be fewer, and not the youngest.
	AnyPod bool
	// Seed of everything that is drawn.
	Seed uint64
	// Transcript is kept when true.
	Transcript bool
	// Decide is the planner; nil for the real one.
	Decide func(plan.Snapshot) plan.Plan
}

// New makes a world with one controller, in which nothing has happened yet.
func New(s Setup) *World {
	w := &World{
		kernel: kernel{rng: rand.New(rand.NewPCG(s.Seed, s.Seed)), talks: s.Transcript, words: s.Catalogue.words()},
		lags:   s.Lags, catalogue: s.Catalogue, decide: s.Decide,
	}
	if w.decide == nil {
		w.decide = plan.Decide
	}
	w.pods = cluster{w: w, of: map[string]*podSet{}}
	if s.AnyPod {
		w.pods.choice = rand.New(rand.NewPCG(s.Seed, 8))
	}
	w.kubelet = kubelet{w}
	w.endpoints = endpointSlices{w: w}
	w.jobController = jobController{w}
	w.analyst = analyst{w: w}
	w.plane = plane{w: w, silent: s.Silent}
	w.mischief = mischief{w: w}
	w.laws = newLaws(w)
	w.create(s)
	w.lead()
	return w
}

func (w *World) create(s Setup) {
	r := s.Rollout.DeepCopy()
	r.Generation = 1
	first := w.catalogue.images[0]
	if s.Workload > 0 {
		w.live.workload = &workload{image: first, Workload: plan.Workload{Name: r.Name, Replicas: s.Workload, Current: s.Workload, Available: s.Workload, MinReadySeconds: s.MinReady}}
		r.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: r.Name}
		r.Spec.Template, r.Spec.Selector = nil, nil
	} else {
		r.Spec.Template, r.Spec.Selector = w.catalogue.entries[first].template, w.catalogue.selector
	}
	w.live.rollout, w.live.version = r, 1
	w.serviceNames = [...]string{
		stableService: s.Services[0], canaryService: s.Services[1], baselineService: r.Name + "-baseline", callerService: s.Services[2],
	}
	for i, name := range w.serviceNames {
		if name != "" && i != baselineService && (!s.Bare || i == callerService) {
			w.live.services[i] = emptyService(name)
		}
	}
	for range max(s.Routes, 1) {
		w.live.routes = append(w.live.routes, route{split: traffic.CanaryAt(0), generation: 1, accepted: 1, silent: s.Silent})
	}
	w.plane.begin(len(w.live.routes))
	w.pods.adopt(s.Workload)
	if s.Workload == 0 || s.Bare {
		w.laws.harm() // nothing serves at first by these Services, and nothing is lost by that
	}
}

// touch tells every cache that a kind of object has changed.
func (w *World) touch(k kind) {
	if c := w.writing; c != nil && !c.unseen[k].any {
		c.unseen[k].any, c.unseen[k].since = true, w.now
	}
	for _, c := range w.leaders {
		c.notice(k)
	}
}

// editRollout replaces the Rollout by an edited copy. A new generation is what
// a change of the spec makes.
func (w *World) editRollout(generation bool, edit func(*v1alpha1.Rollout)) {
	if w.live.rollout == nil {
		return
	}
	r := *w.live.rollout
	edit(&r)
	if generation {
		r.Generation++
	}
	if generation && asksMore(w.live.rollout, &r) {
		w.laws.harm()
	}
	w.live.rollout = &r
	w.live.version++
	if r.DeletionTimestamp != nil && len(r.Finalizers) == 0 {
		w.remove()
		return
	}
	w.touch(rollouts)
}

// asksMore reports whether a person or an HPA asks for pods that can't be there
// yet: more of them, or that fewer of them may be missing from now on.
func asksMore(old, now *v1alpha1.Rollout) bool {
	n, m := replicasOf(old), replicasOf(now)
	return m-spared(now, m) > n-spared(old, n)
}

// remove lets the Rollout go, and what it owns with it.
func (w *World) remove() {
	w.logf("the Rollout is gone, its pods go with it")
	w.laws.rest.gone()
	for _, s := range w.live.sets {
		w.pods.delete(s.Hash)
	}
	w.live.rollout = nil
	w.live.sets, w.live.runs, w.live.jobs = nil, nil, nil
	w.live.services[baselineService] = nil
	w.endpoints.lookAt(baselineService)
	w.touch(rollouts)
}

// deletion asks for the Rollout's deletion.
func (w *World) deletion() {
	if d := w.live.workload; d != nil && d.Before != nil && *d.Before > w.live.replicas() {
		w.laws.harm() // the Deployment gets back more pods than were wanted lately
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		at := metav1.NewTime(w.time())
		r.DeletionTimestamp = &at
	})
}

// step lets the next event happen and checks the laws; false when nothing is left to happen.
func (w *World) step() (bool, error) {
	e, ok := w.next()
	if !ok {
		return false, nil
	}
	e.Do()
	return true, w.laws.verdict()
}

// run lets events happen until a time, or until none is left.
func (w *World) run(until time.Duration) error {
	for len(w.queue) > 0 && w.queue[0].at <= until {
		if _, err := w.step(); err != nil {
			return err
		}
	}
	w.now = max(w.now, until)
	return nil
}
