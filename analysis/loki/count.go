// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package loki

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
)

// hour before the first block, of which stable's history is learned.
const hour = time.Hour

// CountQuery asks how many log lines a log query selects within the block that
// ends at the time of the query. Lines are counted, not estimated, and blocks
// that adjoin share none.
func CountQuery(lines string, block time.Duration) string {
	return fmt.Sprintf("sum(count_over_time(%s [%s]))", lines, model.Duration(block))
}

// Check implements [analysis.Counter]. LogQL itself is read by the server.
func (p *Provider) Check(c analysis.Counted) error {
	for _, s := range []analysis.Series{c.Canary, c.Stable} {
		for _, f := range []struct{ name, lines string }{{"total", s.Total}, {"bad", s.Bad}} {
			if f.lines == "" {
				continue
			}
			if !strings.HasPrefix(strings.TrimSpace(f.lines), "{") {
				return fmt.Errorf("%s: %q selects no log lines; write a log query such as {app=\"shop\",track=\"$(arm)\"} |= \"error\"", f.name, f.lines)
			}
		}
	}
	return nil
}

// Learn implements [analysis.Counter]. Log lines have no interval; stable's
// blocks in the hour before are all there is to learn.
func (p *Provider) Learn(ctx context.Context, target analysis.Target, c analysis.Counted, _ time.Time) (analysis.Learned, bool, error) {
	l := analysis.Learned{Block: c.Block}
	if !c.History || c.Stable.Total == "" {
		return l, true, nil
	}
	before := span{from: c.Begin.Add(-hour), to: c.Begin, step: c.Block}
	totals, err := p.over(ctx, target, CountQuery(c.Stable.Total, c.Block), before)
	if err != nil || len(totals) == 0 {
		return l, err == nil, err
	}
	some, err := p.over(ctx, target, CountQuery(c.Stable.Bad, c.Block), before)
	if err != nil {
		return l, false, err
	}
	bad := make(map[model.Time]float64, len(some))
	for _, b := range some {
		bad[b.Timestamp] = float64(b.Value)
	}
	for _, t := range totals {
		l.History = append(l.History, [2]float64{bad[t.Timestamp], float64(t.Value)})
	}
	return l, true, nil
}

// Count implements [analysis.Counter].
func (p *Provider) Count(ctx context.Context, target analysis.Target, c analysis.Counted, l analysis.Learned, at time.Time) (b analysis.Block, err error) {
	ask := func(query string) (analysis.Answer, error) {
		a, err := p.Query(ctx, target, query, at)
		if err == nil && a.Partial {
			err = a.Err()
		}
		return a, err
	}
	if b.Canary, err = numbers(c.Canary, l.Block, ask); err != nil || c.Stable == (analysis.Series{}) {
		return b, err
	}
	b.Stable, err = numbers(c.Stable, l.Block, ask)
	return b, err
}

// numbers asks for those of one revision.
func numbers(s analysis.Series, block time.Duration, ask func(query string) (analysis.Answer, error)) (n analysis.Numbers, err error) {
	if s.Query != "" {
		n.Total, err = ask(s.Query)
		return n, err
	}
	if n.Total, err = ask(CountQuery(s.Total, block)); err != nil {
		return n, err
	}
	bad, err := ask(CountQuery(s.Bad, block))
	n.Bad = []analysis.Answer{bad}
	return n, err
}
