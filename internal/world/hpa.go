// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// hpa is a HorizontalPodAutoscaler.
type hpa struct {
	w *World
	// load in pods' worth of work; 0 without an HPA.
	load float64
}

// begin has it look every 15 seconds, and its load change, as long as there is any.
func (a *hpa) begin() {
	a.w.in(Exactly(15*time.Second), "HPA looks", func() {
		if a.load == 0 {
			return
		}
		if a.w.chance(10) {
			a.load = 0.5 + 8*a.w.rng.Float64()
		}
		a.look()
		a.begin()
	})
}

func readyPods(w *World) int32 {
	var ready int32
	for _, r := range w.live.sets {
		for _, p := range w.pods.set(r.Hash).pods {
			if p.serves() {
				ready++
			}
		}
	}
	return ready
}

// look goes by the HPA's own formula: the average over the ready pods that the
// selector matches, within a tolerance of a tenth.
func (a *hpa) look() {
	w := a.w
	if w.live.rollout == nil || a.load == 0 {
		return
	}
	ready, current := readyPods(w), w.live.replicas()
	if ready == 0 || current == 0 {
		return
	}
	ratio := a.load / float64(ready) // each pod's use over its target
	if ratio > 0.9 && ratio < 1.1 {
		return
	}
	want := int32(ratio * float64(ready))
	if float64(want) < ratio*float64(ready) {
		want++
	}
	if want = min(max(want, 1), 12); want != current {
		w.logf("HPA wants %d replicas instead of %d, by %d ready pods", want, current, ready)
		w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Replicas = &want })
	}
}
