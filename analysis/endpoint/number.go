// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
)

// Lines is the result of a query that selects log lines and counts nothing. What
// they say does not matter to us.
type Lines struct{}

// Type implements [model.Value].
func (Lines) Type() model.ValueType { return model.ValNone }

// String implements [model.Value].
func (Lines) String() string { return "log lines" }

// Number gives the one number of a result. An empty result has nothing to say;
// of several values none is the right one.
func Number(result model.Value) analysis.Answer {
	switch r := result.(type) {
	case *model.Scalar:
		return analysis.Number(float64(r.Value))
	case model.Vector:
		switch {
		case len(r) == 0:
			return analysis.Answer{}
		case len(r) > 1:
			return analysis.Useless("the query gives %d values where one is needed; aggregate them, such as with sum(...)", len(r))
		case r[0].Histogram != nil:
			return analysis.Useless("the query gives a histogram where a number is needed; use histogram_quantile or histogram_fraction")
		}
		return analysis.Number(float64(r[0].Value))
	case Lines:
		return analysis.Useless("the query gives log lines where a number is needed; count them, such as with sum(count_over_time({...} [1m]))")
	}
	return analysis.Useless("the query gives no number; write one that gives a single value, such as sum(rate(...[1m]))")
}
