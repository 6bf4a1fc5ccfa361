// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// stranger meddles with objects that the Rollout needs.
type stranger struct {
	w      *World
	gitops *gitops
	// deletes them, too, and the Rollout.
	deletes bool
}

func (s *stranger) editRoute() {
	w := s.w
	weight := int32(w.rng.IntN(101))
	i := w.rng.IntN(len(w.live.routes))
	if w.live.routes[i].gone || meansOf(w.live.rollout) != byRoute {
		return
	}
	w.logf("user gives the canary %d %% in route %d", weight, i+1)
	w.laws.harm()
	w.laws.rest.edits(routes, i)
	w.plane.write(i, traffic.CanaryAt(weight))
}

func (s *stranger) editService() {
	w := s.w
	i := w.rng.IntN(len(slots))
	if w.live.rollout.DeletionTimestamp != nil || w.live.services[i] == nil || len(w.live.sets) == 0 || !bound(w.live.rollout, w.serviceNames[i]) {
		return
	}
	r := w.live.sets[w.rng.IntN(len(w.live.sets))]
	w.logf("user points Service %s at %s", slots[i], w.name(r.Hash))
	w.laws.harm()
	w.laws.rest.edits(services, i)
	w.selects(i, r.Hash)
}

// delete takes a route, a Service or, seldom, the Rollout away. What is not the Rollout comes back later.
func (s *stranger) delete() {
	w := s.w
	if !s.deletes {
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
			s.gitops.restoreRoutes()
		})
	default:
		w.logf("user deletes a Service")
		w.laws.harm()
		i := w.rng.IntN(len(slots))
		w.live.services[i] = nil
		w.endpoints.lookAt(i)
		w.touch(services)
		w.in(back, "Service comes back", func() {
			if w.live.rollout != nil {
				w.logf("the Services are back")
				s.gitops.restoreServices()
			}
		})
	}
}
