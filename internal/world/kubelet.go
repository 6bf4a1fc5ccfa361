// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"
)

// kubelet brings pods up and down.
type kubelet struct{ w *World }

func (k *kubelet) up(p *pod, health Health) {
	if p.terminated || p.ready {
		return
	}
	p.ready, p.since = true, k.w.now
	k.w.pods.changed(p.hash)
	ripen(&k.w.pods, p)
	if health == Crashing && !k.w.mischief.over {
		k.w.in(Span{time.Second, 20 * time.Second}, "pod crashes", func() { k.crash(p, 10*time.Second) })
	}
}

// crash takes a pod down for a while.
func (k *kubelet) crash(p *pod, restart time.Duration) {
	if p.terminated || !p.ready {
		return
	}
	p.ready = false
	k.w.laws.harm()
	k.w.pods.changed(p.hash)
	k.w.in(Exactly(restart), "pod restarts", func() { k.up(p, k.w.catalogue.of(p.hash).Health) })
}
