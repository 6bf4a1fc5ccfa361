// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command pause does nothing until it is asked to end. It is the container that
// keeps the namespaces of a pod open.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
