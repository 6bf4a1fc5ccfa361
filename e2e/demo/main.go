// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command demo shows Sluice at work on a real cluster: it installs the
// controller, deploys a shop behind the gateway, sends it requests at a fixed
// rate, releases a good version and then a bad one, and says at the end what
// users got. It exits with 1 when a request failed that should not have.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-dev/sluice/e2e/harness"
)

func main() {
	transcript := flag.String("transcript", "", "also write the output to this file, without colours")
	rate := flag.Int("rate", 100, "requests per second")
	limit := flag.Duration("limit", 6*time.Minute, "longest time that the demo may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	ctrl.SetLogger(logr.Discard())
	if err := run(ctx, *rate, *transcript); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the process ends, and with it every context.
	}
}

func run(ctx context.Context, rate int, transcript string) error {
	settings, err := harness.FromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	cluster, err := harness.Connect(settings)
	if err != nil {
		return err
	}
	out, err := newScreen(os.Stdout, transcript)
	if err != nil {
		return err
	}
	d := &demo{cluster: cluster, out: out, rate: rate, versions: map[string]string{}}
	if err := d.play(ctx); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
