// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Exec becomes a program that runs inside the cluster's network namespace, with
// KUBECONFIG set and kubectl in PATH. It returns only if it fails.
func (c *Cluster) Exec(argv ...string) error {
	if err := requireRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(c.at.complete()); err != nil {
		return ErrNotRunning
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return fmt.Errorf("looking for nsenter: %w", err)
	}
	argv = append([]string{"nsenter", "--net=" + c.at.netns(), "--"}, argv...)
	if err := unix.Exec(nsenter, argv, c.environment(os.Environ())); err != nil {
		return fmt.Errorf("starting %s: %w", strings.Join(argv[3:], " "), err)
	}
	return nil
}

// environment adds to the caller's what programs inside the cluster need.
func (c *Cluster) environment(env []string) []string {
	return append(env,
		"KUBECONFIG="+c.Kubeconfig(),
		"PATH="+c.at.path("bin")+":"+os.Getenv("PATH"),
		"SLUICE_GATEWAY_URL="+GatewayURL,
		"SLUICE_PROMETHEUS_URL="+PrometheusURL,
	)
}
