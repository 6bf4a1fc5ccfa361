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

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// stopWithin is how long what is under way may take once nothing new is taken.
const stopWithin = 15 * time.Second

// serve listens until ctx ends, then goes on for the drain period, because a
// pod is told to stop at the same time as its callers are told to stop calling
// it, then answers what is under way and returns.
func serve(ctx context.Context, s serverSettings) error {
	l, err := listen(ctx, s.listen)
	if err != nil {
		return err
	}
	admin, err := listen(ctx, s.admin)
	if err != nil {
		return err
	}
	return serveOn(ctx, l, admin, s)
}

func serveOn(ctx context.Context, l, adminListener net.Listener, s serverSettings) error {
	app := newShop(s)
	healthy := health.NewServer()
	server := grpc.NewServer()
	server.RegisterService(description(), app)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	admin := &http.Server{Handler: app.admin(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(l) }()
	go func() { failed <- admin.Serve(adminListener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	healthy.Shutdown() // A draining shop is not ready, yet answers.
	rest := context.WithoutCancel(ctx)
	sleep(rest, s.drain)
	timer := time.AfterFunc(stopWithin, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
	return admin.Close()
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// serveHTTP serves until ctx ends, and then what is under way.
func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := server.Shutdown(rest); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
