// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// TestTheFirstStatusIsNeverHeld: what a former leader still signs has to meet a
// conflict before this process acts on what it sees otherwise.
func TestTheFirstStatusIsNeverHeld(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	stored := &v1alpha1.Rollout{}
	stored.UID, stored.Status.Message = "1", "2 of 3 pods available"
	words := stored.Status
	words.Message = "3 of 3 pods available"

	d := newDrafts()
	if left := d.hold(stored, plan.Plan{Status: words}, now); left != 0 {
		t.Errorf("words are held for %s before this process has written any", left)
	}
	d.sign(stored.UID)
	if left := d.hold(stored, plan.Plan{Status: words}, now); left == 0 {
		t.Error("words alone are written at once although this process has written before")
	}
	d.forget(stored.UID)
	if left := d.hold(stored, plan.Plan{Status: words}, now); left != 0 || d.latest(stored) != stored {
		t.Errorf("something is left of a Rollout that was forgotten: words are held for %s", left)
	}
}
