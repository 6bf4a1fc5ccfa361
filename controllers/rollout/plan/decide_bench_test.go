// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// BenchmarkDecide measures one decision in the middle of a release.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(7)
	for range 400 {
		if err := w.event(false); err != nil {
			b.Fatal(err)
		}
	}
	w.template("v2")
	for range 200 {
		if err := w.event(false); err != nil {
			b.Fatal(err)
		}
	}
	_ = time.Second
	s := w.snapshot()
	p := plan.Decide(s)
	b.Log(p.Status.Message, p.Wake)
	s.Rollout.Status = p.Status
	b.ReportAllocs()
	for b.Loop() {
		plan.Decide(s)
	}
}
