// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Entry introduces the routes of requests to the wiring: HTTPRoute and GRPCRoute.
func Entry() routers.Entry { return entry("gateway-api", requestKinds()) }

// StreamEntry introduces the routes of connections: TCPRoute and TLSRoute.
func StreamEntry() routers.Entry { return entry("gateway-api-streams", streamKinds()) }

func entry(name string, of []kind) routers.Entry {
	e := routers.Entry{
		Name:        name,
		Features:    of[len(of)-1].features, // the others' refusals are their own
		AddToScheme: gatewayv1.Install,
		New: func(c client.Client, live client.Reader) routers.Router {
			return newRouter(c, live, of)
		},
		Refuses: func(r routers.Route, want traffic.Split) error {
			return named(of, r.Ref.Kind).refuse(r, want)
		},
	}
	for _, k := range of {
		e.Kinds = append(e.Kinds, schema.GroupKind{Group: gatewayv1.GroupName, Kind: k.name})
		e.Watch = append(e.Watch, k.empty())
	}
	return e
}

// named finds a kind by its name.
func named(of []kind, name string) kind {
	for _, k := range of {
		if k.name == name {
			return k
		}
	}
	return kind{}
}

// router steers some kinds of this package.
type router struct {
	client client.Client
	live   client.Reader
	kinds  []kind
}

func newRouter(c client.Client, live client.Reader, of []kind) *router {
	return &router{client: c, live: live, kinds: of}
}

// Observe implements [routers.Router].
func (g *router) Observe(ctx context.Context, from client.Reader, r routers.Route) (traffic.Observed, error) {
	k := named(g.kinds, r.Ref.Kind)
	if k.empty == nil {
		return traffic.Observed{}, fmt.Errorf("read %s: this router does not steer the kind", r)
	}
	v, err := g.get(ctx, from, r, k.empty())
	if err != nil {
		return traffic.Observed{}, err
	}
	ps, err := pairs(v, r)
	if err != nil {
		return traffic.Observed{}, err
	}
	o, err := read(v, ps, r)
	o.Backends, o.Edition = places(ps, r), v.edition
	return o, err
}

// Apply implements [routers.Router].
func (g *router) Apply(ctx context.Context, r routers.Route, want traffic.Split) error {
	if err := want.Validate(); err != nil {
		return fmt.Errorf("steer %s: %w", r, err)
	}
	return g.write(ctx, r, func(v view) ([]operation, error) { return operations(v, r, want) })
}

// Release implements [routers.Router].
func (g *router) Release(ctx context.Context, r routers.Route) error {
	err := g.write(ctx, r, func(v view) ([]operation, error) { return release(v, r), nil })
	if gone(err) {
		return nil
	}
	return err
}

// known is what is left of the pairs: those of the rules chosen in which both
// Services still stand once and one of them still has a weight.
func known(v view, r routers.Route) []pair {
	var ps []pair
	for _, one := range v.rules {
		if !chosenLoosely(one, r) {
			continue
		}
		if p, err := match(v, one, r); err == nil && p.weights.Carries(traffic.CanaryAt(0)) {
			ps = append(ps, p)
		}
	}
	return listed(ps, r)
}

// write lets decide say what to change, and changes it provided that the object
// is still the one that was read. As a rule what the cache holds is that one,
// which saves a request where weights alone change; else the API server is read,
// and once more when it was overtaken.
func (g *router) write(ctx context.Context, r routers.Route, decide func(view) ([]operation, error)) error {
	k := named(g.kinds, r.Ref.Kind)
	if k.empty == nil {
		return fmt.Errorf("write %s: this router does not steer the kind", r)
	}
	known := k.empty()
	if v, err := g.get(ctx, g.client, r, known); err == nil {
		if ops, err := decide(v); err == nil && len(ops) > 0 && onlyWeights(ops) && g.patch(ctx, r, known, ops) == nil {
			return nil
		}
	}
	const attempts = 2
	var err error
	for range attempts {
		if err = g.writeOnce(ctx, r, decide); !overtaken(err) {
			return err
		}
	}
	return err
}

// writeOnce reads the object as it is stored, with fields that this version
// does not know: rules that are added are copies of the user's.
func (g *router) writeOnce(ctx context.Context, r routers.Route, decide func(view) ([]operation, error)) error {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.GroupVersion(gatewayv1.GroupVersion).WithKind(r.Ref.Kind))
	v, err := g.get(ctx, g.live, r, o)
	if err != nil {
		return err
	}
	ops, err := decide(v)
	if err != nil || len(ops) == 0 {
		return err
	}
	return g.patch(ctx, r, o, ops)
}

// patch carries operations out. An unknown field in the answer, such as the name
// of a rule with definitions older than it, would leave rules behind that can't
// be told from the user's, so it is refused.
func (g *router) patch(ctx context.Context, r routers.Route, o client.Object, ops []operation) error {
	patch, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encode the patch of %s: %w", r, err)
	}
	err = g.client.Patch(ctx, o, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.FieldOwner), client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		return fmt.Errorf("write %s: %w", r, err)
	}
	return nil
}

// onlyWeights reports whether operations, once they hold, write nothing but weights.
func onlyWeights(ops []operation) bool {
	return !slices.ContainsFunc(ops, func(o operation) bool { return o.Op != "test" && !strings.HasSuffix(o.Path, "/weight") })
}

// get reads the route object. An object or kind that doesn't exist is a problem.
func (g *router) get(ctx context.Context, from client.Reader, r routers.Route, o client.Object) (view, error) {
	err := from.Get(ctx, r.Key(), o)
	switch {
	case err == nil:
		return see(named(g.kinds, r.Ref.Kind), o)
	case meta.IsNoMatchError(err):
		return view{}, fmt.Errorf("%w: %w", &routers.Problem{
			Field:   r.Field + ".kind",
			Message: fmt.Sprintf("the cluster does not know %s in %s; install the Gateway API's CRDs", r.Ref.Kind, gatewayv1.GroupVersion),
		}, err)
	case apierrors.IsNotFound(err):
		return view{}, fmt.Errorf("%w: %w", &routers.Problem{
			Field:   r.Field + ".name",
			Message: fmt.Sprintf("%s does not exist; create it or correct the name", r),
			Gone:    true,
		}, err)
	default:
		return view{}, fmt.Errorf("read %s: %w", r, err)
	}
}

// gone reports that there is no object, or no such kind of object.
func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// overtaken reports that the object was changed between read and write: the
// patch's test didn't hold (the API server calls that invalid) or the write
// lost a race.
func overtaken(err error) bool { return apierrors.IsConflict(err) || apierrors.IsInvalid(err) }
