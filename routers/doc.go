// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package routers says what the controller asks of anything that steers
// traffic, and finds who can steer a given object by its kind.
//
// A router turns a share in percent into fields of a route object, and reads
// it back. It never decides a share, never looks at pods or Services, never
// touches a Rollout, and writes no field but those it names in its own package
// documentation. docs/adding-a-router.md tells how to write one.
package routers
