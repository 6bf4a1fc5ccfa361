// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package stats turns counts of good and bad requests into evidence that may be
// looked at as often as one likes.
package stats
