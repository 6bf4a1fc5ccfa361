// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	tools "github.com/sluice-dev/sluice/e2e/cluster"
)

// newAPI runs the API tier of the Go tests for whoever wants one by hand.
func newAPI() *cobra.Command {
	return &cobra.Command{
		Use:   "api [-- CMD [ARG...]]",
		Short: "Run an API server without nodes, which needs no root, for a command or until interrupted",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := tools.StartAPI(cmd.Context(), tools.APIOptions{Progress: os.Stderr})
			if err != nil {
				return err
			}
			defer api.Stop()
			if len(args) > 0 {
				return runWith(cmd.Context(), api, args)
			}
			fmt.Printf("export KUBECONFIG=%s\n", api.Kubeconfig())
			fmt.Fprintf(os.Stderr, "The API server serves until you press Ctrl-C. Its logs, also the audit log, are in %s.\n", api.Dir())
			<-cmd.Context().Done()
			return nil
		},
	}
}

// runWith runs a command with KUBECONFIG set.
func runWith(ctx context.Context, api *tools.API, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+api.Kubeconfig())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w", argv[0], err)
	}
	return nil
}
