// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crd holds the generated definitions of Sluice's kinds, for programs
// that ask them without an API server.
package crd

import "embed"

// Files are the definitions, sluice.dev_<plural>.yaml.
//
//go:embed sluice.dev_*.yaml
var Files embed.FS
