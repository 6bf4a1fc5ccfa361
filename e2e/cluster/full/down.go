// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// killWithin is how long killed processes may take to be gone.
const killWithin = 15 * time.Second

// Down removes the cluster and every trace of it. It may be repeated.
func (c *Cluster) Down(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	start := time.Now()
	if err := c.tearDown(ctx); err != nil {
		return fmt.Errorf("removing the cluster: %w", err)
	}
	fmt.Fprintf(c.out, "The cluster is gone after %.1f s.\n", time.Since(start).Seconds())
	return nil
}

// tearDown ends the processes first, because everything else is in use by them.
// The note in the guest book goes last, for until then something is left.
func (c *Cluster) tearDown(ctx context.Context) error {
	// Without this mark nobody takes the cluster for a running one any more.
	if err := os.Remove(c.at.complete()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the mark of a complete cluster: %w", err)
	}
	if err := c.killAll(ctx); err != nil {
		return err
	}
	if err := unmountUnder(c.at.dir); err != nil {
		return err
	}
	if err := c.dropNetwork(ctx); err != nil {
		return err
	}
	if err := c.dropGroups(); err != nil {
		return fmt.Errorf("removing the control groups: %w", err)
	}
	if err := os.RemoveAll(c.at.dir); err != nil {
		return fmt.Errorf("removing the state folder: %w", err)
	}
	return book.leave(c.at)
}

// processes lists every process of the cluster: the parts that were noted, all
// that live in its network namespace, and all that run in its control groups,
// which are the containers. This command itself is not among them.
func (c *Cluster) processes() []process {
	found := map[int]process{}
	for _, name := range partNames {
		if p, ok := c.recorded(name); ok && p.alive() {
			found[p.PID] = p
		}
	}
	for _, p := range append(c.inNetns(), c.inGroups()...) {
		found[p.PID] = p
	}
	delete(found, os.Getpid())
	all := make([]process, 0, len(found))
	for _, p := range found {
		all = append(all, p)
	}
	return all
}

// killAll kills the cluster's processes until there are none. It looks again
// each time, for a process may have started another one meanwhile.
func (c *Cluster) killAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, killWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left := c.processes()
		if len(left) == 0 {
			return nil
		}
		for _, p := range left {
			if p.alive() {
				_ = unix.Kill(p.PID, unix.SIGKILL)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("killing %d processes, the first is %d (%s): %w", len(left), left[0].PID, left[0].command(), ctx.Err())
		case <-tick.C:
		}
	}
}
