// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// fate is what befalls one write.
type fate int

const (
	// done: the write is made and answered.
	done fate = iota
	// conflicts: somebody else was first; nothing is written.
	conflicts
	// refused: an error; nothing is written.
	refused
	// answerLost: it is written, but the controller gets an error.
	answerLost
	// killedBefore and killedAfter: the controller ends at this write.
	killedBefore
	killedAfter
)

// String names a fate.
func (f fate) String() string {
	return [...]string{"done", "conflicts", "is refused", "is made but its answer lost", "never leaves, its controller killed", "is the last of its controller, killed after it"}[f]
}

// mischief is what goes wrong in a world.
type mischief struct {
	w *World
	// over: nothing goes wrong any more, and pods stop crashing.
	over bool
	// script, when set, says what befalls the n-th write, from 1; else chance does.
	script func(n int) fate
	writes int
	// refuses, when set, names the writes that a webhook, a quota or missing rights have
	// refused each time. That is no excuse to any law: who does not need them goes on.
	refuses func(what string) bool
	// percent of all writes that something befalls.
	percent int
	// unreadableUntil is until when live reads fail.
	unreadableUntil time.Duration
	// restarts is how long a killed controller stays away.
	restarts Span
}

func (m *mischief) fate(what string) fate {
	m.writes++
	if m.refuses != nil && m.refuses(what) {
		return refused
	}
	f := done
	switch {
	case m.script != nil:
		f = m.script(m.writes)
	case m.w.chance(m.percent):
		f = conflicts + fate(m.w.rng.IntN(int(killedAfter)))
	}
	if f != done {
		m.w.laws.disturb()
	}
	return f
}

// refusable are the kinds of writes that nobody's safety hangs on, by what their actions are called.
var refusable = [...]string{"the role's metadata", "as available after", "AnalysisRun", "Job", "delete "}

// refuseSome lets the API server refuse one kind of write for a while.
func (m *mischief) refuseSome(rng *rand.Rand) {
	kind := pick(rng, refusable[:]...)
	from := time.Duration(rng.Int64N(int64(2 * time.Minute)))
	m.w.in(Exactly(from), "writes are refused", func() {
		if m.over {
			return
		}
		m.w.logf("whatever is called %q is refused from now on", kind)
		m.refuses = func(what string) bool { return !m.over && strings.Contains(what, kind) }
	})
	m.w.in(Exactly(from+time.Duration(rng.Int64N(int64(3*time.Minute)))), "writes are allowed", func() { m.refuses = nil })
}

func (m *mischief) unreadable() bool {
	if m.w.now >= m.unreadableUntil {
		return false
	}
	m.w.laws.disturb()
	return true
}

// kill ends a controller. Another starts after a while, unless one is there already.
func (m *mischief) kill(c *controller) {
	if c.dead {
		return
	}
	c.dead = true
	m.w.laws.disturb()
	if c.skew != 0 {
		leaps(m.w.laws.court) // the next one's clock is another
	}
	m.w.leaders = slices.DeleteFunc(slices.Clone(m.w.leaders), func(o *controller) bool { return o == c })
	if len(m.w.leaders) > 0 {
		return
	}
	m.w.in(m.restarts, "controller starts", func() {
		m.w.laws.disturb()
		if len(m.w.leaders) == 0 {
			m.w.logf("controller starts")
			m.w.lead()
		}
	})
}

// change lets another process take the lead while the former leader goes on for a
// while. The former leader's writes are refused by its fence, see kube.Fence. Or the
// fence fails, because the process stood still between its last look at the lease and
// the sending; then its writes are harm.
func (m *mischief) change(fenced bool) {
	if len(m.w.leaders) != 1 {
		return
	}
	old := m.w.leaders[0]
	old.former, old.fenced = true, fenced
	m.w.logf("another controller takes the lead; the old one goes on for a while")
	m.w.laws.disturb()
	m.w.lead().skew = old.skew
	m.w.in(Span{0, 5 * time.Second}, "old leader ends", func() {
		m.w.logf("the old leader ends")
		m.kill(old)
	})
}

// some draws what clusters do to controllers, and does it.
func (m *mischief) some() {
	w := m.w
	d := w.draw(Span{time.Second, time.Minute})
	switch w.rng.IntN(11) {
	case 0:
		m.drain()
	case 1:
		failPod(m, d)
	case 2:
		killLeader(m)
	case 3:
		m.change(m.w.chance(75))
	case 4:
		w.plane.stick(d)
	case 5:
		w.logf("the API server can't be read for %s", d)
		m.unreadableUntil = w.now + d
	case 6:
		w.logf("Prometheus is silent for %s", 4*d)
		w.analyst.silent = w.now + 4*d
	case 7:
		w.logf("EndpointSlices are slow for %s", d)
		w.endpoints.slow = 10
		w.in(Exactly(d), "EndpointSlices recover", func() { w.endpoints.slow = 1 })
	case 8:
		m.staleCaches(d)
	case 9:
		m.leap(d)
	case 10:
		m.vanishAll()
	}
}

func failPod(m *mischief, d time.Duration) {
	if p := m.anyPod(); p != nil {
		m.w.logf("a pod of %s fails for %s", m.w.name(p.hash), d)
		m.w.kubelet.crash(p, d)
	}
}

func killLeader(m *mischief) {
	if len(m.w.leaders) > 0 {
		m.w.logf("controller killed")
		m.kill(m.w.leaders[0])
	}
}

// drain takes away the pods of a node: a third of all.
func (m *mischief) drain() {
	m.w.logf("a node is drained")
	for _, p := range m.all() {
		if m.w.chance(33) {
			m.w.pods.vanish(p)
		}
	}
}

// vanishAll takes away every pod of one revision at once.
func (m *mischief) vanishAll() {
	victim := m.anyPod()
	if victim == nil {
		return
	}
	m.w.logf("all pods of %s vanish", m.w.name(victim.hash))
	for _, p := range m.all() {
		if p.hash == victim.hash {
			m.w.pods.vanish(p)
		}
	}
}

func (m *mischief) all() []*pod {
	var all []*pod
	for _, r := range m.w.live.sets {
		all = append(all, m.w.pods.set(r.Hash).pods...)
	}
	return append(all, m.w.pods.set("").pods...)
}

func (m *mischief) anyPod() *pod {
	all := m.all()
	if len(all) == 0 {
		return nil
	}
	return all[m.w.rng.IntN(len(all))]
}

// staleCaches lets no change arrive in the caches for a while.
func (m *mischief) staleCaches(d time.Duration) {
	m.w.logf("caches are stale for %s", min(d, 30*time.Second))
	usual := m.w.lags.Notice
	if usual.Max > 10*time.Second {
		return
	}
	m.w.lags.Notice = Span{0, min(d, 30*time.Second)}
	m.w.in(Exactly(d), "caches recover", func() { m.w.lags.Notice = usual })
	disturbUntil(m.w.laws.court, m.w.now+d)
}

// leap moves the controllers' clocks: far forward, or a little back.
func (m *mischief) leap(d time.Duration) {
	if m.w.chance(30) {
		d = -d / 20
	}
	m.w.logf("the controller's clock leaps by %s", d)
	leaps(m.w.laws.court) // a wait counted by a clock that leaps is no wait
	for _, c := range m.w.leaders {
		c.skew += d
	}
}

// name says which revision a hash is, as people call it.
func (w *World) name(hash string) string {
	if hash == "" {
		return "the Deployment"
	}
	stable, _ := plan.BaselineOf(hash)
	return w.catalogue.byHash[stable].image + strings.TrimPrefix(hash, stable)
}
