// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Command sluice-cluster runs the full test tier: a one-node Kubernetes cluster
// with containers, a gateway and a Prometheus, on one Linux machine.
package main
