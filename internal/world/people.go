// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// people are those who use the cluster: users, pipelines, GitOps and the HPA.
type people struct {
	w *World
	// git is the Rollout as it stands in Git; applied again, it undoes what others edited.
	git v1alpha1.RolloutSpec
	// said counts commands, for their ids.
	said int
	// strategies that people change to.
	strategies []v1alpha1.Strategy
	// load of the HPA, in pods' worth of work; 0 without an HPA.
	load float64
	// strangers may delete routes and Services, and the Rollout.
	strangers bool
}

// some happens at random: what people do.
func (h *people) some() {
	w := h.w
	if w.live.rollout == nil {
		return
	}
	deeds := [...]struct {
		of100 int
		do    func()
	}{
		{25, func() { h.want(pick(w.rng, w.catalogue.images...)) }},
		{8, func() { h.scale(int32(w.rng.IntN(10))) }},
		{4, func() { h.rewrite(pick(w.rng, w.catalogue.images...), int32(1+w.rng.IntN(8))) }},
		{8, func() { h.pause(w.rng.IntN(2) == 0) }},
		{4, func() { h.restrategy(pick(w.rng, h.strategies...)) }},
		{8, func() { h.say(v1alpha1.VerbAbort) }},
		{12, func() { h.say(v1alpha1.VerbPromote) }},
		{4, func() { h.say(v1alpha1.VerbPromoteFull) }},
		{8, func() {
			h.say(pick(w.rng, v1alpha1.VerbRetry, v1alpha1.VerbPause, v1alpha1.VerbResume, v1alpha1.VerbRestart, v1alpha1.VerbUndo, v1alpha1.VerbSkipAnalysis))
		}},
		{4, h.sayStale},
		{6, h.sync},
		{3, func() { h.editRoute(int32(w.rng.IntN(101))) }},
		{3, h.editService},
		{3, h.delete},
	}
	n := w.rng.IntN(100)
	for _, d := range deeds {
		if n -= d.of100; n < 0 {
			d.do()
			return
		}
	}
}

// rewrite changes template and replicas in one write.
func (h *people) rewrite(image string, replicas int32) {
	w := h.w
	if w.live.workload != nil {
		return
	}
	w.logf("user wants %s and %d replicas, in one write", image, replicas)
	if replicas > w.live.replicas() {
		w.laws.harm()
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		r.Spec.Template, r.Spec.Replicas = w.catalogue.entries[image].template, &replicas
	})
}

// want changes the template, in the Rollout or in the Deployment.
func (h *people) want(image string) {
	w := h.w
	w.logf("user wants %s", image)
	if w.live.workload != nil {
		d := *w.live.workload
		d.image = image
		w.live.workload = &d
		w.touch(workloads)
		return
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Template = w.catalogue.entries[image].template })
}

// scale changes replicas.
func (h *people) scale(n int32) {
	w := h.w
	w.logf("user wants %d replicas", n)
	if n > w.live.replicas() {
		w.laws.harm()
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Replicas = &n })
}

func (h *people) pause(paused bool) {
	h.w.logf("user sets paused to %t", paused)
	h.w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Paused = paused })
}

// restrategy changes the strategy, or within one its steps.
func (h *people) restrategy(s v1alpha1.Strategy) {
	w := h.w
	w.logf("user changes the strategy to %s", strategyName(s))
	w.laws.harm() // other bounds may hold from now on
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		if old := r.Spec.Strategy.Canary; old != nil && s.Canary != nil && len(old.Routes) > 0 && len(s.Canary.Routes) > 0 && w.chance(80) {
			canary := *old // another plan under the same routes
			canary.Steps, canary.Ramp, canary.Analysis = s.Canary.Steps, s.Canary.Ramp, s.Canary.Analysis
			s = v1alpha1.Strategy{Canary: &canary}
		}
		r.Spec.Strategy = s
	})
}

// say gives a command meant for what the status shows.
func (h *people) say(verb v1alpha1.Verb) {
	if r := h.w.live.rollout; r != nil {
		h.command(v1alpha1.Command{Verb: verb, Revision: r.Status.CanaryRevision})
	}
}

// sayStale gives a command that fits nothing any more.
func (h *people) sayStale() {
	step := int32(h.w.rng.IntN(8))
	verbs := []v1alpha1.Verb{v1alpha1.VerbPromote, v1alpha1.VerbPromoteFull, v1alpha1.VerbAbort, "dance"}
	cmd := v1alpha1.Command{Verb: verbs[h.w.rng.IntN(len(verbs))], Step: &step}
	if h.w.rng.IntN(2) == 0 {
		cmd.Revision = "gone"
	}
	h.command(cmd)
}

func (h *people) command(cmd v1alpha1.Command) {
	h.said++
	cmd.By = "user"
	cmd.ID = fmt.Sprintf("c%d", h.said)
	raw, err := json.Marshal(cmd)
	if err != nil {
		return
	}
	h.w.logf("user says %s", cmd.Verb)
	h.w.editRollout(false, func(r *v1alpha1.Rollout) {
		r.Annotations = maps.Clone(r.Annotations)
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha1.CommandAnnotation, string(raw))
	})
}

// sync has GitOps apply one of its manifests again, whatever stands there now.
func (h *people) sync() {
	w := h.w
	switch w.rng.IntN(3) {
	case 0:
		w.logf("GitOps applies the route again")
		h.restoreRoutes()
	case 1:
		w.logf("GitOps applies the Services again")
		h.restoreServices()
	case 2:
		w.logf("GitOps applies the Rollout again")
		if h.git.Replicas != nil && *h.git.Replicas > w.live.replicas() {
			w.laws.harm()
		}
		w.editRollout(true, func(r *v1alpha1.Rollout) {
			template, ref := r.Spec.Template, r.Spec.WorkloadRef
			r.Spec = h.git
			r.Spec.Template, r.Spec.WorkloadRef, r.Spec.Selector = template, ref, w.live.rollout.Spec.Selector
		})
	}
}

// restoreRoutes writes the routes as they stand in Git: everything to stable.
func (h *people) restoreRoutes() {
	h.w.laws.harm()
	for i := range h.w.live.routes {
		h.w.plane.write(i, traffic.CanaryAt(0))
	}
}

// restoreServices writes the Services as they stand in Git: not narrowed.
func (h *people) restoreServices() {
	h.w.laws.harm()
	for i, name := range h.w.serviceNames {
		if name == "" || h.ours(i) {
			continue
		}
		if h.w.live.services[i] == nil {
			h.w.live.services[i] = emptyService(name)
			h.w.pods.listed[i] = nil
		}
		h.w.selects(i, "")
	}
}

// ours: the controller makes the Service itself, so Git knows nothing of it.
func (h *people) ours(slot int) bool {
	r := h.w.live.rollout
	return slot != callerService && r != nil && plan.MakesServices(r)
}

func (h *people) editRoute(weight int32) {
	w := h.w
	i := w.rng.IntN(len(w.live.routes))
	if w.live.routes[i].gone || meansOf(w.live.rollout) != byRoute {
		return
	}
	w.logf("user gives the canary %d %% in route %d", weight, i+1)
	w.laws.harm()
	w.plane.write(i, traffic.CanaryAt(weight))
}

func (h *people) editService() {
	w := h.w
	i := w.rng.IntN(len(slots))
	if w.live.services[i] == nil || len(w.live.sets) == 0 || !bound(w.live.rollout, w.serviceNames[i]) {
		return
	}
	r := w.live.sets[w.rng.IntN(len(w.live.sets))]
	w.logf("user points Service %s at %s", slots[i], w.name(r.Hash))
	w.laws.harm()
	w.selects(i, r.Hash)
}

// delete takes a route, a Service or, seldom, the Rollout away. What is not the Rollout comes back later.
func (h *people) delete() {
	w := h.w
	if !h.strangers {
		return
	}
	back := Span{time.Second, 3 * time.Minute}
	switch w.rng.IntN(5) {
	case 0:
		w.logf("user deletes the Rollout")
		w.deletion()
	case 1, 2:
		w.logf("user deletes a route")
		w.laws.harm()
		w.plane.delete(w.rng.IntN(len(w.live.routes)))
		w.in(back, "route comes back", func() {
			w.logf("the route is back")
			h.restoreRoutes()
		})
	default:
		w.logf("user deletes a Service")
		w.laws.harm()
		i := w.rng.IntN(len(slots))
		w.live.services[i] = nil
		w.pods.lookAt(i)
		w.touch(services)
		w.in(back, "Service comes back", func() {
			if w.live.rollout != nil {
				w.logf("the Services are back")
				h.restoreServices()
			}
		})
	}
}

// autoscale is one look of the HPA, by its own formula: the average over the
// ready pods that the selector matches, within a tolerance of a tenth.
func (h *people) autoscale() {
	w := h.w
	if w.live.rollout == nil || h.load == 0 {
		return
	}
	ready := int32(0)
	for _, r := range w.live.sets {
		for _, p := range w.pods.set(r.Hash).pods {
			if p.serves() {
				ready++
			}
		}
	}
	current := w.live.replicas()
	if ready == 0 || current == 0 {
		return
	}
	ratio := h.load / float64(ready) // each pod's use over its target
	if ratio > 0.9 && ratio < 1.1 {
		return
	}
	want := int32(ratio * float64(ready))
	if float64(want) < ratio*float64(ready) {
		want++
	}
	if want = min(max(want, 1), 12); want != current {
		w.logf("HPA wants %d replicas instead of %d, by %d ready pods", want, current, ready)
		if want > current {
			w.laws.harm()
		}
		w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Replicas = &want })
	}
}

// leave brings back what people have taken away, and ends every pause.
func (h *people) leave() {
	w := h.w
	w.logf("users leave")
	if w.live.rollout == nil {
		return
	}
	if slices.ContainsFunc(w.live.routes, func(r route) bool { return r.gone }) {
		h.restoreRoutes()
	}
	if w.live.services[0] == nil || w.live.services[1] == nil {
		h.restoreServices()
	}
	h.pause(false)
	h.say(v1alpha1.VerbResume)
	if w.live.rollout.Status.StableRevision == "" && w.catalogue.entries[w.live.image()].Health != Good {
		h.want(w.catalogue.images[0]) // a first revision that never gets ready never rests
	}
}
