// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// gitops applies what stands in Git again and again, whatever others made of it.
type gitops struct {
	w *World
	// spec is the Rollout's as it stands in Git.
	spec v1alpha1.RolloutSpec
}

// sync has GitOps apply one of its manifests again, whatever stands there now.
func (g *gitops) sync() {
	w := g.w
	switch w.rng.IntN(3) {
	case 0:
		w.logf("GitOps applies the route again")
		g.restoreRoutes()
	case 1:
		w.logf("GitOps applies the Services again")
		g.restoreServices()
	case 2:
		w.logf("GitOps applies the Rollout again")
		w.editRollout(true, func(r *v1alpha1.Rollout) {
			template, ref := r.Spec.Template, r.Spec.WorkloadRef
			r.Spec = g.spec
			r.Spec.Template, r.Spec.WorkloadRef, r.Spec.Selector = template, ref, w.live.rollout.Spec.Selector
		})
	}
}

// restoreRoutes writes the routes as they stand in Git: everything to stable.
func (g *gitops) restoreRoutes() {
	g.w.laws.harm()
	for i := range g.w.live.routes {
		g.w.plane.write(i, traffic.CanaryAt(0))
	}
}

// restoreServices writes the Services as they stand in Git: not narrowed.
func (g *gitops) restoreServices() {
	g.w.laws.harm()
	for i, name := range g.w.serviceNames {
		if name == "" || g.ours(i) {
			continue
		}
		if g.w.live.services[i] == nil {
			g.w.live.services[i] = emptyService(name)
			g.w.endpoints.listed[i] = nil
		}
		g.w.selects(i, "")
	}
}

// ours: the controller makes the Service itself, so Git knows nothing of it.
func (g *gitops) ours(slot int) bool {
	r := g.w.live.rollout
	return slot == baselineService || slot != callerService && r != nil && plan.MakesServices(r)
}
