// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// endpointSlices is the EndpointSlice controller.
type endpointSlices struct {
	w       *World
	listing [serviceCount]bool
	// listed are the pods behind each Service, as its EndpointSlices say.
	listed [serviceCount][]*pod
	// slow multiplies the lag of EndpointSlices; what was slow to come is there at the latest at lateUntil.
	slow      int64
	lateUntil time.Duration
}

// lookAt has the EndpointSlice controller look at a Service soon.
func (e *endpointSlices) lookAt(slot int) {
	if e.listing[slot] {
		return
	}
	e.listing[slot] = true
	lag := e.w.lags.List
	if e.slow > 1 {
		lag = Span{lag.Min * time.Duration(e.slow), lag.Max * time.Duration(e.slow)}
		e.lateUntil = e.w.now + lag.Max
	}
	e.w.in(lag, "list endpoints", func() { e.relist(slot) })
}

// relist brings a Service's EndpointSlices up to date.
func (e *endpointSlices) relist(slot int) {
	e.listing[slot] = false
	pods := e.behind(slot)
	if slices.Equal(pods, e.listed[slot]) {
		return
	}
	e.listed[slot] = pods
	if old := e.w.live.services[slot]; old != nil {
		svc := plan.Service{Name: old.Name, Version: old.Version, Selects: old.Selects, Ready: map[string]int32{}}
		for _, p := range pods {
			svc.Ready[p.hash]++
			svc.Listed = append(svc.Listed, p.name)
		}
		e.w.live.services[slot] = &svc
		e.w.touch(services)
	}
	if slot < len(slots) {
		e.w.plane.hear(slot, pods)
	}
}

// behind are the pods that a Service's EndpointSlices should list now.
func (e *endpointSlices) behind(slot int) []*pod {
	svc := e.w.live.services[slot]
	if svc == nil {
		return nil
	}
	var pods []*pod
	add := func(hash string) {
		if s := e.w.pods.of[hash]; s != nil && (svc.Selects == "" || svc.Selects == hash) {
			for _, p := range s.pods {
				if p.serves() {
					pods = append(pods, p)
				}
			}
		}
	}
	add("")
	for _, r := range e.w.live.sets {
		add(r.Hash)
	}
	return pods
}
