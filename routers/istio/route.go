// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// The lists of routes in a VirtualService.
const (
	overHTTP = "http"
	overTLS  = "tls"
	overTCP  = "tcp"
)

// route is one entry of such a list, other than our own.
type route struct {
	protocol string
	// index among the entries that aren't ours.
	index int
	raw   map[string]any
}

// routesOf lists the routes of a spec that holds none of ours.
func routesOf(spec map[string]any) []route {
	var all []route
	for _, protocol := range []string{overHTTP, overTLS, overTCP} {
		for i, raw := range list(spec, protocol) {
			all = append(all, route{protocol, i, raw})
		}
	}
	return all
}

// destinations of a route, each with what it names.
func (o route) destinations() []map[string]any { return list(o.raw, "route") }

// String names the route as it is found in the object.
func (o route) String() string {
	if name := text(o.raw, "name"); name != "" {
		return fmt.Sprintf("spec.%s[%d] (%s)", o.protocol, o.index, name)
	}
	return fmt.Sprintf("spec.%s[%d]", o.protocol, o.index)
}

// called reports whether a name means the route: the name of an http route,
// tls/<SNI host> or tcp/<port>.
func (o route) called(name string) bool {
	switch o.protocol {
	case overTLS:
		return slices.ContainsFunc(list(o.raw, "match"), func(m map[string]any) bool {
			hosts, _ := m["sniHosts"].([]any)
			return slices.ContainsFunc(hosts, func(h any) bool { return "tls/"+fmt.Sprint(h) == name })
		})
	case overTCP:
		return slices.ContainsFunc(list(o.raw, "match"), func(m map[string]any) bool {
			return number(m, "port") != 0 && fmt.Sprintf("tcp/%d", number(m, "port")) == name
		})
	}
	return text(o.raw, "name") == name
}

// in lists the destinations that are in a place.
func (o route) in(p place, namespace string) []int {
	var at []int
	for i, d := range o.destinations() {
		if p.names(object(d, "destination"), namespace) {
			at = append(at, i)
		}
	}
	return at
}

// pair is a route in which both slots were found.
type pair struct {
	route
	// stable and canary are indexes into the route's destinations.
	stable, canary int
	weights        traffic.Weights
	// form is how these weights are written.
	form traffic.Form
	// list is its name, see [traffic.ListName].
	list string
	// own is what the user wrote into it, nil when that is not known.
	own *traffic.Form
	// released: it gets that back, whatever it says.
	released bool
}

// pairs finds both slots in every route that the reference chooses. It returns
// at least one pair or a *routers.Problem.
func pairs(all []route, at places, r routers.Route) ([]pair, error) {
	chosen, err := choose(all, at, r)
	if err != nil {
		return nil, err
	}
	found := make([]pair, 0, len(chosen))
	for _, one := range chosen {
		p, err := match(one, at, r)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return listed(found, r), nil
}

// choose picks the routes named by the reference; without names, those that
// refer to either slot.
func choose(all []route, at places, r routers.Route) ([]route, error) {
	for _, name := range r.Ref.Rules {
		if !slices.ContainsFunc(all, func(o route) bool { return o.called(name) }) {
			return nil, problem(r, ".rules", "%s has no route called %s; %s", r, name, callable(all))
		}
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(o route) bool { return !chosenBy(r, o, at) })
	if len(chosen) == 0 {
		return nil, unreferred(r, "no route of %s sends to %s or %s; add a destination for the first with weight 100 and one for the second with weight 0",
			r, at.stable, at.canary)
	}
	return chosen, nil
}

// chosenBy reports whether the reference means a route.
func chosenBy(r routers.Route, o route, at places) bool {
	if len(r.Ref.Rules) > 0 {
		return slices.ContainsFunc(r.Ref.Rules, o.called)
	}
	return len(o.in(at.stable, at.namespace))+len(o.in(at.canary, at.namespace)) > 0
}

// callable is the remedy for a name that no route has.
func callable(all []route) string {
	var names []string
	for _, o := range all {
		if name := text(o.raw, "name"); o.protocol == overHTTP && name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none of its http routes has a name: set the name of the route meant, write tls/<SNI host> or tcp/<port>, or leave rules out"
	}
	return "use one of " + strings.Join(names, ", ") + ", tls/<SNI host> or tcp/<port>"
}

// match finds each slot exactly once in a route.
func match(o route, at places, r routers.Route) (pair, error) {
	if err := reachable(o, at, r); err != nil {
		return pair{}, err
	}
	stable, canary := o.in(at.stable, at.namespace), o.in(at.canary, at.namespace)
	for _, s := range []struct {
		found  []int
		place  place
		weight int
	}{{stable, at.stable, traffic.Fine}, {canary, at.canary, 0}} {
		if len(s.found) > 1 {
			return pair{}, problem(r, "", "%s of %s sends to %s more than once; keep one of these destinations", o, r, s.place)
		}
		if len(s.found) == 0 {
			return pair{}, unreferred(r, "%s of %s does not send to %s; add a destination for it with weight %d", o, r, s.place, s.weight)
		}
	}
	p := pair{route: o, stable: stable[0], canary: canary[0]}
	for i, d := range o.destinations() {
		switch weight := number(d, "weight"); i {
		case p.stable:
			p.weights.Stable, p.form.Stable = weight, written(d)
		case p.canary:
			p.weights.Canary, p.form.Canary = weight, written(d)
		default:
			p.weights.Others += weight
		}
	}
	return p, nil
}

// reachable refuses routes that Istio can't serve as they are written: it would
// drop what we send there.
func reachable(o route, at places, r routers.Route) error {
	for i, d := range o.destinations() {
		destination := object(d, "destination")
		host := text(destination, "host")
		s, known := serviceOf(host, at.namespace)
		if !known && (at.stable.names(destination, at.namespace) || at.canary.names(destination, at.namespace)) {
			return problem(r, "", "%s.route[%d] of %s has host %s, which Istio takes as it stands and finds no Service by; write %s or %s", o, i, r, host, s.name, s)
		}
	}
	if o.protocol != overTLS {
		return nil
	}
	matches := list(o.raw, "match")
	for _, m := range matches {
		if hosts, _ := m["sniHosts"].([]any); len(hosts) == 0 {
			matches = nil
		}
	}
	if len(matches) == 0 {
		return problem(r, "", "%s of %s has a match without sniHosts, and undecrypted TLS can be told apart by nothing else; name the hosts in sniHosts", o, r)
	}
	return nil
}

// unreferred is that a route lacks a destination.
func unreferred(r routers.Route, format string, args ...any) error {
	return &routers.Problem{Field: r.Field, Unreferred: true, Message: fmt.Sprintf(format, args...)}
}

// problem is a mistake of a person in what a field of the reference leads to.
func problem(r routers.Route, field, format string, args ...any) *routers.Problem {
	return &routers.Problem{Field: r.Field + field, Message: fmt.Sprintf(format, args...)}
}
