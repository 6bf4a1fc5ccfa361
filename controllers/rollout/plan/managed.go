// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Managed is one route that the controller owns, as it was found.
type Managed struct {
	// Ref points at the route.
	Ref v1alpha1.RouteRef
	// Outdated: it was made from another spec, or is not there.
	Outdated bool
	// Unwanted: it is ours and the spec no longer has it among its managedRoutes.
	Unwanted bool
}

// WriteRoute creates a managed route, or brings it to the spec of today,
// together with the split that it is to carry.
type WriteRoute struct {
	why
	// Ref points at the route.
	Ref v1alpha1.RouteRef
	// Split to carry.
	Split traffic.Split
}

// String implements Action.
func (a WriteRoute) String() string {
	return fmt.Sprintf("write %s %s with %s", a.Ref.Kind, a.Ref.Name, a.Split)
}

// DropRoute gives a managed route up.
type DropRoute struct {
	why
	// Ref points at the route.
	Ref v1alpha1.RouteRef
	// Keep leaves the object in place, owned by nobody.
	Keep bool
}

// String implements Action.
func (a DropRoute) String() string {
	if a.Keep {
		return fmt.Sprintf("give %s %s away", a.Ref.Kind, a.Ref.Name)
	}
	return fmt.Sprintf("delete %s %s", a.Ref.Kind, a.Ref.Name)
}

// writeRoutes brings the managed routes to their spec, together with a split. Without
// one that is safe they wait, so that no new route sends callers where nobody serves.
func writeRoutes(f facts, split traffic.Split) []Action {
	if !split.Known() {
		return nil
	}
	var actions []Action
	for _, m := range f.Managed {
		if m.Outdated && !m.Unwanted {
			actions = append(actions, WriteRoute{"spec.strategy.canary.managedRoutes says so", m.Ref, split})
		}
	}
	return actions
}

// dropRoutes gives up the managed routes that the spec no longer has. One that it still
// names among its routes stays, and is somebody else's from now on.
func dropRoutes(f facts) []Action {
	var actions []Action
	for _, m := range f.Managed {
		if m.Unwanted {
			actions = append(actions, DropRoute{"spec.strategy.canary.managedRoutes no longer has it", m.Ref, steers(f.wanted, m.Ref)})
		}
	}
	return actions
}

func unwantedRoutes(f facts) bool {
	for _, m := range f.Managed {
		if m.Unwanted {
			return true
		}
	}
	return false
}

func steers(b v1alpha1.Bindings, ref v1alpha1.RouteRef) bool {
	for _, r := range b.Routes {
		if r.APIVersion == ref.APIVersion && r.Kind == ref.Kind && r.Name == ref.Name {
			return true
		}
	}
	return false
}

// ManagedRefs are the routes of some bindings that are the controller's own.
func ManagedRefs(b v1alpha1.Bindings) []v1alpha1.RouteRef {
	return b.Routes[max(0, len(b.Routes)-int(b.Managed)):]
}

// giveAway leaves the managed routes in place for a workload that still needs them.
func giveAway(f facts, workload string) []Action {
	var actions []Action
	for _, m := range f.Managed {
		actions = append(actions, DropRoute{why("the Rollout is deleted and Deployment " + workload + " still needs it"), m.Ref, true})
	}
	return actions
}
