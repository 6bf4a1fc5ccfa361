// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
)

// StartCaller starts the program that makes a gRPC call to the shop of each
// HTTP request, until ctx ends, and sends the shop's load there from now on.
func (s *Shop) StartCaller(ctx context.Context) (stop func(), err error) {
	gateway, err := url.Parse(s.Cluster.Settings.GatewayURL)
	if err != nil {
		return nil, fmt.Errorf("E2E_GATEWAY_URL: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(s.Cluster.Settings.Root, "bin", "grpcshop")
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, "call", "-listen", address, "-target", gateway.Host, "-authority", s.Host())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start the gRPC caller: %w (make cluster-ready builds it)", err)
	}
	s.caller = "http://" + address
	return func() {
		cancel()
		_ = cmd.Wait() // It was told to end.
	}, nil
}

// freeAddress is one of this machine's own that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
