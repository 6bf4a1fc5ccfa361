// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// proxy is one instance of the data plane. Instances lag on their own, so that
// a change is served by one before it is by another.
type proxy struct {
	// split that it serves for each route, and the generation it is from.
	split      []traffic.Split
	generation []int64
	// known are the endpoints that it sends each slot's requests to.
	known [len(slots)][]*pod
	heard [len(slots)]int
}

// plane is the data plane: the gateways and their proxies.
type plane struct {
	w       *World
	proxies [2]proxy
	heard   [len(slots)]int
	// stuck is until when no gateway accepts anything, and no proxy follows where
	// gateways don't report.
	stuck time.Duration
	// silent: nobody reports what is served. Proxies follow within convergence.settle all the same.
	silent bool
}

func (p *plane) begin(routes int) {
	for i := range p.proxies {
		for range routes {
			p.proxies[i].split = append(p.proxies[i].split, traffic.CanaryAt(0))
			p.proxies[i].generation = append(p.proxies[i].generation, 1)
		}
	}
}

// write stores a split in a route. Some proxies serve it before the gateway
// says that it is accepted, all of them at the latest Serve after that. Where
// nobody says so they do within the settle time.
func (p *plane) write(i int, s traffic.Split) {
	w := p.w
	rs := append([]route(nil), w.live.routes...)
	rs[i].split = s
	rs[i].generation++
	rs[i].gone = false
	w.live.routes = rs
	w.touch(routes)
	generation := rs[i].generation
	if p.silent {
		for n := range p.proxies {
			w.at(max(w.now, p.stuck)+w.draw(Span{0, settle}), "proxy serves", func() { p.serve(n, i, generation, s) })
		}
		return
	}
	accepts := max(w.now, p.stuck) + w.draw(w.lags.Accept)
	for n := range p.proxies {
		at := accepts + w.draw(w.lags.Serve)
		if w.lags.Serve.Min < w.lags.Serve.Max && w.chance(30) {
			at = w.now + w.draw(Span{0, accepts - w.now})
		}
		w.at(at, "proxy serves", func() { p.serve(n, i, generation, s) })
	}
	w.at(accepts, "gateway accepts", func() { p.accept(i, generation) })
}

// stick lets no write reach the data plane for a while. Where gateways report, the
// planner can wait for them. Where nobody reports only the requests can tell, so that
// what the planner does after a settle time may be wrong: that is harm.
func (p *plane) stick(d time.Duration) {
	w := p.w
	if p.silent {
		d *= 8
		w.logf("no proxy follows the routes for %s", d)
		w.laws.harm()
	} else {
		w.logf("no gateway accepts anything for %s", d)
		w.laws.disturb()
	}
	p.stuck = w.now + d
}

// late reports whether the data plane breaks its promise: what was written while
// it followed nothing is not served by every proxy yet.
func (p *plane) late() bool {
	if !p.silent || p.stuck == 0 {
		return false
	}
	for n := range p.proxies {
		for i, r := range p.w.live.routes {
			if p.proxies[n].generation[i] < r.generation {
				return true
			}
		}
	}
	if p.w.now >= p.stuck {
		p.stuck = 0
	}
	return false
}

func (p *plane) accept(i int, generation int64) {
	if p.w.live.routes[i].generation != generation || p.w.live.routes[i].gone {
		return
	}
	rs := append([]route(nil), p.w.live.routes...)
	rs[i].accepted = generation
	p.w.live.routes = rs
	p.w.touch(routes)
}

// serve has one proxy take up what a route said, unless it has newer already.
func (p *plane) serve(n, i int, generation int64, s traffic.Split) {
	proxy := &p.proxies[n]
	if proxy.generation[i] >= generation {
		return
	}
	proxy.generation[i], proxy.split[i] = generation, s
}

// hear tells the proxies of new endpoints; each takes them up when it does.
func (p *plane) hear(slot int, pods []*pod) {
	p.heard[slot]++
	order := p.heard[slot]
	for n := range p.proxies {
		p.w.in(p.w.lags.Learn, "proxy learns endpoints", func() {
			if proxy := &p.proxies[n]; proxy.heard[slot] < order {
				proxy.heard[slot], proxy.known[slot] = order, pods
			}
		})
	}
}

// delete takes a route object away. Proxies go on as they were, and nobody is judged by that.
func (p *plane) delete(i int) {
	rs := append([]route(nil), p.w.live.routes...)
	rs[i].gone = true
	rs[i].generation++
	rs[i].lost = rs[i].generation
	p.w.live.routes = rs
	p.w.touch(routes)
}

// share is the largest that any proxy sends to endpoints of a revision, by any route that
// is not a stranger's own.
func (p *plane) share(hash string) int32 {
	var most int32
	for n := range p.proxies {
		proxy := &p.proxies[n]
		for i, s := range proxy.split {
			if p.w.laws.rest.foreign(i) {
				continue
			}
			var sum int32
			for slot := range slots {
				if sends(proxy.known[slot], hash) {
					sum += s.Of(slots[slot])
				}
			}
			most = max(most, sum)
		}
	}
	return most
}

// mean is the share that endpoints of a revision get over all proxies and routes.
func (p *plane) mean(hash string) float64 {
	var sum, n float64
	for i := range p.proxies {
		for _, s := range p.proxies[i].split {
			n++
			for slot := range slots {
				if sends(p.proxies[i].known[slot], hash) {
					sum += float64(s.Of(slots[slot])) * among(p.proxies[i].known[slot], hash)
				}
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// among is the part of endpoints that are of a revision.
func among(pods []*pod, hash string) float64 {
	var n float64
	for _, p := range pods {
		if p.hash == hash {
			n++
		}
	}
	return n / float64(len(pods))
}

func sends(pods []*pod, hash string) bool {
	for _, p := range pods {
		if p.hash == hash {
			return true
		}
	}
	return false
}

// matches reports whether any proxy sends chosen requests to the canary.
func (p *plane) matches() bool {
	for n := range p.proxies {
		for _, s := range p.proxies[n].split {
			if len(s.Matches) > 0 {
				return true
			}
		}
	}
	return false
}

// most is the largest share that any proxy gives a slot now. What proxies still serve
// of a route that somebody has deleted does not count, even when the route is back:
// nobody can know it.
func (p *plane) most(slot traffic.Slot) int32 {
	var most int32
	for n := range p.proxies {
		for i, s := range p.proxies[n].split {
			if p.told(n, i) {
				most = max(most, s.Of(slot))
			}
		}
	}
	return most
}

// told reports whether a proxy serves what a route said that is the Rollout's and has not
// been deleted since.
func (p *plane) told(n, i int) bool {
	r := p.w.live.routes[i]
	return !r.gone && p.proxies[n].generation[i] >= r.lost && !p.w.laws.rest.foreign(i)
}
