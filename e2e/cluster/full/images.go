// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// images gives the node images that are made here of static binaries.
type images struct {
	at layout
	// packer is the tool that makes an archive of a binary.
	packer string
}

// load makes an image of a binary and puts it under a name and tag.
func (i images) load(ctx context.Context, ref, binary string) error {
	archive, err := os.CreateTemp(i.at.path("images"), "*.tar")
	if err != nil {
		return fmt.Errorf("making the archive: %w", err)
	}
	defer func() { _ = os.Remove(archive.Name()) }()
	if err := archive.Close(); err != nil {
		return fmt.Errorf("making the archive: %w", err)
	}
	if err := run(ctx, i.packer, "-ref", ref, "-binary", binary, "-out", archive.Name()); err != nil {
		return err
	}
	return run(ctx, "ctr", "--address", i.at.containerdSocket(), "--namespace", "k8s.io", "images", "import", archive.Name())
}

// SplitLoad reads an argument of the form NAME:TAG=PATH.
func SplitLoad(argument string) (ref, binary string, err error) {
	ref, binary, ok := strings.Cut(argument, "=")
	if !ok || binary == "" || !strings.Contains(ref, ":") {
		return "", "", fmt.Errorf("%q is not of the form NAME:TAG=PATH-TO-STATIC-BINARY", argument)
	}
	return ref, binary, nil
}
