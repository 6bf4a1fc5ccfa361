// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package routertest holds the contract that every router keeps, as a test
// suite to run on a real API server. A router's own test tells, in a [Fixture],
// how its objects are made and how a data plane answers; the suite does the rest.
package routertest
