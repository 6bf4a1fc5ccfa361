// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Outcome says what a response means for the service behind it.
type Outcome string

const (
	// OK means that the response is the one that was asked for.
	OK Outcome = "ok"
	// InjectedFault means that the version failed the request by itself, on purpose.
	InjectedFault Outcome = "injected fault"
	// Failed means that anything else went wrong: no response, another status or another body.
	Failed Outcome = "failed"
)

// Record is what became of one request.
type Record struct {
	// At is when the request was sent.
	At time.Time
	// Took is the time until the whole response was read.
	Took time.Duration
	// Version that answered; empty when none did.
	Version string
	// Status of the response; 0 when there was none.
	Status int
	// Repeated is true when the client's own library gave the request up before it was sent, and it was made again.
	Repeated bool
	// Outcome of the request.
	Outcome Outcome
	// Reason says why the request failed; empty for other outcomes.
	Reason string
}

// Tally counts records.
type Tally struct {
	// Requests counts all records.
	Requests int
	// ByVersion counts records by the version that answered. Requests that none answered are not in it.
	ByVersion map[string]int
	// ByOutcome counts records by outcome.
	ByOutcome map[Outcome]int
	// Repeated counts those that the client's own library gave up before they were sent, and that were made again.
	Repeated int
}

// History is the records of a generator, in the order in which requests ended.
// It is safe for concurrent use.
type History struct {
	mu      sync.Mutex
	records []Record
}

func (h *History) add(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, r)
}

// Len is the number of requests that have ended.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.records)
}

// Records gives the requests sent at or after from and before to, oldest first.
func (h *History) Records(from, to time.Time) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	var in []Record
	for _, r := range h.records {
		if !r.At.Before(from) && r.At.Before(to) {
			in = append(in, r)
		}
	}
	slices.SortStableFunc(in, func(a, b Record) int { return a.At.Compare(b.At) })
	return in
}

// Count tallies the requests sent at or after from and before to.
func (h *History) Count(from, to time.Time) Tally {
	t := Tally{ByVersion: map[string]int{}, ByOutcome: map[Outcome]int{}}
	for _, r := range h.Records(from, to) {
		t.Requests++
		t.ByOutcome[r.Outcome]++
		if r.Repeated {
			t.Repeated++
		}
		if r.Version != "" {
			t.ByVersion[r.Version]++
		}
	}
	return t
}

// Versions lists the versions that answered, sorted.
func (t Tally) Versions() []string { return slices.Sorted(maps.Keys(t.ByVersion)) }

// FirstFailures gives up to n failed requests, oldest first: what to show a person.
func (h *History) FirstFailures(n int) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	var failed []Record
	for _, r := range h.records {
		if r.Outcome == Failed {
			failed = append(failed, r)
		}
	}
	slices.SortStableFunc(failed, func(a, b Record) int { return a.At.Compare(b.At) })
	return failed[:min(n, len(failed))]
}

// Span gives the times at which the first and the last request that satisfy
// match were sent, and whether there was one.
func (h *History) Span(match func(Record) bool) (first, last time.Time, found bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.records {
		if !match(r) {
			continue
		}
		if !found || r.At.Before(first) {
			first = r.At
		}
		if !found || r.At.After(last) {
			last = r.At
		}
		found = true
	}
	return first, last, found
}
