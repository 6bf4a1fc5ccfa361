// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package full

import (
	"os"
	"testing"
)

// TestComeAndGo brings a cluster up beside any that runs already, breaks it,
// mends it and removes it, and looks for what is left. It needs root.
func TestComeAndGo(t *testing.T) {
	t.Setenv("SLUICE_CLUSTER_DIR", "/var/lib/sluice-come-and-go")
	c, err := New(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Down(t.Context()) }()
	if err := c.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	scheduler, _ := c.servers.recorded("kube-scheduler")
	broken, err := os.FindProcess(scheduler.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Up(t.Context()); err != nil {
		t.Fatalf("Up did not mend a broken cluster: %v", err)
	}
	if err := c.Status(t.Context()); err != nil {
		t.Errorf("The cluster is up, but its status is: %v", err)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := c.Leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range left {
		t.Errorf("Left behind: %s", what)
	}
}
