// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Bindings gives the objects through which a Rollout moves traffic now: those
// that the status remembers, or, before there are any, those that the spec
// names. A spec that names others is followed when nothing is in flight, so
// that no route is left behind with a weight.
func Bindings(ro *v1alpha1.Rollout) v1alpha1.Bindings {
	if ro.Status.Bindings != nil {
		return *ro.Status.Bindings
	}
	return WantedBindings(ro)
}

// WantedBindings are the objects that the spec names. Services that are to be
// created get their names here.
func WantedBindings(ro *v1alpha1.Rollout) v1alpha1.Bindings {
	switch s := ro.Spec.Strategy; {
	case s.Canary != nil:
		b := v1alpha1.Bindings{
			Strategy: StrategyCanary, Service: s.Canary.Service,
			StableService: s.Canary.StableService, CanaryService: s.Canary.CanaryService, Routes: s.Canary.Routes,
			Managed: int32(len(s.Canary.ManagedRoutes)),
		}
		for _, m := range s.Canary.ManagedRoutes {
			b.Routes = append(b.Routes[:len(b.Routes):len(b.Routes)], m.Ref())
		}
		if len(b.Routes) > 0 && b.StableService == "" {
			b.StableService, b.CanaryService = ro.Name+"-stable", ro.Name+"-canary"
		}
		if len(b.Routes) > 0 && saysBaseline(s.Canary.Steps) {
			b.BaselineService = ro.Name + "-baseline"
		}
		return b
	case s.BlueGreen != nil:
		return v1alpha1.Bindings{
			Strategy: StrategyBlueGreen, StableService: s.BlueGreen.ActiveService,
			CanaryService: s.BlueGreen.PreviewService, Routes: s.BlueGreen.Routes,
		}
	}
	return v1alpha1.Bindings{Strategy: StrategyRollingUpdate}
}

// MakesServices reports whether the Services behind the slots are the
// controller's own, copied from [v1alpha1.Bindings].Service.
func MakesServices(ro *v1alpha1.Rollout) bool {
	c := ro.Spec.Strategy.Canary
	return c != nil && len(c.Routes)+len(c.ManagedRoutes) > 0 && c.StableService == ""
}

// Makes reports whether a Service is the controller's own to create: one for a
// slot that the spec leaves unnamed, be it bound by that name before.
func Makes(ro *v1alpha1.Rollout, service string) bool {
	b := WantedBindings(ro)
	return MakesServices(ro) && service != b.Service && (service == b.StableService || service == b.CanaryService)
}

// Rebinding reports whether the spec names other objects than those in force.
func Rebinding(ro *v1alpha1.Rollout) bool {
	return !sameBindings(Bindings(ro), WantedBindings(ro))
}

func sameBindings(a, b v1alpha1.Bindings) bool {
	if len(a.Routes) == 0 && len(b.Routes) == 0 {
		a.Routes, b.Routes = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// justRebound: this very decision took the wanted bindings over. Their objects have
// not been read yet, so that nothing can be said about them before the next look.
func justRebound(c cursor, f facts) bool {
	return f.rebinding && c.bindings != nil && sameBindings(*c.bindings, f.wanted)
}

func meansOf(b v1alpha1.Bindings) means {
	switch {
	case len(b.Routes) > 0:
		return byRoute
	case b.Strategy == StrategyBlueGreen:
		return bySelector
	}
	return byReplicas
}

// allGivenBack reports whether everything is given back that the old bindings name
// and the new ones do not: its Services are widened, its routes have the user's own
// weights. While any revision but stable has pods the answer is no, even if somebody
// else has widened those Services meanwhile: they would be narrowed again by this
// pass, and the next one would have forgotten them.
func allGivenBack(c cursor, f facts) bool {
	if !othersGone(c, f) {
		return false
	}
	for _, s := range narrowed(f) {
		if !stillNamed(f, s.Name) {
			return false
		}
	}
	if unwantedRoutes(f) || lingers(f) {
		return false
	}
	return f.means != byRoute || len(f.Traffic.Requested) == 0 || routesGivenBack(f)
}

// lingers: the data plane may still send something to the canary's Service, which
// the wanted bindings name too and take for a slot that gets nothing. As after any
// other write to a route, that is waited for no longer than convergence.timeout.
func lingers(f facts) bool {
	return f.means == byRoute && f.CanaryService.Name != "" && stillNamed(f, f.CanaryService.Name) && len(f.Traffic.Requested) > 0 &&
		!f.confirmed(stableOnly()) && f.Now.Before(f.shiftedAt.Add(f.strategy.timeout))
}

// routesLeft: the spec names other routes, and those of before are all deleted, for
// long enough that nobody follows them. They can't be brought back to stable.
func routesLeft(f facts) bool { return routesLeaving(f) && !f.Now.Before(leftAt(f)) }

// routesLeaving: the same, but somebody may follow them still.
func routesLeaving(f facts) bool { return f.rebinding && f.means == byRoute && f.NoRoutes }

// leftAt is when nobody follows deleted routes any more, as far as this controller has
// watched: before that they may have been back for a while.
func leftAt(f facts) time.Time {
	since := f.shiftedAt
	if watched := stamp(f.Watched); !f.Watched.After(f.Now) && watched.After(since) {
		since = watched
	}
	return since.Add(f.strategy.timeout)
}

// stillNamed reports whether the wanted bindings name a Service too.
func stillNamed(f facts, service string) bool {
	return service == f.wanted.StableService || service == f.wanted.CanaryService || service == f.wanted.BaselineService
}

// narrowed are the Services of the slots that stand for a revision.
func narrowed(f facts) []Service {
	return slices.DeleteFunc([]Service{f.StableService, f.CanaryService, f.BaselineService}, func(s Service) bool { return s.Name == "" || s.Selects == "" })
}

func rebind(c cursor, f facts) cursor {
	b := f.wanted
	c.bindings = &b
	return c
}

// othersGone: no revision but stable has pods, so that a Service can be widened
// without reaching any but stable's.
func othersGone(c cursor, f facts) bool {
	for _, r := range allRevisions(f) {
		if r.Hash != c.stable && (r.Current > 0 || r.Replicas > 0) && c.stable != "" {
			return false
		}
	}
	return true
}

// handedOver: all traffic is with stable, and its Service is given back already.
func handedOver(c cursor, f facts) bool {
	return f.StableService.Selects == "" && othersGone(c, f) && !unwantedRoutes(f) && (f.means != byRoute || f.Traffic.RequestedAll(stableOnly()) || routesGivenBack(f))
}

// abandon gives back what can still be written when one of several routes can't be
// read, as after somebody deleted it. Nobody waits for that one. The others need
// a last write, since nobody looks at them again: they may carry what somebody
// else wrote meanwhile.
func abandon(f facts) []Action {
	if f.means != byRoute || len(f.Traffic.Requested) > 0 {
		return nil
	}
	return []Action{ReleaseTraffic{"the strategy names other routes now, and not all of these can be read", returnable(f)}}
}

// handOver releases what the old bindings steer.
func handOver(c cursor, f facts) []Action {
	if !othersGone(c, f) {
		return nil
	}
	var actions []Action
	if f.means == byRoute && !routesGivenBack(f) {
		actions = append(actions, ReleaseTraffic{"the strategy names other routes now", returnable(f)})
	}
	for _, s := range narrowed(f) {
		if !stillNamed(f, s.Name) {
			actions = append(actions, SelectRevision{why: "the strategy names other Services now", Service: s.Name, Version: s.Version})
		}
	}
	return append(actions, dropRoutes(f)...)
}

// rebindGate speaks while what the strategy no longer names is given back.
func rebindGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) != rebinding {
		return hold{}, false
	}
	return waits(v1alpha1.ReasonStrategyChanged, "the strategy names other Services or routes now: giving the former ones back, with all traffic on %s%s", orNobody(c.stable), leavingText(c, f)), true
}

// leavingText says whose pods have to leave first, which the list of revisions says when,
// or that the data plane may still send something to a Service that is kept.
func leavingText(c cursor, f facts) string {
	var left []string
	for _, r := range allRevisions(f) {
		if r.Hash != c.stable && (r.Current > 0 || r.Replicas > 0) {
			left = append(left, r.Hash)
		}
	}
	switch {
	case !othersGone(c, f):
		return "; waiting for the pods of " + strings.Join(left, ", ") + " to leave"
	case lingers(f):
		return "; " + trafficText(f)
	}
	return ""
}
