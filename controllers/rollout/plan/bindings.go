// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"reflect"
	"slices"

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

func meansOf(b v1alpha1.Bindings) means {
	switch {
	case len(b.Routes) > 0:
		return byRoute
	case b.Strategy == StrategyBlueGreen:
		return bySelector
	}
	return byReplicas
}

// released reports whether nothing of the old bindings is left that the new
// ones do not name: Services are widened, routes have the user's own weights. Services
// that somebody else has widened are taken back while they reach other pods than
// stable's: this pass would else still write to what the next one forgets.
func released(c cursor, f facts) bool {
	if !lonely(c, f) {
		return false
	}
	for _, s := range narrowed(f) {
		if !keeps(f, s.Name) {
			return false
		}
	}
	if unwantedRoutes(f) || lingers(f) {
		return false
	}
	return f.means != byRoute || len(f.Traffic.Requested) == 0 || returned(f)
}

// lingers: the data plane may still send the canary's Service more than the
// routes say, and the wanted bindings name that Service too, as what gets nothing.
// That is waited for no longer than for any other write to a route.
func lingers(f facts) bool {
	return f.means == byRoute && f.CanaryService.Name != "" && keeps(f, f.CanaryService.Name) && len(f.Traffic.Requested) > 0 &&
		!f.confirmed(stableOnly()) && f.Now.Before(f.shiftedAt.Add(f.strategy.timeout))
}

// keeps reports whether the wanted bindings name a Service too.
func keeps(f facts, service string) bool {
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

// lonely: no revision but stable has pods that a widened Service could reach.
func lonely(c cursor, f facts) bool {
	for _, r := range allRevisions(f) {
		if r.Hash != c.stable && (r.Current > 0 || r.Replicas > 0) && c.stable != "" {
			return false
		}
	}
	return true
}

// handedOver: all traffic is with stable, and its Service is given back already.
func handedOver(c cursor, f facts) bool {
	return f.StableService.Selects == "" && lonely(c, f) && !unwantedRoutes(f) && (f.means != byRoute || f.Traffic.RequestedAll(stableOnly()) || returned(f))
}

// abandon gives back those of several routes that can still be written where one
// can't be read, as when it was deleted: nobody waits for that one, and nobody
// looks at the others again, which may say what somebody wrote meanwhile.
func abandon(f facts) []Action {
	if f.means != byRoute || len(f.Traffic.Requested) > 0 {
		return nil
	}
	return []Action{ReleaseTraffic{"the strategy names other routes now, and not all of these can be read", returnable(f)}}
}

// handOver releases what the old bindings steer.
func handOver(c cursor, f facts) []Action {
	if !lonely(c, f) {
		return nil
	}
	var actions []Action
	if f.means == byRoute && !returned(f) {
		actions = append(actions, ReleaseTraffic{"the strategy names other routes now", returnable(f)})
	}
	for _, s := range narrowed(f) {
		if !keeps(f, s.Name) {
			actions = append(actions, SelectRevision{why: "the strategy names other Services now", Service: s.Name, Version: s.Version})
		}
	}
	return append(actions, dropRoutes(f)...)
}
