// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net"
)

// freePorts finds ports of the loopback address that nobody listens on. They
// are held until all are found, so that no two are the same.
func freePorts(count int) ([]int, error) {
	ports := make([]int, 0, count)
	held := make([]net.Listener, 0, count)
	defer func() {
		for _, listener := range held {
			_ = listener.Close()
		}
	}()
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		held = append(held, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
