// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// rescueBound is how soon traffic must have left endpoints that vanished, from when
// nothing disturbs the controller any more.
const rescueBound = 90 * time.Second

// servingLaws are laws 1 and 2 as callers feel them, judged by what the proxies do:
//   - 1: a proxy that sends anything to a slot knows an endpoint there that serves.
//   - 2: it knows enough of them for the share that it sends.
//   - 1, the rescue: when endpoints vanish their traffic is moved to a slot that serves,
//     within rescueBound. This part holds during harm, too; the others do not. What proxies
//     go on serving of a deleted route can't be moved.
type servingLaws struct {
	*court
	// lostAt is since when requests are lost that could be served elsewhere; -1 when they are not.
	lostAt time.Duration
}

// judge looks at each share that each proxy serves of each route.
func (l *servingLaws) judge() {
	l.checked[1]++
	l.checked[2]++
	lost := false
	for n := range l.w.plane.proxies {
		proxy := &l.w.plane.proxies[n]
		for slot := range slots {
			if l.w.laws.rest.narrowed(slot) {
				continue
			}
			alive := alive(l.w, proxy.known[slot])
			for i := range proxy.split {
				if l.w.laws.rest.foreign(i) {
					continue
				}
				s := proxy.split[i]
				share := s.Of(slots[slot])
				if share > 0 || slots[slot] == traffic.Canary && len(s.Matches) > 0 {
					lost = l.short(n, slot, share, alive) && l.w.plane.told(n, i) || lost
				}
			}
		}
	}
	l.rescue(lost)
}

// short judges one share of one proxy; true when its requests are lost although another slot could serve them.
func (l *servingLaws) short(n, slot int, share, alive int32) bool {
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

// elsewhere reports whether the slot that should take over could serve.
func (l *servingLaws) elsewhere(n, slot int) bool {
	if ro := l.w.live.rollout; ro == nil || meansOf(ro) != byRoute {
		return false
	}
	for _, p := range l.w.plane.proxies[n].known[instead[slot]] {
		if p.serves() {
			return true
		}
	}
	return false
}

// rescue judges that traffic leaves endpoints that vanished.
func (l *servingLaws) rescue(lost bool) {
	if !lost || l.unsteerable() {
		l.lostAt = -1
		return
	}
	if l.lostAt < 0 {
		l.lostAt = l.w.now
	}
	if since := max(l.lostAt, l.disturbedAt, l.harmedAt, l.w.endpoints.lateUntil); l.w.now-since > rescueBound {
		l.breaks(1, "for %s requests go to endpoints that vanished, although another slot could serve them", l.w.now-since)
	}
}
