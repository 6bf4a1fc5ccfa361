// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// serve listens until ctx ends, then goes on for the drain period, because a
// pod is told to stop at the same time as its callers are told to stop calling
// it, then answers what is under way and returns.
func serve(ctx context.Context, s settings, app *shop) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.listen, err)
	}
	return serveOn(ctx, l, s, app)
}

func serveOn(ctx context.Context, l net.Listener, s settings, app *shop) error {
	server := &http.Server{Handler: app.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-app.quit:
	case <-ctx.Done():
	}
	app.draining.Store(true)
	rest := context.WithoutCancel(ctx)
	sleep(rest, s.drain)
	rest, cancel := context.WithTimeout(rest, 15*time.Second)
	defer cancel()
	if err := server.Shutdown(rest); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
