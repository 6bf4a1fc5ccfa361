// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// killWithin is how long killed processes may take to be gone.
const killWithin = time.Minute

// remains is everything on this machine that belongs to one cluster, however
// far it was brought up.
type remains struct {
	at      layout
	net     network
	groups  groups
	servers servers
	parts   []part
}

// list says in words what there is. It is long while the cluster runs.
func (r remains) list(ctx context.Context) ([]string, error) {
	var left []string
	for _, p := range r.processes() {
		left = append(left, fmt.Sprintf("process %d: %s", p.PID, p.command()))
	}
	points, err := mountsUnder(r.at.dir)
	if err != nil {
		return nil, err
	}
	for _, point := range points {
		left = append(left, "mount "+point)
	}
	for _, dir := range r.groups.tree() {
		left = append(left, "control group "+dir)
	}
	if _, err := os.Lstat(r.at.netns()); err == nil {
		left = append(left, "network namespace "+r.at.id)
	}
	if _, err := os.Lstat(r.at.dir); err == nil {
		left = append(left, "folder "+r.at.dir)
	}
	atLarge, err := book.leftovers(r.at)
	if err != nil {
		return nil, err
	}
	left = append(left, atLarge...)
	left = append(left, hostRules(ctx)...)
	slices.Sort(left)
	return left, nil
}

// remove ends the processes first, because everything else is in use by them.
// The note in the guest book goes last, for until then something is left.
func (r remains) remove(ctx context.Context) error {
	// Without this mark nobody takes the cluster for a running one any more.
	if err := os.Remove(r.at.complete()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the mark of a complete cluster: %w", err)
	}
	if err := r.killAll(ctx); err != nil {
		return err
	}
	if err := unmountUnder(r.at.dir); err != nil {
		return err
	}
	if err := r.net.drop(ctx); err != nil {
		return err
	}
	if err := r.dropGroups(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(r.at.dir); err != nil {
		return fmt.Errorf("removing the state folder: %w", err)
	}
	return book.leave(r.at)
}

// dropGroups removes the control groups. The kernel may call one busy for a moment
// after its last process was killed.
func (r remains) dropGroups(ctx context.Context) error {
	return again(ctx, "removing the control groups", r.groups.drop)
}

// again repeats what may need a moment until it gives no error, and gives the last one
// when that takes too long.
func again(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, killWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-tick.C:
		}
	}
}

// processes lists every process of the cluster: the parts that were noted, all
// that live in its network namespace, and all that run in its control groups,
// which are the containers. This command itself is not among them.
func (r remains) processes() []process {
	found := map[int]process{}
	for _, part := range r.parts {
		if p, ok := r.servers.recorded(part.name); ok && p.alive() {
			found[p.PID] = p
		}
	}
	for _, p := range append(r.net.processes(), r.groups.processes()...) {
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
func (r remains) killAll(ctx context.Context) error {
	return again(ctx, "killing what the cluster left", func() error {
		left := r.processes()
		if len(left) == 0 {
			return nil
		}
		for _, p := range left {
			if p.alive() {
				_ = unix.Kill(p.PID, unix.SIGKILL)
			}
		}
		return fmt.Errorf("%d processes are there, the first is %d (%s)", len(left), left[0].PID, left[0].command())
	})
}
