// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Apply makes the API server carry every field that obj sets, creating the
// object when it is missing, and takes those fields over from whoever owned
// them. Fields that an earlier Apply set and this one leaves out are given up:
// obj must always hold all that Sluice wants of the object. When nothing
// differs the object is not changed. On success obj is the object as stored.
//
// An apply configuration is asked for, not an API type, since an API type
// can't tell a field left out from a field set to nothing.
func Apply(ctx context.Context, c client.Client, obj runtime.ApplyConfiguration) error {
	name := described(obj) // obj is overwritten by the answer
	if err := c.Apply(ctx, obj, client.ForceOwnership, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("apply %s: %w", name, err)
	}
	return nil
}

// described names the object as kind namespace/name, as far as it says.
func described(obj runtime.ApplyConfiguration) string {
	switch o := obj.(type) {
	case interface {
		GetKind() *string
		GetNamespace() *string
		GetName() *string
	}:
		return ptr.Deref(o.GetKind(), "") + " " + ptr.Deref(o.GetNamespace(), "") + "/" + ptr.Deref(o.GetName(), "")
	case interface {
		GetKind() string
		GetNamespace() string
		GetName() string
	}:
		return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
	default:
		return fmt.Sprintf("%T", obj)
	}
}
