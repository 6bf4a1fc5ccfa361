// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// PatchStatusLocked writes the difference between the status of old and of
// updated, provided that the stored object is still the version that old was
// read at; otherwise the error satisfies apierrors.IsConflict and nothing is
// written. Equal statuses cause no request.
//
// updated must be a copy of old whose status alone was changed: the status
// subresource ignores other changes. On success updated is the object as stored.
func PatchStatusLocked(ctx context.Context, c client.Client, old, updated client.Object) error {
	before, err := status(old)
	if err != nil {
		return err
	}
	after, err := status(updated)
	if err != nil {
		return err
	}
	if before == after {
		return nil
	}
	patch := client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{})
	if err := c.Status().Patch(ctx, updated, patch, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("patch status of %s: %w", client.ObjectKeyFromObject(old), err)
	}
	return nil
}

// status is the status of an object as JSON. Equal JSON is equal for the API server.
func status(obj client.Object) (string, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	var parts struct {
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", fmt.Errorf("decode %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return string(parts.Status), nil
}
