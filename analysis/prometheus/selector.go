// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Selector names the series of one metric, such as
// requests_total{code=~"5.."}. The zero Selector selects nothing; use
// [ParseSelector] or [Select].
type Selector struct {
	name     string
	matchers []*labels.Matcher
}

// Label restricts a label to one value, which is data: whatever stands in it,
// it stays a value.
type Label struct {
	Name, Value string
}

// Select selects the series of a metric that carry all the labels.
func Select(name string, of ...Label) Selector {
	s := Selector{name: name}
	for _, l := range of {
		s.matchers = append(s.matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	}
	return s
}

// ParseSelector reads a selector of counters. Whatever is no bare selector of
// one metric is refused with the reason and what to write instead: counts must
// come from the counters themselves, for rate() and increase() guess beyond the
// samples there are and do not see the first value of a series.
func ParseSelector(text string) (Selector, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return Selector{}, fmt.Errorf("%q is not PromQL (%s); write a selector such as requests_total{code=~\"5..\"}", text, oneLine(err))
	}
	for {
		inner, wrapped := expr.(*parser.ParenExpr)
		if !wrapped {
			break
		}
		expr = inner.Expr
	}
	switch e := expr.(type) {
	case *parser.VectorSelector:
		return plain(text, e)
	case *parser.MatrixSelector:
		return Selector{}, fmt.Errorf("%q selects a range; leave out the [...], the block says how far to look", text)
	}
	if f := guessing(expr); f != "" {
		return Selector{}, fmt.Errorf("%q uses %s(), which guesses beyond the samples and misses the first errors of a series; "+
			"write the counter's selector alone, such as requests_total{code=~\"5..\"}", text, f)
	}
	return Selector{}, fmt.Errorf("%q is an expression where the selector of a counter is needed; write one such as requests_total{code=~\"5..\"}", text)
}

// plain takes a selector that names one metric, here and now.
func plain(text string, e *parser.VectorSelector) (Selector, error) {
	if e.OriginalOffset != 0 || e.OriginalOffsetExpr != nil || e.Timestamp != nil || e.StartOrEnd != 0 {
		return Selector{}, fmt.Errorf("%q looks at another time; leave out offset and @, blocks have times of their own", text)
	}
	if e.Anchored || e.Smoothed {
		return Selector{}, fmt.Errorf("%q changes how samples are taken; leave out anchored and smoothed", text)
	}
	var s Selector
	for _, m := range e.LabelMatchers {
		switch {
		case m.Name != model.MetricNameLabel:
			s.matchers = append(s.matchers, m)
		case m.Type == labels.MatchEqual:
			s.name = m.Value
		}
	}
	if s.name == "" {
		return Selector{}, fmt.Errorf("%q names no metric; write its name before the braces, such as requests_total{...}", text)
	}
	return s, nil
}

// guessing names the first function in an expression that extrapolates, if any.
func guessing(expr parser.Expr) string {
	var found string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		call, ok := n.(*parser.Call)
		if ok && found == "" && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
			found = call.Func.Name
		}
		return nil
	})
	return found
}

// String writes the selector in PromQL.
func (s Selector) String() string {
	name := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, s.name)
	e := parser.VectorSelector{LabelMatchers: append([]*labels.Matcher{name}, s.matchers...)}
	if model.LegacyValidation.IsValidMetricName(s.name) {
		e.Name = s.name
	}
	return e.String()
}

// suffixed selects the series of the same labels whose name ends in suffix as well.
func (s Selector) suffixed(suffix string, more ...*labels.Matcher) Selector {
	return Selector{name: s.name + suffix, matchers: slices.Concat(s.matchers, more)}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
