// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// BrokenLaw is a law that did not hold.
type BrokenLaw struct {
	// Law is its number in the API's list; 0 is liveness.
	Law int
	// What was seen.
	What string
}

// Error implements error.
func (b *BrokenLaw) Error() string {
	return fmt.Sprintf("law %d (%s): %s", b.Law, lawNames[b.Law], b.What)
}

// lawNames in short, by number.
var lawNames = [...]string{
	"every release comes to rest",
	"no traffic without endpoints",
	"capacity before traffic, traffic before removal",
	"weights sum to 100",
	"abort returns everything to stable",
	"the cursor never goes back",
	"a settled Rollout causes no writes",
	"a killed controller changes nothing in the end",
	"every wait has a reason and a wake-up",
	"a missing measurement never passes",
}

const (
	// returnBound is within what an undisturbed abort must reach 0 %, with every lag at its longest.
	returnBound = 20 * time.Second
	// rescueBound is within what traffic must have left endpoints that vanished.
	rescueBound = 90 * time.Second
)

// laws watches a world. Some laws are judged after every event, by what the
// data plane does; others at the writes of the controller.
type laws struct {
	w      *World
	broken *BrokenLaw
	// checked counts judgements by law.
	checked [len(lawNames)]int
	// harmed: something outside the planner's power disturbs requests. Until
	// all is in order again, requests may be lost for as long as a rescue takes.
	harmed   bool
	harmedAt time.Duration
	// disturbedAt is when writes or reads of the controller last went wrong.
	disturbedAt time.Duration
	// lostAt is since when requests are lost that could be served elsewhere; -1 when they are not.
	lostAt time.Duration
	// abortedAt is when the last abort was decided, of aborted; -1 when traffic
	// has left since, or where nothing promises a time because pods have to start first.
	abortedAt time.Duration
	aborted   string
	// capableAt is since when stable could carry everything.
	capableAt time.Duration
	// slowest is the longest time from an abort to 0 %: of all, and of those that nothing disturbed.
	slowest, slowestCalm time.Duration
	aborts               int
	// dice are the laws' own, so that judging does not change what is judged.
	dice *rand.Rand
}

func newLaws(w *World) laws {
	return laws{w: w, lostAt: -1, abortedAt: -1, harmedAt: -1, disturbedAt: -1, dice: rand.New(rand.NewPCG(1, 2))}
}

// breaks notes the first broken law.
func (l *laws) breaks(law int, format string, args ...any) {
	if l.broken == nil {
		l.broken = &BrokenLaw{law, fmt.Sprintf(format, args...)}
		l.w.logf("LAW %d BROKEN: %s", law, l.broken.What)
	}
}

// harm says that something now disturbs requests that the planner can't help.
func (l *laws) harm() {
	l.harmed, l.harmedAt = true, l.w.now
	l.disturb()
}

// disturb says that something goes wrong for the controller.
func (l *laws) disturb() { l.disturbedAt = l.w.now }

// verdict judges the state of the world after an event.
func (l *laws) verdict(Event) error {
	if l.expectsTraffic() {
		l.servable()
		l.returns()
	}
	if l.harmed && l.calm() {
		l.harmed = false
	}
	if l.broken != nil {
		return l.broken
	}
	return nil
}

// expectsTraffic: there is something that should serve.
func (l *laws) expectsTraffic() bool {
	o := &l.w.live
	if o.rollout == nil || o.rollout.DeletionTimestamp != nil {
		return o.workload != nil && o.workload.Before == nil
	}
	return o.replicas() > 0 && (o.rollout.Status.StableRevision != "" || o.workload != nil)
}

// servable judges laws 1 and 2 by the data plane: every share that a proxy
// serves has endpoints behind it, and enough of them.
func (l *laws) servable() {
	l.checked[1]++
	l.checked[2]++
	lost := false
	for n := range l.w.plane.proxies {
		proxy := &l.w.plane.proxies[n]
		for slot := range slots {
			alive := l.alive(proxy.known[slot])
			for i := range proxy.split {
				s := proxy.split[i]
				share := s.Of(slots[slot])
				if share > 0 || slots[slot] == traffic.Canary && len(s.Matches) > 0 {
					lost = lost || l.short(n, slot, share, alive)
				}
			}
		}
	}
	l.rescue(lost)
}

// short judges one share of one proxy; true when its requests are lost though another slot could serve them.
func (l *laws) short(n, slot int, share, alive int32) bool {
	need := l.w.live.need(share)
	if ro := l.w.live.rollout; ro != nil {
		need -= spared(ro, need)
	}
	switch {
	case alive >= need && alive > 0:
		return false
	case !l.harmed && alive == 0:
		l.breaks(1, "proxy %d sends %d %% to %s, which has no endpoint that serves", n, share, slots[slot])
	case !l.harmed:
		l.breaks(2, "proxy %d sends %d %% to %s, which has %d endpoints that serve and needs %d", n, share, slots[slot], alive, need)
	}
	return alive == 0 && l.elsewhere(n, slot)
}

// grace is how long a pod that was told to end still answers. It counts only
// where pods themselves are the split: there, as with a Deployment, nothing but
// this grace covers the time until everybody has noticed.
const grace = 30 * time.Second

// alive counts the pods that answer.
func (l *laws) alive(pods []*pod) int32 {
	ro := l.w.live.rollout
	graceful := ro != nil && meansOf(ro) == byReplicas
	var n int32
	for _, p := range pods {
		if p.serves() || graceful && p.ready && l.w.now-p.ended < grace {
			n++
		}
	}
	return n
}

// elsewhere reports whether the other slot could serve.
func (l *laws) elsewhere(n, slot int) bool {
	if ro := l.w.live.rollout; ro == nil || meansOf(ro) != byRoute {
		return false
	}
	for _, p := range l.w.plane.proxies[n].known[1-slot] {
		if p.serves() {
			return true
		}
	}
	return false
}

// rescue judges the other half of law 1: traffic leaves endpoints that vanished, at once.
func (l *laws) rescue(lost bool) {
	if !lost || l.unsteerable() {
		l.lostAt = -1
		return
	}
	if l.lostAt < 0 {
		l.lostAt = l.w.now
	}
	if since := max(l.lostAt, l.disturbedAt, l.harmedAt); l.w.now-since > rescueBound {
		l.breaks(1, "for %s requests go to endpoints that vanished, although another slot could serve them", l.w.now-since)
	}
}

// unsteerable: a route or Service is missing, so nobody could help.
func (l *laws) unsteerable() bool {
	for _, r := range l.w.live.routes {
		if r.gone {
			return true
		}
	}
	for i := range slots {
		if l.w.live.services[i] == nil && l.w.serviceNames[i] != "" {
			return true
		}
	}
	return l.w.now < l.w.plane.stuck
}

// calm reports whether everything agrees and every share is carried.
func (l *laws) calm() bool {
	w := l.w
	if w.now-l.harmedAt < 5*time.Second || l.unsteerable() {
		return false
	}
	for slot := range slots {
		behind := w.pods.behind(slot)
		most := w.plane.most(slots[slot])
		if slots[slot] == traffic.Canary && w.plane.matches() {
			most = max(most, 1)
		}
		if most > 0 && (int32(len(behind)) < w.live.need(most) || len(behind) == 0) || !same(behind, w.pods.listed[slot]) {
			return false
		}
		for n := range w.plane.proxies {
			if !same(behind, w.plane.proxies[n].known[slot]) {
				return false
			}
		}
	}
	for n := range w.plane.proxies {
		for i, s := range w.plane.proxies[n].split {
			if !s.Equal(w.live.routes[i].split) || w.plane.proxies[n].generation[i] != w.live.routes[i].generation {
				return false
			}
		}
	}
	return true
}

func same(a, b []*pod) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// returns judges law 4 by the clock: an abort that nothing disturbs reaches 0 % within a bound.
func (l *laws) returns() {
	if l.abortedAt < 0 {
		return
	}
	share := l.w.plane.share(l.aborted)
	if ro := l.w.live.rollout; share > 0 && ro != nil && dynamic(ro) && !l.capable() {
		l.capableAt = l.w.now
	}
	took := l.w.now - l.capableAt
	if share == 0 {
		l.slowest = max(l.slowest, l.w.now-l.abortedAt)
		if !l.disturbedSince(l.abortedAt) {
			l.slowestCalm = max(l.slowestCalm, took)
		}
		l.abortedAt = -1
		return
	}
	if took > returnBound && !l.disturbedSince(l.abortedAt) {
		l.breaks(4, "%s after an abort that nothing disturbed %s still gets %d %%", took, l.w.name(l.aborted), share)
	}
}

// capable reports whether every proxy knows enough of stable's pods to carry
// everything: until then a stable that was shrunk on demand may get less.
func (l *laws) capable() bool {
	for n := range l.w.plane.proxies {
		if l.alive(l.w.plane.proxies[n].known[stableService]) < l.w.live.replicas() {
			return false
		}
	}
	return true
}

// disturbedSince: nothing can be promised about times then.
func (l *laws) disturbedSince(t time.Duration) bool {
	const before = time.Minute // what went wrong may linger: backoff, absence, slow endpoints
	return l.harmed || l.disturbedAt >= 0 && l.disturbedAt >= t-before || l.harmedAt >= 0 && l.harmedAt >= t-before
}

// signed judges what a stored status says, against the one before it.
func (l *laws) signed(p *pass, old, now *v1alpha1.RolloutStatus) {
	l.cursor(p, old, now)
	l.latch(old, now)
	l.reasons(now)
	l.evidence(p, old, now)
}

// done judges a pass that carried out all it wanted.
func (l *laws) done(p *pass) {
	l.returned(p)
	if l.dice.IntN(4) == 0 {
		l.twice(p)
	}
}

// twice judges law 6: the same world once more, its parts in another order, wants nothing written.
func (l *laws) twice(p *pass) {
	if len(p.plan.Actions) > 0 || !reflect.DeepEqual(p.read.rollout.Status.Bindings, p.plan.Status.Bindings) {
		return // what it wants next names objects that it has not read
	}
	l.checked[6]++
	again := p.read
	ro := *again.rollout
	ro.Status = p.plan.Status
	again.rollout = &ro
	again.sets = append([]plan.Revision(nil), again.sets...)
	l.dice.Shuffle(len(again.sets), func(i, j int) { again.sets[i], again.sets[j] = again.sets[j], again.sets[i] })
	look := *p
	look.read = again
	second := plan.Decide(look.snapshot())
	if len(second.Actions) > 0 {
		l.breaks(6, "a second look at the same world wants: %s (%s)", second.Actions[0], second.Actions[0].Why())
	}
	if what := difference(p.plan.Status, second.Status); what != "" {
		l.breaks(6, "a second look at the same world writes another status: %s", what)
	}
}
