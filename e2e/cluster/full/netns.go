// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// network is the cluster's network namespace.
type network struct{ at layout }

// make makes the namespace and the node's address in it. The route for
// Services has to be there: without any route the kernel drops their packets
// before kube-proxy's rules see them.
func (n network) make(ctx context.Context) error {
	commands := []string{
		"ip netns add " + n.at.id,
		"ip -n " + n.at.id + " link set lo up",
		"ip -n " + n.at.id + " link add br-node type bridge",
		"ip -n " + n.at.id + " addr add " + nodeAddress + "/24 dev br-node",
		"ip -n " + n.at.id + " link set br-node up",
		"ip -n " + n.at.id + " route add " + controlplane.ServiceRange + " dev br-node",
	}
	for _, command := range commands {
		if err := run(ctx, strings.Fields(command)...); err != nil {
			return fmt.Errorf("making the network: %w", err)
		}
	}
	return n.refuseAtOnce(ctx)
}

// refuseAtOnce lifts the limit on ICMP errors. Without it only the first few DNS
// lookups of a pod would be refused, and the others would time out.
func (n network) refuseAtOnce(ctx context.Context) error {
	return run(ctx, "nsenter", "--net="+n.at.netns(), "--", "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
}

// drop deletes the namespace and with it every device, address and
// packet filter rule of the cluster.
func (n network) drop(ctx context.Context) error {
	if _, err := os.Lstat(n.at.netns()); os.IsNotExist(err) {
		return nil
	}
	if err := run(ctx, "ip", "netns", "delete", n.at.id); err != nil {
		return fmt.Errorf("deleting the network namespace: %w", err)
	}
	return nil
}

// dial connects from inside the namespace, whatever the caller is in. A socket
// stays in the namespace that it was made in, so the thread may go back.
func (n network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("opening the own network namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	there, err := os.Open(n.at.netns())
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

// processes lists those whose network namespace is the cluster's.
func (n network) processes() []process {
	var want unix.Stat_t
	if unix.Stat(n.at.netns(), &want) != nil {
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

// answers asks a URL inside the namespace for status 200.
func (n network) answers(url string) func(context.Context) error {
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true},
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return fmt.Errorf("asking %s: %w", url, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
		}
		return nil
	}
}

// run runs a command and returns its output only if it fails.
func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
