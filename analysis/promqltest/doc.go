// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package promqltest holds the queries that we write to the answers that
// Prometheus' own engine gives. It has only tests, and is a module of its own
// so that nothing of the engine is built into the product.
package promqltest
