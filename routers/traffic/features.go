// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package traffic

// Features say what a kind of route can carry beside the shares of stable and canary.
type Features struct {
	// Matches: requests chosen by header, cookie or query parameter.
	Matches bool
	// Mirror: copies of requests.
	Mirror bool
	// Baseline: a third destination.
	Baseline bool
	// Sticky: a cookie that keeps a user on the canary.
	Sticky bool
}
