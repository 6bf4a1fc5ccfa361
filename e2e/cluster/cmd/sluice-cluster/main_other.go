// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "sluice-cluster: the full tier needs Linux. "+
		"Set E2E_CONTEXT=<kubeconfig context> to run the stories on a cluster that you have.")
	os.Exit(1)
}
