// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
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
	listeners := []net.Listener{l}
	if s.tls.listen != "" {
		secure, err := s.tls.open(ctx)
		if err != nil {
			return err
		}
		listeners = append(listeners, secure)
	}
	return serveOn(ctx, listeners, s, app)
}

// open listens for those who speak TLS.
func (i identity) open(ctx context.Context) (net.Listener, error) {
	pair, err := tls.X509KeyPair([]byte(i.certificate), []byte(i.key))
	if err != nil {
		return nil, fmt.Errorf("tls-certificate and tls-key: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", i.listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", i.listen, err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}), nil
}

func serveOn(ctx context.Context, listeners []net.Listener, s settings, app *shop) error {
	server := &http.Server{Handler: app.handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- server.Serve(l) }()
	}
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
