// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kube holds the two ways in which Sluice writes to the API server:
// server-side apply under one field owner, and a status patch that is lost
// rather than written over somebody else's. It knows no kind and decides nothing.
package kube
