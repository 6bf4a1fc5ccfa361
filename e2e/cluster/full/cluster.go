// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is the full tier of this machine, running or not.
type Cluster struct {
	at  layout
	out io.Writer
}

// New returns the cluster whose state is in $SLUICE_CLUSTER_DIR, or in the
// default folder. Progress is told on out.
func New(out io.Writer) (*Cluster, error) {
	at, err := newLayout()
	if err != nil {
		return nil, err
	}
	return &Cluster{at: at, out: out}, nil
}

// Kubeconfig is the path of the administrator's kubeconfig. Its server can be
// reached from inside the cluster's network namespace only; see Exec.
func (c *Cluster) Kubeconfig() string { return c.at.kubeconfig("admin") }

// AuditLog is the path of the API server's audit log.
func (c *Cluster) AuditLog() string { return c.at.path("logs", "audit.log") }

// Config is how to talk to the API server from outside the namespace: it dials
// from within. It needs root.
func (c *Cluster) Config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.Dial = c.dial
	config.QPS, config.Burst = -1, -1
	return config, nil
}

// lock keeps two commands from changing the cluster at once. It locks the folder
// around the state folder, so that no lock file is left behind.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	parent := filepath.Dir(c.at.dir)
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
	err = c.waitFor(ctx, "another sluice-cluster command", func(context.Context) error {
		return unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	})
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return func() { _ = dir.Close() }, nil
}
