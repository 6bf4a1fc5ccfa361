// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/prometheus"
	"github.com/sluice-dev/sluice/analysis/stats"
)

const (
	// maxSteps is how many blocks are asked for at once; servers refuse more than 11,000.
	maxSteps = 5000
	// maxBlocks bounds a replay: more than three months in blocks of 10 s.
	maxBlocks = 1_000_000
	// learning is how long before its start noise is learnt.
	learning = time.Hour
)

// span is what is replayed, in whole blocks.
type span struct {
	from  time.Time
	block time.Duration
	count int
}

// before is the span of that length that ends where s begins.
func (s span) before(d time.Duration) span {
	n := int(d / s.block)
	return span{from: s.from.Add(-time.Duration(n) * s.block), block: s.block, count: n}
}

func (s span) end() time.Time { return s.from.Add(time.Duration(s.count) * s.block) }

// spanOf reads --from, --to and --block.
func spanOf(from, to string, block time.Duration, now time.Time) (span, error) {
	if block < time.Second || block%time.Millisecond != 0 {
		return span{}, fmt.Errorf("--block %s: must be at least 1s, in whole milliseconds", block)
	}
	start, err := timeOf(from, now)
	if err != nil {
		return span{}, fmt.Errorf("--from %q: %w", from, err)
	}
	end, err := timeOf(to, now)
	if err != nil {
		return span{}, fmt.Errorf("--to %q: %w", to, err)
	}
	s := span{from: start, block: block, count: int(end.Sub(start) / block)}
	given := fmt.Sprintf("--from %s to --to %s", spelled(from, start), spelled(to, end))
	switch {
	case !start.Before(end) && to == "":
		return span{}, fmt.Errorf("--from %s: is not before now, where the history ends without --to; give a time in the past, such as --from 2h", spelled(from, start))
	case !start.Before(end):
		return span{}, fmt.Errorf("%s runs backwards; swap them, or leave --to out for now", given)
	case s.count < 1:
		return span{}, fmt.Errorf("%s is less than a block of %s; give an earlier --from, a later --to or a shorter --block", given, block)
	case s.count > maxBlocks:
		return span{}, fmt.Errorf("%s are %d blocks of %s, at most %d; give a later --from, an earlier --to or a longer --block", given, s.count, block, maxBlocks)
	}
	return s, nil
}

// spelled is a time as somebody gave it, and what it comes to.
func spelled(given string, at time.Time) string {
	on := at.UTC().Format(time.RFC3339)
	switch given {
	case on:
		return on
	case "":
		return "now, " + on
	}
	return given + " (" + on + ")"
}

// timeOf reads a time of day, a number of seconds, or how long ago it was. Empty is now.
func timeOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 && seconds < 1e11 {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, errors.New("must be a time such as 2026-11-20T10:00:00Z, seconds since 1970, or how long ago such as 2h")
}

// past is a server and the span to ask it for.
type past struct {
	provider *prometheus.Provider
	target   analysis.Target
	span
}

// history asks for the counts of a metric, and those of stable before.
func (p past) history(ctx context.Context, q question) (stats.Series, error) {
	s := stats.Series{Objective: q.objective}
	canary, err := p.arm(ctx, q, q.canary)
	if err != nil {
		return s, err
	}
	stable := arm{fail: make([]stats.Counts, p.count), pass: make([]stats.Counts, p.count)}
	if q.stable != (selectors{}) {
		if stable, err = p.arm(ctx, q, q.stable); err != nil {
			return s, err
		}
		earlier := past{p.provider, p.target, p.before(learning)}
		learnt, err := earlier.arm(ctx, q, q.stable)
		if err != nil {
			return s, err
		}
		s.Phi = stats.NoiseFactor(learnt.fail)
	}
	for k := range p.count {
		s.Blocks = append(s.Blocks, stats.Block{Canary: canary.fail[k], Stable: absent(stable.fail[k])})
		s.Proof = append(s.Proof, stats.Block{Canary: canary.pass[k], Stable: absent(stable.pass[k])})
	}
	return s, nil
}

// absent makes no series of stable what it is to the canary: no traffic to compare with.
func absent(c stats.Counts) stats.Counts {
	if math.IsNaN(c.Total) {
		return stats.Counts{}
	}
	return c
}

// arm is what one revision did, counted for failing and for passing.
type arm struct{ fail, pass []stats.Counts }

// arm counts for one revision. Blocks without series are not numbers.
func (p past) arm(ctx context.Context, q question, of selectors) (arm, error) {
	present, err := prometheus.ParseSelector(of.present)
	if err != nil {
		return arm{}, err //nolint:wrapcheck // it says what to write instead
	}
	c := prometheus.Counter{Block: p.block, Present: present, Targets: q.targets}
	if q.bound > 0 {
		return p.durations(ctx, c, q, of)
	}
	total, err := p.count1(ctx, c, of.total)
	if err != nil {
		return arm{}, err
	}
	bad, err := p.count1(ctx, c, of.bad)
	if err != nil {
		return arm{}, err
	}
	counts := make([]stats.Counts, p.count)
	for k := range counts {
		counts[k] = stats.Counts{Bad: orNone(bad[k]), Total: total[k]}
	}
	return arm{fail: counts, pass: counts}, nil
}

// durations counts requests that took too long: surely too long to fail, and
// not surely fast enough to pass.
func (p past) durations(ctx context.Context, c prometheus.Counter, q question, of selectors) (arm, error) {
	histogram, err := prometheus.ParseSelector(of.histogram)
	if err != nil {
		return arm{}, err //nolint:wrapcheck // it says what to write instead
	}
	edges, err := p.provider.Edges(ctx, p.target, histogram, p.end())
	if err != nil {
		return arm{}, err //nolint:wrapcheck // it names the server and the remedy
	}
	below, above := prometheus.Bracket(edges, q.bound)
	total, err := p.ask(ctx, c.Observed(histogram))
	if err != nil {
		return arm{}, err
	}
	side := func(edge float64) ([]stats.Counts, error) {
		if math.IsNaN(edge) {
			return slow(total, make([]float64, p.count), true), nil
		}
		fast, err := p.ask(ctx, c.Within(histogram, edge))
		return slow(total, fast, false), err
	}
	var a arm
	if a.fail, err = side(above); err != nil {
		return a, err
	}
	a.pass, err = side(below)
	return a, err
}

// slow are the requests that were not fast. Without an edge nothing is known.
func slow(total, fast []float64, unknown bool) []stats.Counts {
	counts := make([]stats.Counts, len(total))
	for k := range counts {
		counts[k] = stats.Counts{Bad: total[k] - orNone(fast[k]), Total: total[k]}
		if unknown {
			counts[k] = stats.Counts{Bad: math.NaN(), Total: math.NaN()}
		}
	}
	return counts
}

// orNone is what no series means where there are requests: none of them.
func orNone(n float64) float64 {
	if math.IsNaN(n) {
		return 0
	}
	return n
}

// count1 counts what one selector selects.
func (p past) count1(ctx context.Context, c prometheus.Counter, text string) ([]float64, error) {
	s, err := prometheus.ParseSelector(text)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what to write instead
	}
	return p.ask(ctx, c.Count(s))
}

// ask evaluates a query at the end of every block. NaN is nothing.
func (p past) ask(ctx context.Context, query string) ([]float64, error) {
	values := make([]float64, p.count)
	for k := range values {
		values[k] = math.NaN()
	}
	for first := 0; first < p.count; first += maxSteps {
		last := min(first+maxSteps, p.count) - 1
		r := promv1.Range{Start: p.at(first), End: p.at(last), Step: p.block}
		samples, err := p.provider.Range(ctx, p.target, query, r)
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the server and the remedy
		}
		for _, s := range samples {
			k := int(math.Round(float64(s.Timestamp.Time().Sub(p.from))/float64(p.block))) - 1
			if k >= 0 && k < p.count {
				values[k] = float64(s.Value)
			}
		}
	}
	return values, nil
}

// at is the end of a block, from 0.
func (p past) at(k int) time.Time { return p.from.Add(time.Duration(k+1) * p.block) }
