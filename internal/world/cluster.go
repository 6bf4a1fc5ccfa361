// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// pod is one pod with a kubelet behind it.
type pod struct {
	hash    string
	name    string
	created time.Duration
	// ready since; meaningless while not ready.
	ready      bool
	since      time.Duration
	terminated bool
	// ended is when it was told to.
	ended time.Duration
	// graceful: it ended while pods were the split, so that it answers until
	// everybody has noticed, whatever moves traffic since.
	graceful bool
}

// serves reports whether requests sent to the pod are answered. A pod that was
// told to end does not count, although it may answer for a while.
func (p *pod) serves() bool { return p.ready && !p.terminated }

// podSet is the pods of one ReplicaSet, or of the Deployment (empty hash).
type podSet struct {
	pods []*pod
	// leaving were evicted.
	leaving []*pod
	syncing bool
	// graceful: its number was last changed while pods were the split.
	graceful bool
}

// ending is how long a pod that was told to end is still there.
const ending = 10 * time.Second

// cluster is the ReplicaSet controller and the Deployment's.
type cluster struct {
	w    *World
	of   map[string]*podSet
	made int
	// choice is which of the ready pods end when there are to be fewer; nil for the youngest.
	choice *rand.Rand
}

// adopt starts with the pods of a Deployment, up and listed everywhere.
func (c *cluster) adopt(n int32) {
	set := &podSet{}
	c.of[""] = set
	for range n {
		set.pods = append(set.pods, &pod{ready: true, since: -time.Hour})
	}
	for i := range c.w.endpoints.listed {
		c.w.endpoints.relist(i)
	}
	for i := range slots {
		for p := range c.w.plane.proxies {
			c.w.plane.proxies[p].known[i] = c.w.endpoints.listed[i]
		}
	}
}

// set of a revision, made when it is not there yet.
func (c *cluster) set(hash string) *podSet {
	s := c.of[hash]
	if s == nil {
		s = &podSet{}
		c.of[hash] = s
	}
	return s
}

// changed has the controllers follow a change of a revision's pods or of their number.
func (c *cluster) changed(hash string) {
	s := c.set(hash)
	if !s.syncing {
		s.syncing = true
		c.w.in(c.w.lags.Sync, "sync ReplicaSet", func() { c.sync(hash) })
	}
	for i := range c.w.endpoints.listing {
		c.w.endpoints.lookAt(i)
	}
}

// sync is one pass of the ReplicaSet controller, or of the Deployment's.
func (c *cluster) sync(hash string) {
	s := c.set(hash)
	s.syncing = false
	want, exists := c.wanted(hash)
	if !exists {
		return
	}
	for int32(len(s.pods)) < want {
		c.start(hash, s)
	}
	if extra := len(s.pods) - int(want); extra > 0 {
		c.end(s, extra)
		c.changed(hash)
	}
	c.report(hash)
}

func (c *cluster) wanted(hash string) (int32, bool) {
	if hash == "" {
		if c.w.live.workload == nil {
			return 0, false
		}
		return c.w.live.workload.Replicas, true
	}
	r, ok := c.w.live.set(hash)
	return r.Replicas, ok
}

// end removes pods, those that are not ready first. Of the others Kubernetes takes
// those that have company on their node, or cost less by an annotation, before the youngest.
func (c *cluster) end(s *podSet, n int) {
	slices.SortStableFunc(s.pods, func(a, b *pod) int { return int(a.since - b.since) })
	if c.choice != nil {
		c.choice.Shuffle(len(s.pods), func(i, j int) { s.pods[i], s.pods[j] = s.pods[j], s.pods[i] })
	}
	slices.SortStableFunc(s.pods, func(a, b *pod) int {
		switch {
		case a.ready == b.ready:
			return 0
		case a.ready:
			return -1
		}
		return 1
	})
	for _, p := range s.pods[len(s.pods)-n:] {
		c.terminate(p)
		p.graceful = p.graceful || s.graceful
	}
	s.pods = slices.Clone(s.pods[:len(s.pods)-n])
}

// asked notes that the number of a set's pods is changed now. Its pods may be told to end later.
func (c *cluster) asked(hash string) { c.set(hash).graceful = podsSplit(c.w) }

// terminate tells a pod to end.
func (c *cluster) terminate(p *pod) {
	p.terminated, p.ended = true, c.w.now
	p.graceful = podsSplit(c.w)
}

// delete removes a ReplicaSet's pods with it.
func (c *cluster) delete(hash string) {
	s := c.set(hash)
	c.end(s, len(s.pods))
	c.changed(hash)
}

// count is what a status says of pods.
type count struct{ current, ready, available int32 }

// count gives what the status of a ReplicaSet, or of the Deployment, should say.
func (c *cluster) count(hash string) count {
	least, pods := minReady(c, hash), c.set(hash).pods
	n := count{current: int32(len(pods))}
	for _, p := range pods {
		if !p.ready {
			continue
		}
		n.ready++
		if c.w.now >= p.since+least {
			n.available++
		}
	}
	return n
}

// minReady is how long a pod has to be ready to count as available.
func minReady(c *cluster, hash string) time.Duration {
	var n int32
	if hash == "" && c.w.live.workload != nil {
		n = c.w.live.workload.MinReadySeconds
	} else if r, ok := c.w.live.set(hash); ok {
		n = r.MinReadySeconds
	}
	return time.Duration(n) * time.Second
}

// ripen has the controllers look again when a ready pod has been so for long enough.
func ripen(c *cluster, p *pod) {
	if left := p.since + minReady(c, p.hash) - c.w.now; p.ready && left > 0 {
		c.w.at(c.w.now+left, "pod gets available", func() { c.changed(p.hash) })
	}
}

// ripenAll has them look at all pods of a set, which may have to be ready for another time now.
func ripenAll(c *cluster, hash string) {
	c.changed(hash)
	for _, p := range c.set(hash).pods {
		ripen(c, p)
	}
}

// report writes the status of a ReplicaSet or of the Deployment.
func (c *cluster) report(hash string) {
	n := c.count(hash)
	if hash == "" {
		w := *c.w.live.workload
		if w.Current != n.current || w.Available != n.available {
			w.Current, w.Available = n.current, n.available
			c.w.live.workload = &w
			c.w.touch(workloads)
		}
		return
	}
	r, ok := c.w.live.set(hash)
	if ok && (r.Current != n.current || r.Ready != n.ready || r.Available != n.available) {
		r.Current, r.Ready, r.Available = n.current, n.ready, n.available
		c.w.live.update(r, true)
		c.w.touch(replicaSets)
	}
}

// start makes a pod, which gets ready when its kubelet has it so.
func (c *cluster) start(hash string, s *podSet) {
	c.made++
	p := &pod{hash: hash, name: "pod-" + strconv.Itoa(c.made), created: c.w.now}
	s.pods = append(s.pods, p)
	health := c.w.catalogue.of(hash).Health
	delay := c.w.lags.Start
	switch health {
	case Broken:
		return
	case Slow:
		delay = Span{4 * delay.Min, 8 * delay.Max}
	case Good, Crashing:
	}
	c.w.in(delay, "pod gets ready", func() { c.w.kubelet.up(p, health) })
}

// vanish takes a pod away for good; its controller makes another.
func (c *cluster) vanish(p *pod) {
	s := c.set(p.hash)
	c.terminate(p)
	s.pods = slices.DeleteFunc(slices.Clone(s.pods), func(o *pod) bool { return o == p })
	c.w.laws.harm()
	c.changed(p.hash)
}

// evict ends a pod by the eviction API.
func (c *cluster) evict(name string) {
	for _, s := range c.of {
		for _, p := range s.pods {
			if p.name != name {
				continue
			}
			c.terminate(p)
			s.pods = slices.DeleteFunc(slices.Clone(s.pods), func(o *pod) bool { return o == p })
			s.leaving = append(s.leaving, p)
			c.changed(p.hash)
			return
		}
	}
}

// list gives the pods of a revision as the API server does.
func (c *cluster) list(hash string) []plan.Pod {
	var all []plan.Pod
	s := c.set(hash)
	for _, p := range s.pods {
		all = append(all, plan.Pod{Name: p.name, Created: epoch.Add(p.created.Truncate(time.Second))})
	}
	for _, p := range s.leaving {
		if c.w.now-p.ended < ending {
			all = append(all, plan.Pod{Name: p.name, Created: epoch.Add(p.created.Truncate(time.Second)), Terminating: true})
		}
	}
	return all
}
