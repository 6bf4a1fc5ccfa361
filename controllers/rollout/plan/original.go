// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Originals are the weights that the user wrote into the lists of destinations
// of the routes, as a status remembers them.
func Originals(st v1alpha1.RolloutStatus) map[string]traffic.Form {
	own := make(map[string]traffic.Form, len(st.OriginalWeights))
	for _, w := range st.OriginalWeights {
		own[w.List] = traffic.Form{Stable: w.Stable, Canary: w.Canary}
	}
	return own
}

// originals remembers the weights of each list of destinations when it is first seen:
// in the first pass, before anything is written. In a list that the user adds later,
// weights count as the user's only if they give the canary nothing; others may be
// ours. Lists that are gone are forgotten, unless their route is, which may come back as
// it was; all are forgotten when the Rollout follows other routes. What a managed route
// said originally is in the spec.
func originals(c cursor, f facts) []v1alpha1.OriginalWeights {
	if f.means != byRoute || c.bindings != nil && !sameBindings(*c.bindings, f.bound) {
		return nil
	}
	if len(f.Traffic.Lists) == 0 { // they can't be read now
		return f.Rollout.Status.OriginalWeights
	}
	own, steered := Originals(f.Rollout.Status), map[string]bool{}
	for list := range own {
		steered[routeOf(list)] = true
	}
	all := ofGoneRoutes(f)
	for _, list := range slices.Sorted(maps.Keys(f.Traffic.Lists)) {
		form, known := own[list]
		if !known {
			form = f.Traffic.Lists[list]
		}
		if known || !managed(f.bound, list) && (!steered[routeOf(list)] || atRest(form)) {
			all = append(all, v1alpha1.OriginalWeights{List: list, Stable: form.Stable, Canary: form.Canary})
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.OriginalWeights) int { return strings.Compare(a.List, b.List) })
	return all
}

// ofGoneRoutes are the weights remembered of routes of which no list is there.
func ofGoneRoutes(f facts) []v1alpha1.OriginalWeights {
	there := map[string]bool{}
	for list := range f.Traffic.Lists {
		there[routeOf(list)] = true
	}
	return slices.DeleteFunc(slices.Clone(f.Rollout.Status.OriginalWeights), func(w v1alpha1.OriginalWeights) bool { return there[routeOf(w.List)] })
}

// routeOf is the kind and name of the route that a list is part of.
func routeOf(list string) string {
	route, _, _ := strings.Cut(list, "#")
	return route
}

func managed(b v1alpha1.Bindings, list string) bool {
	return slices.ContainsFunc(ManagedRefs(b), func(r v1alpha1.RouteRef) bool { return routeOf(list) == r.Kind+"/"+r.Name })
}

// atRest: the form gives the canary nothing, and says so.
func atRest(form traffic.Form) bool { return form.Canary != nil && *form.Canary == 0 }

// returnable are the user's own weights that can be given back now, because every
// Service that they send to has endpoints that stay. All other lists of destinations
// stay as they are at rest, with everything at stable.
func returnable(f facts) map[string]traffic.Form {
	own := Originals(f.Rollout.Status)
	maps.DeleteFunc(own, func(_ string, form traffic.Form) bool {
		return !nothing(form.Stable) && !keepsPods(f, f.StableService) || !nothing(form.Canary) && !keepsPods(f, f.CanaryService)
	})
	return own
}

// atRestOnly are those of the user's own weights that give stable everything.
func atRestOnly(f facts) map[string]traffic.Form {
	own := Originals(f.Rollout.Status)
	maps.DeleteFunc(own, func(_ string, form traffic.Form) bool { return !atRest(form) })
	return own
}

func nothing(weight *int32) bool { return weight != nil && *weight == 0 }

// keepsPods: there are pods behind the Service that stay when the Rollout goes.
func keepsPods(f facts, s Service) bool {
	if f.Rollout.DeletionTimestamp != nil && f.Workload != nil {
		return s.Ready[""] > 0
	}
	return s.ready() > 0
}

// routesGivenBack reports whether the routes say what they did before they were
// steered, as far as that can be served, and nothing of ours is left in them.
func routesGivenBack(f facts) bool {
	if f.Traffic.Marked {
		return false
	}
	own := returnable(f)
	if len(f.Traffic.Lists) == 0 || len(own) == 0 {
		return f.Traffic.RequestedAll(stableOnly())
	}
	for list, form := range f.Traffic.Lists {
		if given, has := own[list]; has && !given.Equal(form) || !has && !atRest(form) {
			return false
		}
	}
	return !slices.ContainsFunc(f.Traffic.Requested, func(s traffic.Split) bool { return !s.Plain() })
}
