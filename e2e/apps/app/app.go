// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package app is what the services under test have in common, whatever they
// speak: settings, faults on purpose, and an end in which nothing is dropped.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	// headerWithin is how long a caller may take to say what it wants.
	headerWithin = 10 * time.Second
	// StopWithin is how long what is under way may take once nothing new is taken.
	StopWithin = 15 * time.Second
)

// Run is a program: it ends with ctx, and takes settings from flags and environment.
type Run func(ctx context.Context, args []string, env func(string) string, out io.Writer) error

// Main runs a program until SIGTERM or an interrupt, and gives its exit code.
func Main(ctx context.Context, name string, run Run) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1
	}
	return 0
}

// Parse reads flags. One that is not given takes its value from the environment
// variable of the same name in capitals, such as ERROR_RATE for -error-rate.
func Parse(f *flag.FlagSet, args []string, env func(string) string) error {
	var failed error
	f.VisitAll(func(fl *flag.Flag) {
		name := strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		value := env(name)
		if value == "" || failed != nil {
			return
		}
		if err := fl.Value.Set(value); err != nil {
			failed = fmt.Errorf("environment variable %s=%q: %w", name, value, err)
		}
	})
	if failed != nil {
		return failed
	}
	return f.Parse(args)
}

// Listen listens on a TCP address.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// Serve answers on all listeners until ctx ends, then does what is left to do
// while it goes on answering, then answers what is under way and returns.
func Serve(ctx context.Context, handler http.Handler, last func(rest context.Context), listeners ...net.Listener) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerWithin}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	rest := context.WithoutCancel(ctx)
	last(rest)
	rest, cancel := context.WithTimeout(rest, StopWithin)
	defer cancel()
	if err := server.Shutdown(rest); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// Sleep waits, and reports whether the whole time has passed before the context ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
