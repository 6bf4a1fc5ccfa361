// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package harness is what stories and demo stand on: it connects to a cluster,
// installs Sluice there as a user would, sets up a shop with its traffic in a
// namespace of its own, and watches what happens to it.
//
// It observes from outside only: the objects in the API server, the responses
// at the client, the texts of kubectl. It knows nothing of the controller's
// inside, and nothing of how the cluster came to be.
package harness
