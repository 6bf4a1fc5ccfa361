// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package istio

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Entry introduces the router to the wiring.
func Entry() routers.Entry {
	return routers.Entry{
		Name:        "istio",
		Kinds:       []schema.GroupKind{{Group: groupVersion.Group, Kind: "VirtualService"}},
		Features:    traffic.Features{Matches: true, Mirror: true, Sticky: true},
		Watch:       []client.Object{&VirtualService{}, &DestinationRule{}},
		AddToScheme: addToScheme,
		New: func(c client.Client, live client.Reader) routers.Router {
			return &router{client: c, live: live}
		},
	}
}

// router steers VirtualServices.
type router struct {
	client client.Client
	live   client.Reader
}

// Observe implements [routers.Router].
func (g *router) Observe(ctx context.Context, from client.Reader, r routers.Route) (traffic.Observed, error) {
	s, err := load(ctx, from, r)
	if err != nil {
		return traffic.Observed{}, err
	}
	return read(s, r)
}

// Apply implements [routers.Router].
func (g *router) Apply(ctx context.Context, r routers.Route, want traffic.Split) error {
	if err := want.Validate(); err != nil {
		return fmt.Errorf("steer %s: %w", r, err)
	}
	return again(func() error {
		s, err := load(ctx, g.live, r)
		if err != nil {
			return err
		}
		rule, virtualService, err := render(s, r, want)
		if err != nil {
			return err
		}
		if err := g.write(ctx, r, ruleOf(r), rule); err != nil {
			return err
		}
		return g.write(ctx, r, virtualServiceOf(r), virtualService)
	})
}

// Release implements [routers.Router].
func (g *router) Release(ctx context.Context, r routers.Route) error {
	return again(func() error {
		var s state
		v, rule := virtualServiceOf(r), ruleOf(r)
		if err := g.live.Get(ctx, client.ObjectKeyFromObject(v), v); err == nil {
			s.virtualService = v
		} else if !gone(err) {
			return fmt.Errorf("read %s: %w", r, err)
		}
		if r.Ref.DestinationRule != "" {
			if err := g.live.Get(ctx, client.ObjectKeyFromObject(rule), rule); err == nil {
				s.rule = rule
			} else if !gone(err) {
				return fmt.Errorf("read %s: %w", named(r), err)
			}
		}
		first, then, err := release(s, r)
		if err != nil {
			return err
		}
		if err := g.write(ctx, r, virtualServiceOf(r), first); err != nil {
			return err
		}
		return g.write(ctx, r, ruleOf(r), then)
	})
}

// again does something once more when an object had become another meanwhile.
func again(do func() error) error {
	err := do()
	if overtaken(err) {
		err = do()
	}
	return err
}

// write patches one object, unless there is nothing to change.
func (g *router) write(ctx context.Context, r routers.Route, o client.Object, ops []operation) error {
	if len(ops) == 0 {
		return nil
	}
	patch, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encode the patch of %s: %w", r, err)
	}
	if err := g.client.Patch(ctx, o, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("write %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	return nil
}

func virtualServiceOf(r routers.Route) *VirtualService {
	return &VirtualService{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Ref.Name}}
}

func ruleOf(r routers.Route) *DestinationRule {
	return &DestinationRule{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Ref.DestinationRule}}
}

// load reads the objects of a reference. What doesn't exist or can't be used is
// a problem.
func load(ctx context.Context, from client.Reader, r routers.Route) (state, error) {
	s := state{virtualService: virtualServiceOf(r)}
	if err := from.Get(ctx, r.Key(), s.virtualService); err != nil {
		return state{}, absent(err, r, r.String(), nameField)
	}
	if r.Ref.DestinationRule == "" {
		return s, nil
	}
	s.rule = ruleOf(r)
	if err := from.Get(ctx, client.ObjectKeyFromObject(s.rule), s.rule); err != nil {
		return state{}, absent(err, r, named(r), ".destinationRule")
	}
	return s, checkRule(s.rule, r)
}

// nameField is where a Rollout names the VirtualService. Without that one nothing is
// sent; a DestinationRule that is missing says nothing of where requests go.
const nameField = ".name"

// absent makes a problem of an object or kind that doesn't exist.
func absent(err error, r routers.Route, name, field string) error {
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%w: %w", problem(r, ".kind", "the cluster does not know %s, of which %s is one; install Istio's CRDs, 1.22 or newer", groupVersion, name), err)
	case apierrors.IsNotFound(err):
		p := problem(r, field, "%s does not exist; create it or correct the name", name)
		p.Gone = field == nameField
		return fmt.Errorf("%w: %w", p, err)
	default:
		return fmt.Errorf("read %s: %w", name, err)
	}
}

// gone reports that there is no object, or no such kind of object.
func gone(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// overtaken reports that the object was changed between read and write: the
// patch's test didn't hold (the API server calls that invalid) or the write
// lost a race.
func overtaken(err error) bool { return apierrors.IsConflict(err) || apierrors.IsInvalid(err) }
