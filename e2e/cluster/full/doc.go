// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package full runs the full tier: a one-node Kubernetes cluster with real
// containers, a Gateway API data plane and a Prometheus, on one Linux machine.
//
// Everything lives in a network namespace of its own, out of which no packet
// leads, and keeps its state in one folder. Up brings it up, Down removes every
// trace. Both may be interrupted and repeated at any time, because neither
// trusts what an earlier run may have noted: what belongs to the cluster is
// found by its namespace, its control groups and its folder. Nothing is ever
// found by name.
//
// The package knows Kubernetes and nothing of Sluice.
package full
