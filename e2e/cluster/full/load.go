// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sluice-dev/sluice/e2e/cluster"
)

// Load makes an image of one static binary and gives it to the node under the
// given name and tag. Pods that use it need an imagePullPolicy of Never or
// IfNotPresent.
func (c *Cluster) Load(ctx context.Context, ref, binary string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if !c.running("containerd") {
		return ErrNotRunning
	}
	chain, err := cluster.NewToolchain(c.out)
	if err != nil {
		return err
	}
	packer, err := chain.Ensure(ctx, cluster.Image)
	if err != nil {
		return err
	}
	if err := c.load(ctx, packer, ref, binary); err != nil {
		return fmt.Errorf("loading image %s: %w", ref, err)
	}
	c.say("image %s loaded from %s", ref, binary)
	return nil
}

func (c *Cluster) load(ctx context.Context, packer, ref, binary string) error {
	archive, err := os.CreateTemp(c.at.path("images"), "*.tar")
	if err != nil {
		return fmt.Errorf("making the archive: %w", err)
	}
	defer func() { _ = os.Remove(archive.Name()) }()
	if err := archive.Close(); err != nil {
		return fmt.Errorf("making the archive: %w", err)
	}
	if err := run(ctx, packer, "-ref", ref, "-binary", binary, "-out", archive.Name()); err != nil {
		return err
	}
	return run(ctx, "ctr", "--address", c.at.containerdSocket(), "--namespace", "k8s.io", "images", "import", archive.Name())
}

// loadPause loads the image that every pod starts with.
func (c *Cluster) loadPause(ctx context.Context, tools map[string]string) error {
	return c.load(ctx, tools["image"], pauseImage, tools["pause"])
}

// SplitLoad reads an argument of the form NAME:TAG=PATH.
func SplitLoad(argument string) (ref, binary string, err error) {
	ref, binary, ok := strings.Cut(argument, "=")
	if !ok || binary == "" || !strings.Contains(ref, ":") {
		return "", "", fmt.Errorf("%q is not of the form NAME:TAG=PATH-TO-STATIC-BINARY", argument)
	}
	return ref, binary, nil
}
