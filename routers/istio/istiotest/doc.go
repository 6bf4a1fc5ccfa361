// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package istiotest holds every Istio object that our tests and our guide write
// to the checks that Istio's own admission webhook makes. It has only tests,
// and is a module of its own so that nothing of Istio is built into the product.
package istiotest
