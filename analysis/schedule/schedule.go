// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package schedule says which metrics of an analysis run are due, for which
// time, and when to look again. It is pure: the time is an argument.
//
// A run is cut into blocks of equal length. What is due follows from the status
// alone, so a restart of the controller changes nothing.
//
// Thresholds are measured once for each block counted from the start, at its
// end, however often and however late one looks; blocks that passed unseen are
// not made up for, the latest one counts. Counted metrics have blocks at fixed
// times. Each is counted once, in order, when its samples have settled; one that
// can't be counted is tried again for the same times.
package schedule

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// defaultBlock serves runs that never met the API server's defaults.
const defaultBlock = 10 * time.Second

// Block is the length of a run's blocks: spec.block rounded up to whole
// seconds, the precision of times in the API. At least 1s; 10s when unset.
func Block(spec v1alpha1.AnalysisRunSpec) time.Duration {
	if spec.Block.Duration <= 0 {
		return defaultBlock
	}
	return time.Duration(ceil(spec.Block.Duration, time.Second)) * time.Second
}

// Due gives the names of the metrics to measure now, in the order of the spec,
// and the time that the measurement is for: the end of the latest whole block.
// Nothing is due before the start, during the warm-up and after the end.
func Due(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, now time.Time) (at time.Time, names []string) {
	if st.StartedAt == nil || st.CompletedAt != nil || spec.Stop {
		return time.Time{}, nil
	}
	block := Block(spec)
	passed := int64(now.Sub(st.StartedAt.Time) / block)
	if passed < first(spec) {
		return time.Time{}, nil
	}
	at = st.StartedAt.Add(time.Duration(passed) * block)
	for _, m := range spec.Metrics {
		if once(m) && latest(st, m.Name).Before(at) {
			names = append(names, m.Name)
		}
	}
	return at, names
}

// Next gives the earliest time after now at which to look again: the end of
// the next block to measure, or one of the deadlines given. It is the zero time
// when there is nothing to wait for.
func Next(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, now time.Time, deadlines ...time.Time) time.Time {
	if st.StartedAt == nil || st.CompletedAt != nil {
		return time.Time{}
	}
	next := nextMeasurement(spec, st, now) // in phase Error too: somebody may have mended what was in the way
	for _, d := range deadlines {
		if d.After(now) && (next.IsZero() || d.Before(next)) {
			next = d
		}
	}
	return next
}

// nextMeasurement is the earliest time at which a metric is due.
func nextMeasurement(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, now time.Time) time.Time {
	var next time.Time
	uncounted := map[string]bool{}
	for _, m := range spec.Metrics {
		uncounted[m.Name] = once(m) || m.Job != nil
		if once(m) || m.Job != nil && !spoken(st, m.Name) {
			next = nextBlock(spec, st.StartedAt.Time, now)
		}
	}
	if len(st.Metrics) == 0 { // not judged yet
		return nextBlock(spec, st.StartedAt.Time, now)
	}
	for _, m := range st.Metrics {
		if uncounted[m.Name] {
			continue
		}
		if at := NextCount(spec, st, m, now); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func nextBlock(spec v1alpha1.AnalysisRunSpec, start, now time.Time) time.Time {
	block := Block(spec)
	number := first(spec)
	if now.After(start) {
		number = max(number, int64(now.Sub(start)/block)+1)
	}
	return start.Add(time.Duration(number) * block)
}

// first is the number of the first block to measure, from 1: the one at whose end the warm-up is over.
func first(spec v1alpha1.AnalysisRunSpec) int64 {
	return max(1, ceil(spec.WarmUp.Duration, Block(spec)))
}

// spoken reports whether the Job of a metric has spoken.
func spoken(st v1alpha1.AnalysisRunStatus, metric string) bool {
	return slices.ContainsFunc(st.Metrics, func(m v1alpha1.MetricStatus) bool {
		return m.Name == metric && (m.Verdict == v1alpha1.MetricPassing || m.Verdict == v1alpha1.MetricFailed)
	})
}

// once reports whether a metric is measured once for each block.
func once(m v1alpha1.Metric) bool { return m.Proportion == nil && m.Scalar == nil && m.Job == nil }

func latest(st v1alpha1.AnalysisRunStatus, metric string) time.Time {
	for _, m := range st.Metrics {
		if n := len(m.Measurements); m.Name == metric && n > 0 {
			return m.Measurements[n-1].At.Time
		}
	}
	return time.Time{}
}

// ceil is d/unit, rounded up.
func ceil(d, unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
