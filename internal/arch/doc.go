// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package arch holds one test: which package may import which, and what a pure
// package may not touch. The rules are the tables in arrows_test.go; nothing
// imports this package.
package arch
