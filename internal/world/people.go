// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// people are those who command and who edit the Rollout: users and pipelines.
type people struct {
	w        *World
	gitops   gitops
	hpa      hpa
	stranger stranger
	// said counts commands, for their ids.
	said int
	// strategies that people change to.
	strategies []v1alpha1.Strategy
	// ripens are the dice for minReadySeconds; nil for nobody who changes that.
	ripens *rand.Rand
	// replans are the dice for steps; nil for nobody who edits them under way.
	replans *rand.Rand
}

func newPeople(w *World) *people {
	h := &people{w: w, gitops: gitops{w: w, spec: w.live.rollout.Spec}, hpa: hpa{w: w}}
	h.stranger = stranger{w: w, gitops: &h.gitops}
	return h
}

// some happens at random: what people do.
func (h *people) some() {
	w := h.w
	if w.live.rollout == nil {
		return
	}
	if h.ripens != nil && h.ripens.IntN(12) == 0 {
		h.ripen(pick[int32](h.ripens, 0, 1, 5, 15))
	}
	if h.replans != nil && h.replans.IntN(8) == 0 {
		h.replan()
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
		{6, h.gitops.sync},
		{3, h.stranger.editRoute},
		{3, h.stranger.editService},
		{3, h.stranger.delete},
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
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		r.Spec.Template, r.Spec.Replicas = w.catalogue.entries[image].template, &replicas
	})
}

// editWorkload changes the referenced Deployment.
func editWorkload(w *World, edit func(*workload)) {
	d := *w.live.workload
	edit(&d)
	w.live.workload = &d
	w.touch(workloads)
}

// want changes the template, in the Rollout or in the Deployment.
func (h *people) want(image string) {
	w := h.w
	w.logf("user wants %s", image)
	if w.live.workload != nil {
		editWorkload(w, func(d *workload) { d.image = image })
		return
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Template = w.catalogue.entries[image].template })
}

// scale changes replicas.
func (h *people) scale(n int32) {
	w := h.w
	w.logf("user wants %d replicas", n)
	w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Replicas = &n })
}

// ripen changes how long pods have to be ready, in the Rollout or in the Deployment.
func (h *people) ripen(n int32) {
	w := h.w
	w.logf("user wants pods ready for %d s", n)
	if w.live.workload != nil {
		editWorkload(w, func(d *workload) { d.MinReadySeconds = n })
		ripenAll(&w.pods, "")
		return
	}
	w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.MinReadySeconds = n })
}

func (h *people) pause(paused bool) {
	h.w.logf("user sets paused to %t", paused)
	h.w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Paused = paused })
}

// restrategy changes the strategy, or within one its steps.
func (h *people) restrategy(s v1alpha1.Strategy) {
	w := h.w
	w.logf("user changes the strategy to %s", strategyName(s))
	w.editRollout(true, func(r *v1alpha1.Rollout) {
		if old := r.Spec.Strategy.Canary; old != nil && s.Canary != nil && len(old.Routes) > 0 && len(s.Canary.Routes) > 0 && w.chance(80) {
			canary := *old // another plan under the same routes
			canary.Steps, canary.Ramp, canary.Analysis, canary.Stickiness = s.Canary.Steps, s.Canary.Ramp, s.Canary.Analysis, s.Canary.Stickiness
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

// leave brings back what people have taken away, and ends every pause.
func (h *people) leave() {
	w := h.w
	w.logf("users leave")
	if w.live.rollout == nil {
		return
	}
	if slices.ContainsFunc(w.live.routes, func(r route) bool { return r.gone }) {
		h.gitops.restoreRoutes()
	}
	if w.live.services[0] == nil || w.live.services[1] == nil {
		h.gitops.restoreServices()
	}
	h.pause(false)
	h.say(v1alpha1.VerbResume)
	if w.live.rollout.Status.StableRevision == "" && w.catalogue.entries[w.live.image()].Health != Good {
		h.want(w.catalogue.images[0]) // a first revision that never gets ready never rests
	}
}
