// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package routers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/routers/traffic"
)

// Entry is how a router introduces itself to the wiring.
type Entry struct {
	// Name of the router, unique, such as gateway-api.
	Name string
	// Kinds that it steers. No two entries may steer the same.
	Kinds []schema.GroupKind
	// Features that every one of these kinds can carry.
	Features traffic.Features
	// Watch holds an empty object of each kind whose changes the controller must notice.
	Watch []client.Object
	// AddToScheme registers the types in Watch. Nil when every scheme has them.
	AddToScheme func(*runtime.Scheme) error
	// Refuses gives the [*Problem] of a split that a route of these kinds can't
	// carry whatever its object says. Nil when Features tell all.
	Refuses func(r Route, want traffic.Split) error
	// New builds the router. It writes with c and, before it writes, reads
	// with live, which must not be a cache, unless what it writes is locked to the version it read.
	New func(c client.Client, live client.Reader) Router
}

// Registry finds the router of a route by the kind it points at.
type Registry struct {
	routers map[schema.GroupKind]Router
	entries map[schema.GroupKind]Entry
	watched []client.Object
	kinds   []string
}

// NewRegistry builds the router of each entry. A name or a kind that occurs
// twice is an error, as is an entry without either or without New.
func NewRegistry(c client.Client, live client.Reader, es ...Entry) (*Registry, error) {
	r := &Registry{routers: map[schema.GroupKind]Router{}, entries: map[schema.GroupKind]Entry{}}
	owners := map[schema.GroupKind]string{}
	names := map[string]bool{}
	for _, e := range es {
		if e.Name == "" || len(e.Kinds) == 0 || e.New == nil {
			return nil, fmt.Errorf("router %q: an entry needs Name, Kinds and New", e.Name)
		}
		if names[e.Name] {
			return nil, fmt.Errorf("router %q: listed twice; remove one", e.Name)
		}
		names[e.Name] = true
		router := e.New(c, live)
		for _, kind := range e.Kinds {
			if owner, taken := owners[kind]; taken {
				return nil, fmt.Errorf("router %q: %s is already steered by %q", e.Name, kind, owner)
			}
			owners[kind] = e.Name
			r.routers[kind], r.entries[kind] = router, e
			r.kinds = append(r.kinds, kind.String())
		}
		r.watched = append(r.watched, e.Watch...)
	}
	slices.Sort(r.kinds)
	return r, nil
}

// For finds the router of a route. A kind that none steers, or an apiVersion
// that can't be parsed, is a [*Problem].
func (r *Registry) For(route Route) (Router, error) {
	kind, err := r.kindOf(route)
	if err != nil {
		return nil, err
	}
	return r.routers[kind], nil
}

// Refuses gives the [*Problem] of a split that a route can't carry because of
// its kind, or of a kind that none steers; nil when nothing speaks against it
// before the object is read.
func (r *Registry) Refuses(route Route, want traffic.Split) error {
	kind, err := r.kindOf(route)
	if err != nil {
		return err
	}
	e := r.entries[kind]
	if e.Refuses != nil {
		return e.Refuses(route, want)
	}
	if missing := e.Features.Lacking(want); missing != "" {
		return &Problem{
			Field:   route.Field + ".kind",
			Message: fmt.Sprintf("a %s can't carry %s; remove what asks for it, or steer a kind of route that can", route.Ref.Kind, missing),
		}
	}
	return nil
}

// Unable gives the [*Problem] of the first of these splits that a data plane of
// the route is not known to carry out, see [Surveyor]; nil when nothing speaks against them.
func (r *Registry) Unable(ctx context.Context, from client.Reader, route Route, made client.Object, wants []traffic.Split) error {
	router, err := r.For(route)
	if err != nil {
		return err
	}
	if s, ok := router.(Surveyor); ok {
		return s.Unable(ctx, from, route, made, wants)
	}
	return nil
}

func (r *Registry) kindOf(route Route) (schema.GroupKind, error) {
	gv, err := schema.ParseGroupVersion(route.Ref.APIVersion)
	if err != nil {
		return schema.GroupKind{}, &Problem{
			Field:   route.Field + ".apiVersion",
			Message: fmt.Sprintf("%q is not of the form group/version; write gateway.networking.k8s.io/v1, for example", route.Ref.APIVersion),
		}
	}
	kind := schema.GroupKind{Group: gv.Group, Kind: route.Ref.Kind}
	if _, found := r.routers[kind]; !found {
		return schema.GroupKind{}, &Problem{
			Field:   route.Field + ".kind",
			Message: fmt.Sprintf("%s can't be steered; use one of %s", kind, strings.Join(r.kinds, ", ")),
		}
	}
	return kind, nil
}

// Watched lists an empty object of each kind whose changes may matter, for the
// controller to watch.
func (r *Registry) Watched() []client.Object { return slices.Clone(r.watched) }
