// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routers

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Route is one object to steer, with the two Services that stand for its slots.
type Route struct {
	// Namespace of the Rollout, of the route object and of both Services.
	Namespace string
	// Ref points at the route object.
	Ref v1alpha1.RouteRef
	// Field is where Ref stands in the Rollout, such as
	// spec.strategy.canary.routes[0]. Problems are reported under it.
	Field string
	// StableService is the name of the Service behind the stable slot.
	StableService string
	// CanaryService is the name of the Service behind the canary slot.
	CanaryService string
	// BaselineService is the name of the Service behind the baseline slot.
	// Empty when there is none; then no split has a baseline share.
	BaselineService string
	// StableRevision is the revision that the stable slot stands for; empty
	// while it is not narrowed to one.
	StableRevision string
	// CanaryRevision is the same of the canary slot.
	CanaryRevision string
	// Own are the weights that the user wrote, by the names of [traffic.Observed].Lists.
	// Where they say what is wanted, they are written and not others that say the same.
	Own map[string]traffic.Form
}

// Key is the name under which the route object is read.
func (r Route) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: r.Namespace, Name: r.Ref.Name}
}

// String names the route object as messages do, such as HTTPRoute shop/checkout.
func (r Route) String() string { return r.Ref.Kind + " " + r.Key().String() }

// Router steers the route objects of some kinds.
//
// All methods return a [*Problem] when a person has to change something: the
// object or a rule is missing, or the object doesn't refer to both Services.
// Any other error is the API server's and worth a retry. A method that returns
// an error has either written nothing or all that it was asked for; one that
// steers by two objects may have written the one that moves no request.
type Router interface {
	// Observe reports what the route object carries and what the data plane
	// has confirmed. It reads with the reader it is given (the cache to notice,
	// the API server itself to act) and writes nothing. A slot that gets
	// anything at all has at least 1 percent; a share between two whole
	// percentages that Apply would not have written is reported as both.
	Observe(ctx context.Context, from client.Reader, r Route) (traffic.Observed, error)
	// Apply makes the route object carry want, whole and at once: shares,
	// matches, mirror and cookie; what want does not name is taken away. A part
	// of want that this kind can't carry is a [*Problem], and nothing is written
	// then. Where the route object itself tells what a slot stands for, it tells
	// the slot's revision, before anything is sent there. It reads the API server
	// first and writes nothing when the object already carries want. It writes only fields that the router owns; if the
	// object changed since it was read, it reads and tries once more, then
	// returns the conflict.
	Apply(ctx context.Context, r Route, want traffic.Split) error
	// Release gives each list of destinations the weights of [Route].Own, whatever
	// they say, and the stable slot everything where it has none, and takes away
	// whatever else is ours, after that. Safe to call twice, when the
	// object is gone, and when a person has changed it beyond recognition: then
	// what can't be steered is left alone.
	Release(ctx context.Context, r Route) error
}

// Composer is a Router that can also carry a split in an object that is not
// stored yet. Only kinds of such routers can be managed.
type Composer interface {
	Router
	// Compose makes object, which has the fields that the user wrote, carry want. It reads and writes nothing else.
	Compose(r Route, object *unstructured.Unstructured, want traffic.Split) error
}

// Surveyor is a Router of kinds whose status says "accepted" also where a data
// plane can't do what a route asks for. It asks beforehand what that can do.
type Surveyor interface {
	Router
	// Unable gives the [*Problem] of the first of these splits that needs more
	// than a data plane of the route is known to have. made is a route that is
	// about to be written; nil means the one that is stored, read from a reader. It writes nothing.
	Unable(ctx context.Context, from client.Reader, r Route, made client.Object, wants []traffic.Split) error
}

// Problem is a mistake in what a person wrote. It is shown as condition SpecValid=False.
type Problem struct {
	// Field is a path into the Rollout, such as spec.strategy.canary.routes[0].rules.
	Field string
	// Message says what is wrong and what to do.
	Message string
	// Unreferred: the route does not refer to the Services, as when their names are wrong.
	Unreferred bool `json:"-"`
	// Gone: there is no such route. Nothing is sent by it, and there is nothing to write.
	Gone bool `json:"-"`
	// Unwatched: no event tells that it is mended, so it has to be looked for.
	Unwatched bool `json:",omitempty"`
	// Unread: nobody knows whether it is one, because something could not be read.
	Unread bool `json:",omitempty"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Field + ": " + p.Message }
