// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
)

// ErrNotRunning means that the cluster was needed and is not there.
var ErrNotRunning = errors.New("the cluster is not running; bring it up with: sluice-cluster up")

// Status prints which parts run and where to reach them. It fails with
// ErrNotRunning unless all of them do.
func (c *Cluster) Status(ctx context.Context) error {
	if err := requireRoot(); err != nil {
		return err
	}
	table := tabwriter.NewWriter(c.tell.out, 0, 0, 2, ' ', 0)
	for _, part := range partsOf(c.units) {
		p, noted := c.servers.recorded(part.name)
		state := "not started"
		switch {
		case noted && p.alive():
			state = fmt.Sprintf("running as process %d", p.PID)
		case noted:
			state = "ended; see " + c.at.log(part.name)
		}
		fmt.Fprintf(table, "%s\t%s\n", part.name, state)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the status: %w", err)
	}
	if !c.healthy(ctx) {
		return ErrNotRunning
	}
	fmt.Fprintf(c.tell.out, "\nGateway     %s\nPrometheus  %s (from pods also %s)\nKubeconfig  %s\nLogs        %s\n",
		GatewayURL, PrometheusURL, PrometheusServiceURL, c.Kubeconfig(), c.at.path("logs"))
	fmt.Fprintln(c.tell.out, "The addresses work inside the network namespace: sluice-cluster exec -- CMD, or sluice-cluster shell.")
	return nil
}
