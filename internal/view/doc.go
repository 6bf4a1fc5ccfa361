// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package view turns the objects around a Rollout into one value that people
// look at: a [Tree] for one Rollout, a [Row] for one line of a list, a
// [Standing] for a pipeline. The kubectl plugin draws these values as text, a
// dashboard may draw them otherwise; both show the same truth because neither
// looks at the objects themselves.
//
// The package is pure: it reads no cluster, no clock and no environment, and
// decides nothing. What the controller reported is shown as reported.
package view
