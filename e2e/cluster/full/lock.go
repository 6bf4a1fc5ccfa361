// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock keeps two commands from changing the cluster at once. It locks the folder
// around the state folder, so that no lock file is left behind.
func lock(ctx context.Context, at layout, tell progress) (unlock func(), err error) {
	parent := filepath.Dir(at.dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("making %s: %w", parent, err)
	}
	dir, err := os.Open(parent)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", parent, err)
	}
	if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return func() { _ = dir.Close() }, nil
	}
	err = tell.waitFor(ctx, "another sluice-cluster command", func(context.Context) error {
		return unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	})
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return func() { _ = dir.Close() }, nil
}
