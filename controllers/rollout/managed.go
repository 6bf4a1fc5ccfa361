// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// managed makes and reads the routes that the controller owns.
type managed struct {
	client  client.Client
	routers *routers.Registry
}

// observe reads the routes that are ours, and has the API server check those
// that are to be written; a Rollout that is deleted writes none.
func (m managed) observe(ctx context.Context, o *observation) error {
	var asked []v1alpha1.RouteRef
	if o.s.Rollout.DeletionTimestamp == nil {
		asked = plan.ManagedRefs(plan.WantedBindings(o.s.Rollout))
	}
	for i, ref := range asked {
		at := fmt.Sprintf("spec.strategy.canary.managedRoutes[%d]", i)
		found, err := m.route(ctx, o, ref, at)
		var p *routers.Problem
		if errors.As(err, &p) {
			o.made(p)
			continue
		}
		if err != nil {
			return err
		}
		o.s.Managed = append(o.s.Managed, found)
	}
	for _, ref := range plan.ManagedRefs(o.bound) {
		if slices.ContainsFunc(asked, func(r v1alpha1.RouteRef) bool { return r.Kind == ref.Kind && r.Name == ref.Name }) {
			continue
		}
		object, err := m.read(ctx, o.from.of(plan.Routes), o.s.Rollout, ref)
		if err != nil {
			return err
		}
		if object != nil && ours(o.s, object) {
			o.s.Managed = append(o.s.Managed, plan.Managed{Ref: ref, Unwanted: true})
		}
	}
	return nil
}

func (m managed) route(ctx context.Context, o *observation, ref v1alpha1.RouteRef, at string) (plan.Managed, error) {
	object, err := m.read(ctx, o.from.of(plan.Routes), o.s.Rollout, ref)
	if err != nil {
		return plan.Managed{}, err
	}
	if object != nil && !ours(o.s, object) {
		return plan.Managed{}, &routers.Problem{Field: at + ".name", Message: fmt.Sprintf(
			"%s %s exists and is not this Rollout's; delete it, choose another name, or name it under routes to have it steered only", ref.Kind, ref.Name)}
	}
	wanted, err := m.compose(o.s, o.bound, ref, traffic.CanaryAt(0))
	if err != nil {
		return plan.Managed{}, under(at+".spec", err)
	}
	if object != nil && object.GetAnnotations()[v1alpha1.ManagedAnnotation] == wanted.GetAnnotations()[v1alpha1.ManagedAnnotation] {
		return plan.Managed{Ref: ref}, nil
	}
	err = m.routers.Unable(ctx, m.client, routeTo(o.s, o.bound, ref, at+".spec"), wanted, plan.Asked(o.s.Rollout))
	if err == nil {
		err = m.check(ctx, wanted, at)
	}
	return plan.Managed{Ref: ref, Outdated: true}, o.unsure(at+".spec", err)
}

// outdated reports whether a route is ours and about to be written, so that what it says now is no matter.
func outdated(found []plan.Managed, ref v1alpha1.RouteRef) bool {
	return slices.ContainsFunc(found, func(m plan.Managed) bool { return m.Outdated && m.Ref.Kind == ref.Kind && m.Ref.Name == ref.Name })
}

// under moves a problem with what was composed to the field that it was composed from.
func under(field string, err error) error {
	var p *routers.Problem
	if errors.As(err, &p) {
		return &routers.Problem{Field: field, Message: p.Message}
	}
	return err
}

// read gives the route as it is stored; nil when there is none.
func (m managed) read(ctx context.Context, from client.Reader, ro *v1alpha1.Rollout, ref v1alpha1.RouteRef) (*unstructured.Unstructured, error) {
	object := empty(ro, ref)
	err := from.Get(ctx, client.ObjectKeyFromObject(object), object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", ref.Kind, ref.Name, err)
	}
	return object, nil
}

// check asks the API server whether it would take the route, without storing it.
func (m managed) check(ctx context.Context, object *unstructured.Unstructured, at string) error {
	err := m.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.ForceOwnership, client.FieldOwner(v1alpha1.FieldOwner), client.DryRunAll)
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return &routers.Problem{Field: at + ".kind", Unwatched: true, Message: fmt.Sprintf("the cluster does not know %s; install its definition", object.GroupVersionKind())}
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err):
		// What refuses it may be a quota, a role or a webhook, and nobody watches these.
		return &routers.Problem{Field: at + ".spec", Unwatched: true, Message: fmt.Sprintf("the API server would not take it: %v; correct what it names", err)}
	}
	return fmt.Errorf("check %s %s: %w", object.GetKind(), object.GetName(), err)
}

// compose builds a managed route that carries a split.
func (m managed) compose(s plan.Snapshot, b v1alpha1.Bindings, ref v1alpha1.RouteRef, split traffic.Split) (*unstructured.Unstructured, error) {
	ro := s.Rollout
	at := slices.IndexFunc(ro.Spec.Strategy.Canary.ManagedRoutes, func(r v1alpha1.ManagedRoute) bool { return r.Kind == ref.Kind && r.Name == ref.Name })
	if at < 0 {
		return nil, fmt.Errorf("%s %s is no longer in the spec", ref.Kind, ref.Name)
	}
	from := ro.Spec.Strategy.Canary.ManagedRoutes[at]
	object := empty(ro, ref)
	var spec map[string]any
	if err := utiljson.Unmarshal(from.Spec.Raw, &spec); err != nil { // keeps whole numbers whole
		return nil, fmt.Errorf("decode the spec of %s %s: %w", ref.Kind, ref.Name, err)
	}
	object.Object["spec"] = spec
	annotations := map[string]string{}
	maps.Copy(annotations, from.Annotations)
	made, err := digest(from)
	if err != nil {
		return nil, err
	}
	annotations[v1alpha1.ManagedAnnotation] = made
	object.SetAnnotations(annotations)
	object.SetLabels(from.Labels)
	object.SetOwnerReferences(owners(s))
	route := routeTo(s, b, ref, fmt.Sprintf("spec.strategy.canary.managedRoutes[%d]", at))
	router, err := m.routers.For(route)
	if err != nil {
		return nil, err
	}
	composer, ok := router.(routers.Composer)
	if !ok {
		return nil, &routers.Problem{Field: route.Field + ".kind", Message: fmt.Sprintf("a %s can't be managed; create it yourself and name it under routes", ref.Kind)}
	}
	return object, composer.Compose(route, object, split)
}

// write creates the route or brings it to its spec, with the split in it.
func (m managed) write(ctx context.Context, s plan.Snapshot, a plan.WriteRoute) error {
	object, err := m.compose(s, plan.Bindings(s.Rollout), a.Ref, a.Split)
	if err != nil {
		return err
	}
	return kube.Apply(ctx, m.client, client.ApplyConfigurationFromUnstructured(object))
}

// drop deletes a route that is ours, or makes it nobody's. The uid keeps it from touching another's.
func (m managed) drop(ctx context.Context, s plan.Snapshot, a plan.DropRoute) error {
	object, err := m.read(ctx, m.client, s.Rollout, a.Ref)
	if err != nil || object == nil || !ours(s, object) {
		return err
	}
	if !a.Keep {
		uid := object.GetUID()
		return client.IgnoreNotFound(m.client.Delete(ctx, object, client.Preconditions{UID: &uid}))
	}
	others := slices.DeleteFunc(object.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == s.Rollout.UID || s.Workload != nil && r.UID == s.Workload.UID
	})
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": object.GetUID(), "ownerReferences": others, "annotations": map[string]any{v1alpha1.ManagedAnnotation: nil},
	}})
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	return client.IgnoreNotFound(m.client.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldOwner)))
}

// empty names a route of the Rollout's namespace.
func empty(ro *v1alpha1.Rollout, ref v1alpha1.RouteRef) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAPIVersion(ref.APIVersion)
	object.SetKind(ref.Kind)
	object.SetNamespace(ro.Namespace)
	object.SetName(ref.Name)
	return object
}

// digest identifies what a managed route is made from.
func digest(m v1alpha1.ManagedRoute) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encode %s %s: %w", m.Kind, m.Name, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}
