// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cluster brings up real Kubernetes control planes for tests, out of
// nothing but Go modules: no Docker, no image registry, no downloads of
// binaries.
//
// It does two things. Toolchain builds the servers (Kubernetes, etcd and so on)
// once from the nested modules under tools/ into a cache folder. StartAPI runs
// the API tier: etcd, kube-apiserver, kube-controller-manager and a pod pump
// that plays kubelet, all as children of the calling process and without root.
//
// The full tier, with containers, lives in package full and shares the tools
// and the control plane's settings with this one.
//
// Nothing here may know about Sluice: the cluster must stay a plain Kubernetes,
// so that what passes on it passes elsewhere.
package cluster
