// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/sluice-dev/sluice/e2e/apps/app"
)

// serve listens until ctx ends, then goes on for the drain period, because a
// pod is told to stop at the same time as its callers are told to stop calling
// it, then answers what is under way and returns.
func serve(ctx context.Context, s settings, shop *shop) error {
	l, err := app.Listen(ctx, s.listen)
	if err != nil {
		return err
	}
	listeners := []net.Listener{l}
	if s.tls.listen != "" {
		secure, err := s.tls.open(ctx)
		if err != nil {
			return err
		}
		listeners = append(listeners, secure)
	}
	return serveOn(ctx, listeners, s, shop)
}

// open listens for those who speak TLS.
func (i identity) open(ctx context.Context) (net.Listener, error) {
	pair, err := tls.X509KeyPair([]byte(i.certificate), []byte(i.key))
	if err != nil {
		return nil, fmt.Errorf("tls-certificate and tls-key: %w", err)
	}
	l, err := app.Listen(ctx, i.listen)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}), nil
}

// serveOn serves until ctx ends, or until somebody asks the shop to end by itself.
func serveOn(ctx context.Context, listeners []net.Listener, s settings, shop *shop) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	go func() {
		select {
		case <-shop.quit:
			end()
		case <-ctx.Done():
		}
	}()
	return app.Serve(ctx, shop.handler(), func(rest context.Context) {
		shop.draining.Store(true)
		app.Sleep(rest, s.drain)
	}, listeners...)
}
