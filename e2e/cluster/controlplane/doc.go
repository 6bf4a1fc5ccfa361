// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane knows how etcd, kube-apiserver and
// kube-controller-manager are configured for a test cluster: their command
// lines, the certificates and tokens they trust, and the kubeconfigs of those
// who call them.
//
// It writes files and returns arguments; it starts nothing. Both tiers use it,
// so that they differ only where they have to.
package controlplane
