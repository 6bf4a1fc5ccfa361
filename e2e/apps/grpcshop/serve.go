// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

// serve listens until ctx ends, then goes on for the drain period, because a
// pod is told to stop at the same time as its callers are told to stop calling
// it, then answers what is under way and returns.
func serve(ctx context.Context, s serverSettings) error {
	l, err := app.Listen(ctx, s.listen)
	if err != nil {
		return err
	}
	admin, err := app.Listen(ctx, s.admin)
	if err != nil {
		return err
	}
	return serveOn(ctx, l, admin, s)
}

func serveOn(ctx context.Context, l, adminListener net.Listener, s serverSettings) error {
	shop := newShop(s)
	healthy := health.NewServer()
	server := grpc.NewServer()
	server.RegisterService(description(), shop)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	admin := &http.Server{Handler: shop.admin(), ReadHeaderTimeout: 10 * time.Second}
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
	app.Sleep(rest, s.drain)
	timer := time.AfterFunc(app.StopWithin, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
	return admin.Close()
}
