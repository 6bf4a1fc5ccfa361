// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

const (
	// memory is how far back a counter's last value is looked for, so that a
	// series that was away for a while goes on where it was.
	memory = 15 * time.Minute
	// defaultTarget is the label that tells one scraped target from another.
	defaultTarget = "instance"
)

// Counter asks for whole numbers of events within one block of time, evaluated
// at the block's end.
//
// A count is the difference between two samples of a counter and nothing else:
// no rate, no extrapolation. Counts of adjoining blocks add up to the counter's
// growth over all of them. A counter that fell was reset and counts what it
// shows since; a series that was born within the block counts whole. Targets
// that were not scraped yet when the block began do not count in it, for nobody
// knows how much of their counters is older. When no target is left there is no
// answer at all, so that a block without data never looks like one without
// events.
type Counter struct {
	// Block is the length of the block, a whole number of milliseconds above 0.
	Block time.Duration
	// Present selects series that every target of the counted ones has, whose
	// presence at the start of the block tells that the target was scraped.
	Present Selector
	// Targets are the labels that tell one target from another. Default instance.
	Targets []string
}

// Count asks how much the counters grew within the block.
func (c Counter) Count(counters Selector) string {
	return c.grown(counters.String(), fmt.Sprintf("last_over_time(%s[%s] offset %s)", counters, duration(memory), duration(c.Block)))
}

// Observed asks how many observations a classic histogram took within the
// block. The selector has the histogram's name without _bucket or _count.
func (c Counter) Observed(histogram Selector) string {
	return c.Count(histogram.suffixed("_count"))
}

// Within asks how many observations within the block were at most at an edge
// of a classic histogram's buckets, in the unit of the histogram.
func (c Counter) Within(histogram Selector, edge float64) string {
	return c.Count(histogram.suffixed("_bucket", atEdge(edge)))
}

// NativeObserved asks how many observations a native histogram took within the block.
func (c Counter) NativeObserved(histogram Selector) string {
	before := fmt.Sprintf("histogram_count(last_over_time(%s[%s] offset %s))", histogram, duration(memory), duration(c.Block))
	return c.grown(fmt.Sprintf("histogram_count(%s)", histogram), before)
}

// NativeWithin asks how many observations of a native histogram within the
// block were at most at a bound, in the unit of the histogram. Unless the bound
// is an edge of a bucket, the answer is interpolated, and rounded.
func (c Counter) NativeWithin(histogram Selector, bound float64) string {
	before := fmt.Sprintf("last_over_time(%s[%s] offset %s)", histogram, duration(memory), duration(c.Block))
	return "round(" + c.grown(cumulative(histogram.String(), bound), cumulative(before, bound)) + ")"
}

// cumulative is how many observations up to a bound native histograms have
// taken since they began. One without any has no share and drops out.
func cumulative(histogram string, bound float64) string {
	return fmt.Sprintf("(histogram_fraction(-Inf, %s, %s) * histogram_count(%s) >= 0)", number(bound), histogram, histogram)
}

// grown is the sum of the differences between what is and what was.
func (c Counter) grown(is, was string) string {
	targets := c.Targets
	if len(targets) == 0 {
		targets = []string{defaultTarget}
	}
	return fmt.Sprintf("sum((((%s - %s) >= 0) or %s) and on (%s) (%s offset %s))",
		is, was, is, labelNames(targets), c.Present, duration(c.Block))
}

// Bracket finds the edges nearest to a bound: the greatest that is not above
// it, and the least that is not below it. Both are the bound itself when it is
// an edge; what does not exist is NaN, and +Inf is no edge.
func Bracket(edges []float64, bound float64) (below, above float64) {
	below, above = math.NaN(), math.NaN()
	for _, e := range edges {
		if e <= bound && !(below >= e) {
			below = e
		}
		if e >= bound && !math.IsInf(e, 1) && !(above <= e) {
			above = e
		}
	}
	return below, above
}

// atEdge matches the label le of one edge. Prometheus writes 1.0 for 1 since
// version 3; until then a label has the form that the target gave it.
func atEdge(edge float64) *labels.Matcher {
	var forms []string
	for _, format := range []byte{'g', 'f'} {
		form := strconv.FormatFloat(edge, format, -1, 64)
		forms = append(forms, regexp.QuoteMeta(form))
		if !strings.ContainsAny(form, ".eIN") {
			forms = append(forms, regexp.QuoteMeta(form+".0"))
		}
	}
	slices.Sort(forms)
	return labels.MustNewMatcher(labels.MatchRegexp, labels.BucketLabel, strings.Join(slices.Compact(forms), "|"))
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func duration(d time.Duration) string { return model.Duration(d).String() }

// labelNames lists names for on (...), quoted where they must be.
func labelNames(names []string) string {
	written := make([]string, len(names))
	for i, n := range names {
		written[i] = n
		if !model.LegacyValidation.IsValidLabelName(n) {
			written[i] = strconv.Quote(n)
		}
	}
	return strings.Join(written, ", ")
}
