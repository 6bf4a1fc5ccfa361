// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// defaultSettle serves runs that do not say how long samples take to arrive.
	defaultSettle = 15 * time.Second
	// atOnce is how many blocks of a metric one pass counts at most.
	atOnce = 32
	// maxRetry bounds the pauses between attempts to count a block.
	maxRetry = 30 * time.Second
)

// Settle is how long after its end a block is counted, where samples come at an interval.
func Settle(spec v1alpha1.AnalysisRunSpec, interval time.Duration) time.Duration {
	if spec.Settle != nil && spec.Settle.Duration > 0 {
		return spec.Settle.Duration
	}
	return max(defaultSettle, interval)
}

// Begin is where the first block of counted metrics begins: the first multiple
// of the block's length, counted from the epoch, after the warm-up. Runs that
// measure the same therefore ask the same questions.
func Begin(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, block time.Duration) time.Time {
	return align(st.StartedAt.Add(spec.WarmUp.Duration), block)
}

// Learnable gives the time of which a metric may learn now what counting needs
// to know: the beginning of the first block, or later when that had nothing to
// learn from. It is false while the warm-up lasts.
func Learnable(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, now time.Time) (at time.Time, due bool) {
	if st.StartedAt == nil || st.CompletedAt != nil || spec.Stop {
		return time.Time{}, false
	}
	begin := Begin(spec, st, Block(spec))
	settled := now.Add(-Settle(spec, 0))
	if settled.Before(begin) {
		return time.Time{}, false
	}
	return align(settled.Add(time.Nanosecond-Block(spec)), Block(spec)), true
}

// Ends gives the ends of the blocks of a counted metric that are over, settled
// and not counted, oldest first.
func Ends(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, ev v1alpha1.MetricEvidence, now time.Time) []time.Time {
	if st.StartedAt == nil || st.CompletedAt != nil || spec.Stop {
		return nil
	}
	var ends []time.Time
	for end := nextEnd(spec, st, ev); !end.Add(ev.Settle.Duration).After(now) && len(ends) < atOnce; end = end.Add(ev.Block.Duration) {
		ends = append(ends, end)
	}
	return ends
}

// NextCount gives the time at which there is something to learn or to count:
// the next block, or another attempt at one that could not be counted.
func NextCount(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, m v1alpha1.MetricStatus, now time.Time) time.Time {
	var due time.Time
	if m.Evidence == nil {
		due = Begin(spec, st, Block(spec)).Add(Settle(spec, 0))
	} else {
		due = nextEnd(spec, st, *m.Evidence).Add(m.Evidence.Settle.Duration)
	}
	if now.Before(due) {
		return due
	}
	if m.Evidence != nil && m.Delayed == "" {
		return now.Add(time.Millisecond) // more than one pass could count
	}
	return now.Add(min(maxRetry, max(time.Second, now.Sub(due)/2)))
}

func nextEnd(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus, ev v1alpha1.MetricEvidence) time.Time {
	if ev.LastBlockEnd != nil {
		return ev.LastBlockEnd.Add(ev.Block.Duration)
	}
	return Begin(spec, st, ev.Block.Duration).Add(ev.Block.Duration)
}

// align rounds a time up to a multiple of a length since the epoch.
func align(t time.Time, length time.Duration) time.Time {
	epoch := time.Unix(0, 0)
	return epoch.Add(time.Duration(ceil(t.Sub(epoch), length)) * length)
}
