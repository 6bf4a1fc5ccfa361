// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// kept is how many measurements a status holds.
	kept = 10
	// defaultConsecutive serves metrics that never met the API server's defaults.
	defaultConsecutive = 3
)

// Outcome judges one measurement of a metric. A value that is not one finite
// number becomes none, with a message.
func Outcome(m v1alpha1.Metric, x v1alpha1.Measurement) v1alpha1.Measurement {
	x.At = metav1.NewTime(x.At.Truncate(time.Second)) // as it will be read back
	b, err := boundsOf(m)
	v, ok := number(x.Value)
	switch {
	case err != nil:
		x.Value, x.Outcome, x.Message = "", v1alpha1.OutcomeNoData, err.Error()
	case x.Value == "" || !ok:
		if x.Message == "" {
			x.Message = fmt.Sprintf("the value %q is not a finite number; change the query so that it always gives one", x.Value)
		}
		x.Value, x.Outcome, x.Message = "", v1alpha1.OutcomeNoData, clip(x.Message)
	case b.hold(v):
		x.Outcome, x.Message = v1alpha1.OutcomeInBounds, ""
	default:
		x.Outcome, x.Message = v1alpha1.OutcomeOutOfBounds, ""
	}
	return x
}

// Fold adds one measurement to the status of a metric, without a verdict. One
// that is not newer than the latest is already in there and changes nothing.
func Fold(m v1alpha1.Metric, st v1alpha1.MetricStatus, x v1alpha1.Measurement) v1alpha1.MetricStatus {
	x = Outcome(m, x)
	if last, ok := latest(st); ok && !x.At.After(last.At.Time) {
		return st
	}
	switch x.Outcome {
	case v1alpha1.OutcomeInBounds:
		st.InBounds++
		if st.ConsecutiveIn == 0 {
			st.ConsecutiveInSince = x.At.DeepCopy()
		}
		st.ConsecutiveIn++
		st.ConsecutiveOut = 0
		st.NoDataSince = nil
	case v1alpha1.OutcomeOutOfBounds:
		st.OutOfBounds++
		st.ConsecutiveIn, st.ConsecutiveInSince = 0, nil
		st.ConsecutiveOut++
		st.NoDataSince = nil
	default: // a gap ends a row of good values, and does not excuse a row of bad ones
		st.NoData++
		st.ConsecutiveIn, st.ConsecutiveInSince = 0, nil
		if st.NoDataSince == nil {
			st.NoDataSince = x.At.DeepCopy()
		}
	}
	st.Measurements = slices.Clone(st.Measurements)
	for i := range st.Measurements {
		st.Measurements[i].Message = "" // ten of them for each metric would be most of a status
	}
	st.Measurements = append(st.Measurements, x)
	st.Measurements = st.Measurements[max(0, len(st.Measurements)-kept):]
	return st
}

// Metric judges what was measured of a metric so far. Failed is final.
func Metric(m v1alpha1.Metric, st v1alpha1.MetricStatus) v1alpha1.MetricVerdict {
	last, measured := latest(st)
	switch {
	case st.Verdict == v1alpha1.MetricFailed || st.ConsecutiveOut >= consecutive(m):
		return v1alpha1.MetricFailed
	case !measured:
		return v1alpha1.MetricPending
	case last.Outcome == v1alpha1.OutcomeNoData:
		return v1alpha1.MetricNoData
	case st.ConsecutiveIn >= consecutive(m):
		return v1alpha1.MetricPassing
	}
	return v1alpha1.MetricUndecided
}

// explain says why a metric has its verdict. The text depends on the status
// alone, and a metric that goes on as before keeps it but for the value.
func explain(m v1alpha1.Metric, st v1alpha1.MetricStatus) string {
	last, measured := latest(st)
	switch {
	case !measured:
		return "not measured yet"
	case last.Outcome == v1alpha1.OutcomeNoData:
		return last.Message
	case last.Outcome == v1alpha1.OutcomeOutOfBounds:
		return relation(m, last) + blocks(st.ConsecutiveOut, consecutive(m))
	}
	return relation(m, last) + blocks(st.ConsecutiveIn, consecutive(m))
}

// relation says how a measured value stands to the bounds.
func relation(m v1alpha1.Metric, x v1alpha1.Measurement) string {
	b, err := boundsOf(m)
	v, ok := number(x.Value)
	if err != nil || !ok {
		return x.Value
	}
	return b.compare(v)
}

// blocks counts up to what is needed and no further, so that a text does not change for ever.
func blocks(count, needed int32) string {
	return fmt.Sprintf(" for %d of %d blocks", min(count, needed), needed)
}

func latest(st v1alpha1.MetricStatus) (v1alpha1.Measurement, bool) {
	if len(st.Measurements) == 0 {
		return v1alpha1.Measurement{}, false
	}
	return st.Measurements[len(st.Measurements)-1], true
}

func consecutive(m v1alpha1.Metric) int32 {
	if m.Threshold == nil || m.Threshold.Consecutive < 1 {
		return defaultConsecutive
	}
	return m.Threshold.Consecutive
}
