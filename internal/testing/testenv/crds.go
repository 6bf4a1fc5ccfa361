// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/manifests"
)

// crdsWithin is how long the definitions may take until they are served.
const crdsWithin = 3 * time.Minute

// installCRDs applies the project's own custom resource definitions, if they
// have been generated, those of the Gateway API with their admission policies, and those of Istio that are steered.
func installCRDs(ctx context.Context, config *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, crdsWithin)
	defer cancel()
	root, err := cluster.RepoRoot()
	if err != nil {
		return err
	}
	all, err := manifests.ReadDir(filepath.Join(root, "config", "crd"))
	if err != nil {
		return err
	}
	gateway, err := manifests.GatewayAPI(ctx, root)
	if err != nil {
		return err
	}
	istio, err := manifests.Istio(ctx, root)
	if err != nil {
		return err
	}
	applier, err := manifests.NewApplier(config)
	if err != nil {
		return err
	}
	// They come first, so that they judge the definitions they are shipped with.
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		policies := manifests.OfKind(gateway, kind)
		if len(policies) == 0 {
			return fmt.Errorf("the Gateway API's module holds no %s", kind)
		}
		if err := applier.Apply(ctx, policies...); err != nil {
			return err
		}
	}
	if err := applier.ApplyCRDs(ctx, slices.Concat(all, gateway, istio)); err != nil {
		return fmt.Errorf("installing custom resource definitions: %w", err)
	}
	return nil
}
