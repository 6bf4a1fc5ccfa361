// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errLimit means that a figure is beyond a limit that must be kept.
var errLimit = errors.New("a limit that must be kept is exceeded")

// within is how long all measurements together may take.
const within = 15 * time.Minute

// options are the command line.
type options struct {
	controller string
	rollouts   int
	rest       time.Duration
	verbose    bool
}

func main() {
	var o options
	flag.StringVar(&o.controller, "controller", "bin/sluice", "the controller's binary")
	flag.IntVar(&o.rollouts, "rollouts", 100, "how many Rollouts are at rest; 0 leaves this measurement out")
	flag.DurationVar(&o.rest, "rest", time.Minute, "how long the controller is watched at rest")
	flag.BoolVar(&o.verbose, "v", false, "list every request of a release and of an abort")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, end := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer end()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	t, stop, err := startTier(ctx, o.controller, os.Stderr)
	if err != nil {
		return err
	}
	defer stop()
	sections, err := meter{tier: t, verbose: o.verbose}.measure(ctx, o)
	if !printTable(os.Stdout, sections) {
		err = errors.Join(err, errLimit)
	}
	return err
}

// measure begins with the release, while no other Rollout is there.
func (m meter) measure(ctx context.Context, o options) ([]section, error) {
	sections, err := m.released(ctx, o.rest/2)
	if err != nil {
		return sections, fmt.Errorf("measuring a release: %w", err)
	}
	abort, err := m.aborted(ctx)
	sections = append(sections, abort)
	if err != nil || o.rollouts == 0 {
		return sections, err
	}
	rest, err := m.atRest(ctx, o.rollouts, o.rest)
	if err != nil {
		return sections, fmt.Errorf("measuring the controller at rest: %w", err)
	}
	return append([]section{rest}, sections...), nil
}
