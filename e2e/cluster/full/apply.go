// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"

	"github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/manifests"
)

// applyManifests installs the Gateway API and what the parts of the cluster need
// in it.
func (c *Cluster) applyManifests(ctx context.Context) error {
	config, err := c.Config()
	if err != nil {
		return err
	}
	applier, err := manifests.NewApplier(config)
	if err != nil {
		return err
	}
	root, err := cluster.RepoRoot()
	if err != nil {
		return err
	}
	gatewayAPI, err := manifests.GatewayAPI(ctx, root)
	if err != nil {
		return err
	}
	if err := applier.ApplyCRDs(ctx, gatewayAPI); err != nil {
		return fmt.Errorf("installing the Gateway API: %w", err)
	}
	for _, asset := range []string{"access.yaml", "services.yaml"} {
		text, err := assets.ReadFile("assets/" + asset)
		if err != nil {
			return fmt.Errorf("reading %s: %w", asset, err)
		}
		objects, err := manifests.Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", asset, err)
		}
		if err := applier.Apply(ctx, objects...); err != nil {
			return err
		}
	}
	return nil
}
