// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// istioKinds are the resources of Istio that Sluice steers.
var istioKinds = []string{"virtualservices.networking.istio.io", "destinationrules.networking.istio.io"}

// Istio reads the custom resource definitions of VirtualService and
// DestinationRule, of the version whose validation the checkout at root tests
// against. All of Istio's would double what a test server has to publish.
func Istio(ctx context.Context, root string) ([]*unstructured.Unstructured, error) {
	const path = "istio.io/api"
	dir, err := moduleDir(ctx, filepath.Join(root, "routers", "istio", "istiotest"), path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading Istio's custom resource definitions: %w", err)
	}
	all, err := Parse(text)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(o *unstructured.Unstructured) bool { return !slices.Contains(istioKinds, o.GetName()) })
	if len(all) != len(istioKinds) {
		return nil, fmt.Errorf("module %s in %s holds %d of the %d custom resource definitions wanted", path, dir, len(all), len(istioKinds))
	}
	return all, nil
}
