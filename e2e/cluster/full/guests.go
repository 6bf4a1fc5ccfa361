// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// guestBook is where the clusters of this machine note that they are there, one
// file each, and how the machine was before the first of them. The last one to
// leave makes the machine so again.
type guestBook struct{ dir string }

// book is the machine's. A reboot empties it, and what it tells of with it.
var book = guestBook{dir: "/run/sluice-clusters"}

func (b guestBook) record() string         { return filepath.Join(b.dir, "host.json") }
func (b guestBook) guest(id string) string { return filepath.Join(b.dir, id+".guest") }

// enter notes a cluster and where its state is.
func (b guestBook) enter(at layout) error {
	return b.locked(func() error {
		if err := os.MkdirAll(b.dir, 0o755); err != nil {
			return fmt.Errorf("making the guest book: %w", err)
		}
		if _, err := os.Stat(b.record()); os.IsNotExist(err) {
			if err := lookAtHost().save(b.record()); err != nil {
				return err
			}
		}
		if err := os.WriteFile(b.guest(at.id), []byte(at.dir), 0o644); err != nil {
			return fmt.Errorf("entering the guest book: %w", err)
		}
		return nil
	})
}

// leave removes a cluster's note, and restores the machine if it was the last.
func (b guestBook) leave(at layout) error {
	return b.locked(func() error {
		if err := os.Remove(b.guest(at.id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("leaving the guest book: %w", err)
		}
		if len(b.guests()) > 0 {
			return nil
		}
		before, err := loadHost(b.record())
		if err != nil {
			return err
		}
		if err := before.restore(); err != nil {
			return err
		}
		return os.RemoveAll(b.dir)
	})
}

// guests lists the state folders of the clusters that are noted and still there.
func (b guestBook) guests() []string {
	files, err := filepath.Glob(b.guest("*"))
	if err != nil {
		return nil
	}
	var dirs []string
	for _, file := range files {
		dir, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if _, err := os.Stat(string(dir)); err == nil { //nolint:gosec // only root writes the book
			dirs = append(dirs, string(dir))
		}
	}
	return dirs
}

// leftovers lists in words what a cluster has left in the machine at large.
func (b guestBook) leftovers(at layout) ([]string, error) {
	var left []string
	if _, err := os.Lstat(b.guest(at.id)); err == nil {
		left = append(left, "note "+b.guest(at.id))
	}
	if len(b.guests()) > 0 {
		return left, nil // others live here; the last one tidies up
	}
	before, err := loadHost(b.record())
	if err != nil {
		return nil, err
	}
	return append(left, before.differences()...), nil
}

// locked runs a function while no other cluster of this machine comes or goes.
func (b guestBook) locked(do func() error) error {
	dir, err := os.Open(filepath.Dir(b.dir))
	if err != nil {
		return fmt.Errorf("opening the folder of the guest book: %w", err)
	}
	defer func() { _ = dir.Close() }()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the guest book: %w", err)
	}
	return do()
}
