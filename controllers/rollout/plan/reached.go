// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// reached reports whether the cluster is as the steps ask at the cursor: pods, then
// endpoints, then traffic. It rests on what was observed, never on what was written.
func (c cursor) reached(f facts) bool {
	_, short := missing(c, f)
	return !short
}

// missing says what the cluster still owes the cursor: pods, then endpoints,
// then the data plane.
func missing(c cursor, f facts) (hold, bool) {
	if f.replicas == 0 && c.mode(f) == forward && !c.promoting(f) {
		return hold{}, false // scaled to zero there is nobody to carry a share
	}
	if f.means == byReplicas {
		return podsMissing(c, f)
	}
	if h, short := shortOfPods(c, f); short {
		return h, true
	}
	if f.means == bySelector {
		return switchMissing(c, f)
	}
	return routeMissing(c, f)
}

// owed is what the cluster owes the cursor: so many endpoints of the canary
// alone behind a slot, and a split.
type owed struct {
	slot  traffic.Slot
	n     int32
	split traffic.Split
}

func owedAt(c cursor, f facts) owed {
	if c.mode(f) == initial || c.promoting(f) && f.StableService.Selects == c.canary {
		return owed{traffic.Stable, f.need(100), stableOnly()}
	}
	a := c.asks(f)
	return owed{traffic.Canary, a.pods, a.split}
}

func shortOfPods(c cursor, f facts) (hold, bool) {
	o, r := owedAt(c, f), f.revisions.of(c.canary)
	if h, adopts := adopting(c, f, o.n); adopts {
		return h, true
	}
	if r.Available < o.n || r.Name == "" {
		return waits(v1alpha1.ReasonWaitingForPods, "waiting for pods: %s", pods(r, o.n)), true
	}
	return hold{}, false
}

func routeMissing(c cursor, f facts) (hold, bool) {
	o := owedAt(c, f)
	if h, missing := endpointsMissing(c, f, o); missing {
		return h, true
	}
	if h, missing := baselineMissing(c, f, o); missing {
		return h, true
	}
	if f.confirmed(o.split) {
		if c.promoting(f) && c.mode(f) == forward && f.StableService.Selects != c.canary {
			return waits(v1alpha1.ReasonWaitingForEndpoints, "promoting: pointing Service %s at %s", f.StableService.Name, c.canary), true
		}
		return hold{}, false
	}
	return waitingForTraffic(c, f, o.split), true
}

// endpointsMissing says which endpoints the slot still lacks, or for how long they have to be listed yet.
func endpointsMissing(c cursor, f facts, o owed) (hold, bool) {
	s := f.slot(o.slot)
	both := f.serves(traffic.Stable, c.canary, o.n) && f.serves(traffic.Canary, c.canary, o.n)
	switch {
	case o.n > 0 && !s.only(c.canary, o.n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "waiting for Service %s to list %s of %s alone%s",
			s.Name, count(o.n, endpoint), c.canary, s.instead(c.canary)), true
	case o.n > 0 && !f.Traffic.RequestedAll(o.split) && !f.serves(o.slot, c.canary, o.n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "%s of %s in Service %s, settling for %s", count(o.n, endpoint), c.canary, s.Name, f.strategy.settle), true
	case c.mode(f) == initial && !both:
		return waits(v1alpha1.ReasonWaitingForEndpoints, "waiting for Services %s and %s to list %s of %s for %s",
			f.StableService.Name, f.CanaryService.Name, count(o.n, endpoint), c.canary, f.strategy.settle), true
	}
	return hold{}, false
}

// switchMissing says what a blue-green release still waits for.
func switchMissing(c cursor, f facts) (hold, bool) {
	active, preview, n := f.StableService, f.CanaryService, c.asks(f).pods
	switched := c.mode(f) == initial || c.asks(f).weight == 100
	switch {
	case !switched && preview.Name != "" && n > 0 && !f.serves(traffic.Canary, c.canary, n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "waiting for Service %s to list %s of %s alone%s",
			preview.Name, count(n, endpoint), c.canary, preview.instead(c.canary)), true
	case switched && !f.serves(traffic.Stable, c.canary, f.need(100)):
		return waits(v1alpha1.ReasonWaitingForTraffic, "switching: waiting for Service %s to list %s of %s alone for %s%s",
			active.Name, count(f.need(100), endpoint), c.canary, f.strategy.settle, active.instead(c.canary)), true
	}
	return hold{}, false
}

// waitingFor is what the cluster still owes; when it owes nothing, that traffic is as wanted.
func waitingFor(c cursor, f facts) hold {
	if h, short := missing(c, f); short {
		return h
	}
	return waits(v1alpha1.ReasonWaitingForTraffic, "%s", trafficText(f))
}

func waitingForTraffic(c cursor, f facts, split traffic.Split) hold {
	h := waits(v1alpha1.ReasonWaitingForTraffic, "%s", trafficText(f))
	if len(f.Traffic.Requested) == 1 && !f.Traffic.RequestedAll(split) {
		h.message = fmt.Sprintf("shifting from %s to %s", f.Traffic.Requested[0], split)
	}
	switch {
	case f.Traffic.RequestedAll(split) && f.Now.After(f.shiftedAt.Add(f.strategy.timeout)):
		h.phase, h.reason = v1alpha1.PhaseHolding, v1alpha1.ReasonTrafficUnconfirmed
		h.message = fmt.Sprintf("%s not confirmed within convergence.timeout (%s): %s; look at the status of %s, and whether its controller runs",
			split, f.strategy.timeout, h.message, routesText(f))
	case c.promoting(f) && c.mode(f) == forward:
		h.message = "promoting: " + h.message
	}
	return h
}

// waits is the hold of a release that goes on by itself once something has come.
func waits(reason, format string, args ...any) hold {
	return hold{v1alpha1.PhaseProgressing, reason, fmt.Sprintf(format, args...)}
}

// trafficText says how far the routes and the data plane are.
func trafficText(f facts) string {
	switch {
	case f.means == bySelector:
		return fmt.Sprintf("Service %s stands for %s with %s", f.StableService.Name, orNobody(f.StableService.Selects), count(f.StableService.ready(), endpoint))
	case f.means == byReplicas:
		return "pods are the split"
	case len(f.Traffic.Requested) == 0:
		return unreadText(f)
	case len(f.Traffic.Requested) > 1:
		return "waiting for " + routesText(f) + " to carry the same weights"
	case len(f.Traffic.Confirmed) == 0 && f.Traffic.Message != "":
		return f.Traffic.Message
	case len(f.Traffic.Confirmed) == 0:
		return fmt.Sprintf("waiting for the data plane of %s to confirm %s", routesText(f), f.Traffic.Requested[0])
	case !f.settled() && f.Traffic.Silent:
		return fmt.Sprintf("%s written, settling for %s: the data plane does not report what it serves", f.Traffic.Requested[0], f.strategy.settle)
	case !f.settled():
		return fmt.Sprintf("%s accepted, settling for %s", f.Traffic.Requested[0], f.strategy.settle)
	case f.sight == contradicting:
		return strayText(f)
	default:
		return f.Traffic.Requested[0].String() + " confirmed"
	}
}

// unreadText says why nothing is known of the routes.
func unreadText(f facts) string {
	if routesLeaving(f) {
		return fmt.Sprintf("%s deleted, and followed by nobody from %s on", routesText(f), clockTime(f.shiftedAt, leftAt(f)))
	}
	return "waiting for " + routesText(f) + " to be read"
}

// routesText names the routes that carry the traffic.
func routesText(f facts) string {
	names := make([]string, len(f.bound.Routes))
	for i, r := range f.bound.Routes {
		names[i] = r.Kind + " " + r.Name
	}
	return strings.Join(names, ", ")
}

// instead says what a Service has in place of a revision's endpoints alone.
func (s Service) instead(revision string) string {
	text := fmt.Sprintf(", has %d", s.Ready[revision])
	if others := s.ready() - s.Ready[revision]; others > 0 {
		text += fmt.Sprintf(" and %d of others", others)
	}
	if s.Selects != revision {
		text += ", and selects " + cmp.Or(s.Selects, "those of every revision")
	}
	return text
}

func orNobody(revision string) string {
	if revision == "" {
		return "no revision yet"
	}
	return revision
}

func pods(r Revision, n int32) string {
	text := fmt.Sprintf("%d of %d available", r.Available, n)
	if r.Available < n && r.Trouble != "" {
		text += "; " + r.Trouble
	}
	return text
}
