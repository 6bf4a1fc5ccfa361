// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// FieldManager owns the fields that an Applier sets.
const FieldManager = "sluice-testenv"

// CRDKind is the kind of custom resource definitions.
const CRDKind = "CustomResourceDefinition"

var crds = schema.GroupVersionResource{
	Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
}

// Applier applies objects of any kind that the server knows.
type Applier struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

// NewApplier returns an Applier for the server of the config.
func NewApplier(config *rest.Config) (*Applier, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for manifests: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a discovery client: %w", err)
	}
	return &Applier{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))}, nil
}

// Apply makes the server's objects agree with the given ones, in order. It may
// be repeated, and takes fields over from whoever else set them.
func (a *Applier) Apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := a.apply(ctx, object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func (a *Applier) apply(ctx context.Context, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		a.mapper.Reset() // the kind may have been defined since
		mapping, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return fmt.Errorf("looking up the kind: %w", err)
	}
	var target dynamic.ResourceInterface = a.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		target = a.client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	_, err = target.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	return err
}

// ApplyCRDs applies the custom resource definitions among the objects and waits
// until each is served.
func (a *Applier) ApplyCRDs(ctx context.Context, objects []*unstructured.Unstructured) error {
	definitions := OfKind(objects, CRDKind)
	failures := make([]error, len(definitions))
	var wait sync.WaitGroup
	for i, definition := range definitions {
		wait.Go(func() { failures[i] = a.applyCRD(ctx, definition) })
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for _, definition := range definitions {
		if err := a.waitDiscovered(ctx, definition); err != nil {
			return err
		}
	}
	return nil
}

// waitDiscovered waits until clients find the kind: discovery is published a
// moment after the definition is established.
func (a *Applier) waitDiscovered(ctx context.Context, definition *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	return poll(ctx, "for kind "+kind+" of "+group+" to be discovered", func() (bool, error) {
		a.mapper.Reset()
		_, err := a.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind})
		return err == nil, err
	})
}

func (a *Applier) applyCRD(ctx context.Context, definition *unstructured.Unstructured) error {
	if err := a.Apply(ctx, definition); err != nil {
		return err
	}
	return a.waitEstablished(ctx, definition.GetName())
}

func (a *Applier) waitEstablished(ctx context.Context, name string) error {
	return poll(ctx, "for CRD "+name+" to be established", func() (bool, error) {
		definition, err := a.client.Resource(crds).Get(ctx, name, metav1.GetOptions{})
		return err == nil && established(definition), err
	})
}

// poll asks until the answer is yes. An error is asked about again, and told when the time is over.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting %s: %w", what, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func established(definition *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	for _, entry := range conditions {
		condition, ok := entry.(map[string]any)
		if ok && condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}
