// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"maps"
	"time"

	"github.com/sluice-dev/sluice/e2e/load"
	"github.com/sluice-dev/sluice/e2e/load/binomial"
)

const (
	// settle is waited after a confirmation before shares are measured. A confirmation is the gateway's word that it
	// accepted a weight, convergence.settle ago; a gateway on a machine that is short of time takes longer to act on it.
	settle = 2 * time.Second
	// margin keeps a window clear of its end, because a watch tells of a change a little after it.
	margin = 500 * time.Millisecond
	// MinRequests is the least number of requests that a share is judged by.
	MinRequests = 500
)

// Period is a time during which the data plane served one split.
type Period struct {
	// From is when the split was first seen confirmed, To when something else was first seen.
	From, To time.Time
	// Newest is the revision whose share is measured.
	Newest string
	// Shares in percent by revision, those of 0 left out.
	Shares map[string]int32
}

// Window is the part of the period in which every request was routed by this split.
func (p Period) Window() (from, to time.Time) { return p.From.Add(settle), p.To.Add(-margin) }

// Periods cuts points into periods, the last of which lasts until end.
func Periods(points []Point, end time.Time) []Period {
	var periods []Period
	open := false
	for _, p := range points {
		fits := open && p.Settled && maps.Equal(p.Confirmed, periods[len(periods)-1].Shares) && p.Newest() == periods[len(periods)-1].Newest
		if fits {
			continue
		}
		if open {
			periods[len(periods)-1].To = p.At
		}
		if open = p.Settled; open {
			periods = append(periods, Period{From: p.At, To: end, Newest: p.Newest(), Shares: p.Confirmed})
		}
	}
	return periods
}

// Share is the share of requests that one weight gave, and what chance allows.
type Share struct {
	// At is when the measuring began.
	At time.Time `json:"at"`
	// Version that was measured: that of the newest revision.
	Version string `json:"version"`
	// Canary is its weight in percent.
	Canary int32 `json:"canary"`
	// ObservedShare is the share of responses that came from it, 0 to 1.
	ObservedShare float64 `json:"observedShare"`
	// N is the number of responses.
	N int `json:"n"`
	// Low and High are the ends of the binomial interval of the share at that weight.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Within is true when the share lies between Low and High.
	Within bool `json:"within"`
	// Strangers counts responses of versions that had no weight at all. It must be 0.
	Strangers int `json:"strangers"`
}

// Measure counts the responses in a period's window. It gives false when there
// are fewer than MinRequests.
func (p Period) Measure(h *load.History, versions map[string]string, level float64) (Share, bool, error) {
	from, to := p.Window()
	tally := h.Count(from, to)
	n := tally.Requests - tally.ByOutcome[load.Failed] // Failed ones fail the story by themselves.
	if n < MinRequests {
		return Share{}, false, nil
	}
	version := versions[p.Newest]
	s := Share{At: from, Version: version, Canary: p.Shares[p.Newest], N: n}
	count := tally.ByVersion[version]
	s.Strangers = n - count
	others := map[string]bool{version: true} // two revisions may be of one version
	for revision := range p.Shares {
		if v := versions[revision]; !others[v] {
			others[v] = true
			s.Strangers -= tally.ByVersion[v]
		}
	}
	interval, err := binomial.Central(n, float64(s.Canary)/100, level)
	if err != nil {
		return Share{}, false, err
	}
	s.ObservedShare = float64(count) / float64(n)
	s.Low, s.High = interval.Shares()
	s.Within = interval.Holds(count)
	return s, true, nil
}
