// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package judge turns measurements into verdicts: a value into an outcome, the
// outcomes of a metric into its verdict, the verdicts into the phase of a run
// and the answer to its question. It is pure: no client, no context, no clock.
//
// The status of a run is all that is remembered. [Run] folds the measurements
// of one block into it; folding the same block in twice changes nothing, and
// the same measurements always give the same status.
//
// One rule stands above all: what is missing, late, not a number or more than
// one number never counts as a pass, and never as a failure either. It is a
// lack of data, and says so.
package judge
