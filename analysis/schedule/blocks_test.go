// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestFirstBlock: no block that is counted overlaps the warm-up, and none is
// counted before its samples have settled.
func TestFirstBlock(t *testing.T) {
	tests := map[string]struct {
		reason        string
		started       int64 // in seconds after a whole minute
		warmUp, block time.Duration
		settle        time.Duration
		want          time.Duration // the end of the first block, after the whole minute
	}{
		"no warm-up":  {"the first whole block", 3, 0, 10 * time.Second, 15 * time.Second, 20 * time.Second},
		"warm-up":     {"the first one after it", 3, 30 * time.Second, 10 * time.Second, 15 * time.Second, 50 * time.Second},
		"its edge":    {"one that begins just when it ends", 0, 30 * time.Second, 10 * time.Second, 15 * time.Second, 40 * time.Second},
		"long blocks": {"whose length was raised to the interval between samples", 3, 30 * time.Second, 60 * time.Second, 60 * time.Second, 120 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			minute := time.Unix(1_700_000_040, 0)
			started := metav1.NewTime(minute.Add(time.Duration(tc.started) * time.Second))
			spec := v1alpha1.AnalysisRunSpec{WarmUp: v1alpha1.Duration{Duration: tc.warmUp}, Block: v1alpha1.Duration{Duration: 10 * time.Second}}
			st := v1alpha1.AnalysisRunStatus{StartedAt: &started}
			ev := v1alpha1.MetricEvidence{Block: v1alpha1.Duration{Duration: tc.block}, Settle: v1alpha1.Duration{Duration: tc.settle}}
			due := minute.Add(tc.want + tc.settle)
			if early := Ends(spec, st, ev, due.Add(-time.Nanosecond)); len(early) != 0 {
				t.Errorf("%s: %v is due before its samples have settled", tc.reason, early)
			}
			ends := Ends(spec, st, ev, due)
			if len(ends) != 1 || !ends[0].Equal(minute.Add(tc.want)) {
				t.Fatalf("%s: the first block ends %v, want %s", tc.reason, ends, minute.Add(tc.want))
			}
			if begin := ends[0].Add(-tc.block); begin.Before(started.Add(tc.warmUp)) {
				t.Errorf("%s: the block begins at %s, within the warm-up", tc.reason, begin)
			}
		})
	}
}
