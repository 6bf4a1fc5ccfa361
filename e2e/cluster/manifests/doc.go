// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package manifests puts YAML manifests into a cluster by server-side apply and
// waits for custom resource definitions to be served.
//
// It knows nothing about what it applies; the callers choose the files.
package manifests
