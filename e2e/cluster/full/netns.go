// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// makeNetwork makes the namespace and the node's address in it. The route for
// Services has to be there: without any route the kernel drops their packets
// before kube-proxy's rules see them.
func (c *Cluster) makeNetwork(ctx context.Context) error {
	commands := []string{
		"ip netns add " + c.at.id,
		"ip -n " + c.at.id + " link set lo up",
		"ip -n " + c.at.id + " link add br-node type bridge",
		"ip -n " + c.at.id + " addr add " + nodeAddress + "/24 dev br-node",
		"ip -n " + c.at.id + " link set br-node up",
		"ip -n " + c.at.id + " route add " + controlplane.ServiceRange + " dev br-node",
	}
	for _, command := range commands {
		if err := run(ctx, strings.Fields(command)...); err != nil {
			return fmt.Errorf("making the network: %w", err)
		}
	}
	return c.refuseAtOnce(ctx)
}

// refuseAtOnce lifts the limit on ICMP errors. Without it only the first few DNS
// lookups of a pod would be refused, and the others would time out.
func (c *Cluster) refuseAtOnce(ctx context.Context) error {
	return run(ctx, "nsenter", "--net="+c.at.netns(), "--", "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
}

// dropNetwork deletes the namespace and with it every device, address and
// packet filter rule of the cluster.
func (c *Cluster) dropNetwork(ctx context.Context) error {
	if _, err := os.Lstat(c.at.netns()); os.IsNotExist(err) {
		return nil
	}
	if err := run(ctx, "ip", "netns", "delete", c.at.id); err != nil {
		return fmt.Errorf("deleting the network namespace: %w", err)
	}
	return nil
}

// dial connects from inside the namespace, whatever the caller is in. A socket
// stays in the namespace that it was made in, so the thread may go back.
func (c *Cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("opening the own network namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	there, err := os.Open(c.at.netns())
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("opening the cluster's network namespace: %w", err)
	}
	defer func() { _ = there.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("entering the cluster's network namespace: %w", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it dies with this goroutine instead
		// of taking others to the wrong network.
		return nil, fmt.Errorf("returning to the own network namespace: %w", back)
	}
	runtime.UnlockOSThread()
	return conn, err
}

// inNetns lists the processes whose network namespace is the cluster's.
func (c *Cluster) inNetns() []process {
	var want unix.Stat_t
	if unix.Stat(c.at.netns(), &want) != nil {
		return nil
	}
	var found []process
	for _, pid := range pids() {
		var have unix.Stat_t
		if unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &have) != nil || have.Ino != want.Ino || have.Dev != want.Dev {
			continue
		}
		if p, ok := lookup(pid); ok {
			found = append(found, p)
		}
	}
	return found
}

// run runs a command and returns its output only if it fails.
func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
