// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	tools "github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/full"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-cluster:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cluster, err := full.New(os.Stderr)
	if err != nil {
		return err
	}
	return newCommand(cluster).ExecuteContext(ctx)
}

func newCommand(cluster *full.Cluster) *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice-cluster",
		Short:         "A real Kubernetes cluster on this machine, for tests",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newBuild(cluster),
		newAPI(),
		simple("up", "Bring the cluster up; does nothing if it is running", cluster.Up),
		simple("status", "Show which parts run and where to reach them", cluster.Status),
		newDown(cluster),
		newLoad(cluster),
		newExec(cluster),
		newShell(cluster),
		newKubeconfig(cluster),
	)
	return root
}

func simple(name, short string, do func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return do(cmd.Context()) },
	}
}

func newBuild(cluster *full.Cluster) *cobra.Command {
	var api bool
	cmd := &cobra.Command{
		Use: "build", Short: "Build the programs that the clusters are made of", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if api {
				return cluster.Build(cmd.Context(), tools.APITools()...)
			}
			return cluster.Build(cmd.Context(), tools.FullTools()...)
		},
	}
	cmd.Flags().BoolVar(&api, "api", false, "only what the API tier of the Go tests needs")
	return cmd
}

func newDown(cluster *full.Cluster) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use: "down", Short: "Remove the cluster and every trace of it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cluster.Down(cmd.Context()); err != nil || !verify {
				return err
			}
			return reportLeftovers(cmd.Context(), cluster)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "then list what is left, and fail if anything is")
	return cmd
}

func reportLeftovers(ctx context.Context, cluster *full.Cluster) error {
	left, err := cluster.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, what := range left {
		fmt.Println("left behind:", what)
	}
	if len(left) > 0 {
		return errors.New("the cluster left something behind")
	}
	fmt.Println("Nothing is left: no process, mount, namespace, control group, folder or packet filter rule.")
	return nil
}

func newLoad(cluster *full.Cluster) *cobra.Command {
	return &cobra.Command{
		Use: "load NAME:TAG=BINARY...", Short: "Give the node images, each made of one static binary", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, argument := range args {
				ref, binary, err := full.SplitLoad(argument)
				if err != nil {
					return err
				}
				if err := cluster.Load(cmd.Context(), ref, binary); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newExec(cluster *full.Cluster) *cobra.Command {
	return &cobra.Command{
		Use: "exec -- CMD [ARG...]", Short: "Run a program inside the cluster's network", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return cluster.Exec(args...) },
	}
}

func newShell(cluster *full.Cluster) *cobra.Command {
	return &cobra.Command{
		Use: "shell", Short: "Open a shell inside the cluster's network", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			shell := os.Getenv("SHELL")
			if shell == "" {
				shell = "/bin/sh"
			}
			return cluster.Exec(shell)
		},
	}
}

func newKubeconfig(cluster *full.Cluster) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig", Short: "Print the path of the kubeconfig", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Println(cluster.Kubeconfig()) },
	}
}
