// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && !mesh

package e2e_test

// meshNames are the stories that make e2e-mesh runs: none here.
var meshNames []string
