// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluice-dev/sluice/analysis"
)

const (
	// hour before the first block, of which stable's history is learned.
	hour = time.Hour
	// watched is how far back the interval between samples is looked for.
	watched = 5 * time.Minute
	// jitter is how much later than usual a sample may come, in seconds.
	jitter = 0.05
)

var _ analysis.Counter = (*Provider)(nil)

// series are the selectors of one revision, read.
type series struct {
	total, bad, histogram Selector
	query                 string
}

func (s series) exists() bool { return s.query != "" || s.total.name != "" }

// counted is an [analysis.Counted], read.
type counted struct {
	analysis.Counted
	canary, stable series
}

// Check implements [analysis.Counter].
func (p *Provider) Check(c analysis.Counted) error {
	_, err := parse(c)
	return err
}

func parse(c analysis.Counted) (counted, error) {
	out := counted{Counted: c}
	var err error
	if out.canary, err = parseSeries(c.Canary); err != nil {
		return out, err
	}
	out.stable, err = parseSeries(c.Stable)
	return out, err
}

func parseSeries(s analysis.Series) (series, error) {
	out := series{query: s.Query}
	for _, f := range []struct {
		name, text string
		into       *Selector
	}{{"total", s.Total, &out.total}, {"bad", s.Bad, &out.bad}, {"histogram", s.Histogram, &out.histogram}} {
		if f.text == "" {
			continue
		}
		var err error
		if *f.into, err = ParseSelector(f.text); err != nil {
			return out, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return out, nil
}

// IntervalQuery asks for the typical time between two samples of the selected
// series. A gap is one such time among many, however long it is, so an outage just
// before the first block does not lengthen the blocks. Where no series has two
// samples yet, as a canary's at first, the age of the one is the least it may be.
func IntervalQuery(present string) string {
	return fmt.Sprintf("quantile(0.5, quantile_over_time(0.5, (timestamp(%[1]s) - timestamp(%[1]s offset 1s) > 0)[%[2]s:1s]))"+
		" or quantile(0.5, max_over_time((time() - timestamp(%[1]s))[%[2]s:1s]))", present, duration(watched))
}

// QuantileQuery asks for a quantile of a histogram's durations in the hour before.
func QuantileQuery(q float64, histogram Selector, native bool) string {
	if native {
		return fmt.Sprintf("histogram_quantile(%s, sum(increase(%s[%s])))", number(q), histogram, duration(hour))
	}
	return fmt.Sprintf("histogram_quantile(%s, sum by (le) (increase(%s[%s])))", number(q), histogram.suffixed("_bucket"), duration(hour))
}

// Learn implements [analysis.Counter].
func (p *Provider) Learn(ctx context.Context, target analysis.Target, want analysis.Counted, at time.Time) (analysis.Learned, bool, error) {
	c, err := parse(want)
	if err != nil {
		return analysis.Learned{}, false, err
	}
	l := analysis.Learned{Block: c.Block}
	if c.canary.query != "" {
		return l, true, nil
	}
	between, err := p.Query(ctx, target, IntervalQuery(c.present()), at)
	if err != nil {
		return l, false, err
	}
	if between.Known {
		l.Interval = time.Duration(max(1, math.Ceil(between.Value-jitter))) * time.Second
		l.Block = max(l.Block, l.Interval)
	}
	if c.Bound > 0 || c.Compare {
		ok, err := p.learnEdges(ctx, target, c, &l, at)
		if err != nil || !ok {
			return l, false, err
		}
	}
	if c.History && c.stable.exists() {
		l.History, err = p.history(ctx, target, c, l)
	}
	return l, err == nil, err
}

// present selects series that tell that a target was scraped.
func (c counted) present() string {
	switch {
	case c.Present != "":
		return c.Present
	case c.stable.exists():
		return c.stable.total.String()
	}
	return c.canary.total.String()
}

// learnEdges finds the bounds to count by. Without any bucket there is nothing to learn from yet.
func (p *Provider) learnEdges(ctx context.Context, target analysis.Target, c counted, l *analysis.Learned, at time.Time) (ok bool, err error) {
	from := c.canary.histogram
	var all []float64
	for _, s := range []series{c.stable, c.canary} {
		if !s.exists() {
			continue
		}
		from = s.histogram
		if all, err = p.Edges(ctx, target, from, at); err != nil {
			return false, err
		}
		if len(all) > 0 {
			break
		}
	}
	if len(all) == 0 {
		native, err := p.Query(ctx, target, fmt.Sprintf("count(histogram_count(%s))", from), at)
		if err != nil || !native.Known {
			return false, err
		}
		l.Native = true
	}
	if !c.Compare {
		below, above := Bracket(all, c.Bound)
		if l.Native {
			below, above = c.Bound, c.Bound
		}
		l.Edges = []float64{above, below}
		return true, nil
	}
	return p.learnQuantiles(ctx, target, c, l, all)
}

// learnQuantiles finds the edges nearest to stable's own quantiles.
func (p *Provider) learnQuantiles(ctx context.Context, target analysis.Target, c counted, l *analysis.Learned, all []float64) (bool, error) {
	finite := slices.DeleteFunc(slices.Clone(all), func(e float64) bool { return math.IsInf(e, 1) })
	for _, q := range []float64{0.5, 0.9, 0.99} {
		v, err := p.Query(ctx, target, QuantileQuery(q, c.stable.histogram, l.Native), c.Begin)
		if err != nil || !v.Known {
			return false, err
		}
		edge := v.Value
		if !l.Native {
			edge = nearest(finite, v.Value)
		}
		if !slices.Contains(l.Edges, edge) {
			l.Edges = append(l.Edges, edge)
		}
	}
	return true, nil
}

func nearest(edges []float64, to float64) float64 {
	if len(edges) == 0 {
		return to
	}
	return slices.MinFunc(edges, func(a, b float64) int { return cmp.Compare(math.Abs(a-to), math.Abs(b-to)) })
}

// history counts stable's blocks in the hour before.
func (p *Provider) history(ctx context.Context, target analysis.Target, c counted, l analysis.Learned) ([][2]float64, error) {
	total, bad := c.queries(c.stable, l)
	r := promv1.Range{Start: c.Begin.Add(-hour), End: c.Begin, Step: l.Block}
	totals, err := p.Range(ctx, target, total, r)
	if err != nil {
		return nil, err
	}
	// An objective above all buckets has nothing to be surely slower than.
	known := slices.IndexFunc(bad, func(query string) bool { return query != "" })
	if known < 0 || len(totals) == 0 {
		return nil, nil
	}
	some, err := p.Range(ctx, target, bad[known], r)
	if err != nil {
		return nil, err
	}
	at2bad := make(map[int64]float64, len(some))
	for _, s := range some {
		at2bad[int64(s.Timestamp)] = float64(s.Value)
	}
	blocks := make([][2]float64, 0, len(totals))
	for _, t := range totals {
		b, known := at2bad[int64(t.Timestamp)]
		if c.Bound > 0 || c.Compare { // what was counted are the good ones
			if !known {
				continue
			}
			b = float64(t.Value) - b
		}
		blocks = append(blocks, [2]float64{b, float64(t.Value)})
	}
	return blocks, nil
}

// queries for one revision: the total, and for each edge the bad or, of
// durations, the good ones.
func (c counted) queries(s series, l analysis.Learned) (total string, parts []string) {
	present := s.total
	if c.Present != "" {
		if p, err := ParseSelector(c.Present); err == nil {
			present = p
		}
	}
	q := Counter{Block: l.Block, Present: present, Targets: c.TargetLabels}
	if c.Bound <= 0 && !c.Compare {
		return q.Count(s.total), []string{q.Count(s.bad)}
	}
	if l.Native {
		total = q.NativeObserved(s.histogram)
	} else {
		total = q.Observed(s.histogram)
	}
	for _, edge := range l.Edges {
		switch {
		case math.IsNaN(edge):
			parts = append(parts, "")
		case l.Native:
			parts = append(parts, q.NativeWithin(s.histogram, edge))
		default:
			parts = append(parts, q.Within(s.histogram, edge))
		}
	}
	return total, parts
}

// Count implements [analysis.Counter].
func (p *Provider) Count(ctx context.Context, target analysis.Target, want analysis.Counted, l analysis.Learned, at time.Time) (analysis.Block, error) {
	c, err := parse(want)
	if err != nil {
		return analysis.Block{}, err
	}
	ask := func(query string) (analysis.Answer, error) { return p.whole(ctx, target, query, at) }
	var b analysis.Block
	if b.Canary, err = c.numbers(c.canary, l, ask); err != nil || !c.stable.exists() {
		return b, err
	}
	b.Stable, err = c.numbers(c.stable, l, ask)
	return b, err
}

// complete refuses an answer that may lack something, because the server asked
// others and not all of them answered. It is asked again.
func complete(a analysis.Answer) error {
	if a.Partial {
		return a.Err()
	}
	return nil
}

// numbers asks for those of one revision.
func (c counted) numbers(s series, l analysis.Learned, ask func(query string) (analysis.Answer, error)) (n analysis.Numbers, err error) {
	total, parts := s.query, []string(nil)
	if total == "" {
		total, parts = c.queries(s, l)
	}
	if n.Total, err = ask(total); err != nil {
		return n, err
	}
	for _, query := range parts {
		var part analysis.Answer
		if query != "" {
			if part, err = ask(query); err != nil {
				return n, err
			}
			if c.Bound > 0 || c.Compare {
				part = slower(n.Total, part)
			}
		}
		n.Bad = append(n.Bad, part)
	}
	return n, nil
}

// whole asks, and takes an answer that may be incomplete for none.
func (p *Provider) whole(ctx context.Context, target analysis.Target, query string, at time.Time) (analysis.Answer, error) {
	a, err := p.Query(ctx, target, query, at)
	if err != nil {
		return a, err
	}
	return a, complete(a)
}

// slower is the number of requests beyond an edge.
func slower(total, within analysis.Answer) analysis.Answer {
	switch {
	case !total.Known || within.Message != "":
		return within
	case !within.Known && total.Value > 0:
		return analysis.Useless("the histogram has no bucket at the edge that was there at the start; its buckets must stay as they are during a release")
	}
	return analysis.Number(total.Value - within.Value)
}
