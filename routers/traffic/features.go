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
	// Sticky: a cookie that keeps a user on the version first met.
	Sticky bool
}

// Lacking names what a split asks for and these features don't have; empty when they have it all.
func (f Features) Lacking(s Split) string {
	switch {
	case len(s.Matches) > 0 && !f.Matches:
		return "matchRoute"
	case s.Mirror > 0 && !f.Mirror:
		return "mirror"
	case s.Baseline > 0 && !f.Baseline:
		return "baseline"
	case s.Sticky != nil && !f.Sticky:
		return "stickiness"
	}
	return ""
}
