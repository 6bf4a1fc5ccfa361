// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// Up brings the cluster up, or does nothing if it runs. What an earlier run has
// left half-way, it removes first.
func (c *Cluster) Up(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if c.healthy(ctx) {
		fmt.Fprintln(c.out, "The cluster is running already.")
		return nil
	}
	if err := c.clearRemains(ctx); err != nil {
		return err
	}
	if err := ensurePackages(ctx, c.out); err != nil {
		return err
	}
	tools, err := c.build(ctx, cluster.FullTools()...)
	if err != nil {
		return err
	}
	start := time.Now()
	fmt.Fprintf(c.out, "Bringing the cluster up in %s, network namespace %s.\n", c.at.dir, c.at.id)
	if err := c.bringUp(ctx, tools); err != nil {
		return fmt.Errorf("bringing the cluster up (logs are in %s): %w", c.at.path("logs"), err)
	}
	fmt.Fprintf(c.out, "The cluster is up after %.1f s. Try: sluice-cluster exec -- kubectl get pods -A\n", time.Since(start).Seconds())
	return nil
}

// Build builds tools and starts nothing. It needs no root.
func (c *Cluster) Build(ctx context.Context, tools ...cluster.Tool) error {
	_, err := c.build(ctx, tools...)
	return err
}

func (c *Cluster) build(ctx context.Context, tools ...cluster.Tool) (map[string]string, error) {
	chain, err := cluster.NewToolchain(c.out)
	if err != nil {
		return nil, err
	}
	return chain.EnsureAll(ctx, tools...)
}

// healthy tells whether an earlier Up has finished and every part still runs.
func (c *Cluster) healthy(ctx context.Context) bool {
	if _, err := os.Stat(c.at.complete()); err != nil {
		return false
	}
	for _, name := range partNames {
		if !c.running(name) {
			c.say("%s is not running any more", name)
			return false
		}
	}
	return c.apiReady(ctx) == nil
}

// clearRemains removes whatever an earlier run has left.
func (c *Cluster) clearRemains(ctx context.Context) error {
	left, err := c.Leftovers(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	fmt.Fprintln(c.out, "Found the remains of an earlier cluster; removing them first.")
	return c.tearDown(ctx)
}

func (c *Cluster) bringUp(ctx context.Context, tools map[string]string) error {
	cniDir, err := cniDir()
	if err != nil {
		return err
	}
	for _, dir := range c.at.folders() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the state folder: %w", err)
		}
	}
	if err := book.enter(c.at); err != nil {
		return err
	}
	if err := c.makeGroups(); err != nil {
		return err
	}
	if err := c.makeNetwork(ctx); err != nil {
		return err
	}
	settings, err := c.writeAccess()
	if err != nil {
		return err
	}
	if err := c.writeConfigs(cniDir); err != nil {
		return err
	}
	if err := c.writeKubectl(tools["kube"]); err != nil {
		return err
	}
	if err := c.startParts(ctx, tools, settings); err != nil {
		return err
	}
	return os.WriteFile(c.at.complete(), nil, 0o644)
}

// startParts starts the parts in the order in which they need each other, and as
// many at once as can be.
func (c *Cluster) startParts(ctx context.Context, tools map[string]string, s controlplane.Settings) error {
	parts := c.parts(tools, s)
	if err := c.startAndAwait(ctx, parts, "etcd", "kube-apiserver", "containerd"); err != nil {
		return err
	}
	if err := c.startAll(parts, "kube-controller-manager", "kube-scheduler", "kube-proxy", "prometheus"); err != nil {
		return err
	}
	if err := c.waitFor(ctx, "pause image", func(ctx context.Context) error { return c.loadPause(ctx, tools) }); err != nil {
		return err
	}
	if err := c.startAll(parts, "kubelet"); err != nil {
		return err
	}
	if err := c.waitFor(ctx, "Gateway API and manifests", c.applyManifests); err != nil {
		return err
	}
	if err := c.startAndAwait(ctx, parts, "traefik"); err != nil {
		return err
	}
	if err := c.awaitAll(ctx, parts, "kube-proxy", "prometheus"); err != nil {
		return err
	}
	if err := c.waitFor(ctx, "node "+nodeName, c.nodeReady); err != nil {
		return err
	}
	return c.waitFor(ctx, "gateway", c.gatewayReady)
}

func (c *Cluster) startAndAwait(ctx context.Context, parts map[string]part, names ...string) error {
	if err := c.startAll(parts, names...); err != nil {
		return err
	}
	return c.awaitAll(ctx, parts, names...)
}

func (c *Cluster) startAll(parts map[string]part, names ...string) error {
	for _, name := range names {
		if err := c.start(parts[name]); err != nil {
			return err
		}
		if parts[name].ready == nil {
			c.say("%-28s started", name)
		}
	}
	return nil
}

func (c *Cluster) awaitAll(ctx context.Context, parts map[string]part, names ...string) error {
	for _, name := range names {
		if err := c.await(ctx, parts[name]); err != nil {
			return err
		}
	}
	return nil
}
