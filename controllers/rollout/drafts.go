// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// drafts hold what statuses would say by now, as far as that is not worth a
// write of its own yet: words, numbers, and since when something has been so.
// They are held in memory only. A controller that starts anew begins such times
// anew, which makes it wait longer and never shorter.
//
// The first status that a process finds to differ is never held: what a former
// leader may still sign was decided from the one before, and meets a conflict.
type drafts struct {
	mu sync.Mutex
	of map[types.UID]draft
	// signed are the Rollouts whose status this process has written once.
	signed map[types.UID]bool
}

// draft goes on from a stored status, and from no other.
type draft struct {
	stored, now v1alpha1.RolloutStatus
	since       time.Time
}

func newDrafts() *drafts {
	return &drafts{of: map[types.UID]draft{}, signed: map[types.UID]bool{}}
}

// latest gives a Rollout with the status that it would have by now.
func (d *drafts) latest(stored *v1alpha1.Rollout) *v1alpha1.Rollout {
	d.mu.Lock()
	defer d.mu.Unlock()
	held, ok := d.of[stored.UID]
	if !ok || !plan.Same(&held.stored, &stored.Status) {
		return stored
	}
	ro := *stored
	ro.Status = *held.now.DeepCopy()
	return &ro
}

// hold keeps a status for as long as it may stay unwritten, and says how long
// that still is; not at all when it has to be written now.
func (d *drafts) hold(stored *v1alpha1.Rollout, p plan.Plan, now time.Time) (left time.Duration) {
	worth := plan.Worth(stored.Status, p.Status)
	if worth <= 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.signed[stored.UID] {
		return 0
	}
	held := d.goingOn(stored, now)
	if left = held.since.Add(worth).Sub(now); left <= 0 {
		return 0
	}
	held.now = p.Status
	d.of[stored.UID] = held
	return left
}

// goingOn is the draft that goes on from the status that is stored: the one that is
// held, or a new one when somebody has written another status since.
func (d *drafts) goingOn(stored *v1alpha1.Rollout, now time.Time) draft {
	held, ok := d.of[stored.UID]
	if !ok || !plan.Same(&held.stored, &stored.Status) {
		return draft{stored: stored.Status, since: now}
	}
	return held
}

// saw remembers traffic, and since when a step waits, whatever becomes of the pass, see
// [plan.Remember].
func (d *drafts) saw(stored, ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus, at time.Time) {
	remembered, other := plan.Remember(ro.Status, now)
	if !other {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.goingOn(stored, at)
	held.now = remembered
	d.of[stored.UID] = held
}

// drop forgets what was held of a Rollout, because it is written or true again.
func (d *drafts) drop(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, uid)
}

// sign notes that a status was written, and with it what was held.
func (d *drafts) sign(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, uid)
	d.signed[uid] = true
}

// forget has a Rollout that is gone be as one that was never seen.
func (d *drafts) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.of, uid)
	delete(d.signed, uid)
}

// known are the Rollouts that this process has read in full from the API server.
type known struct {
	mu   sync.Mutex
	uids map[types.UID]bool
	// began is when the first Rollout was looked at.
	began time.Time
}

func newKnown() *known { return &known{uids: map[types.UID]bool{}} }

// since is when this process began to look at Rollouts: at the latest now.
func (k *known) since(now time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.began.IsZero() {
		k.began = now
	}
	return k.began
}

func (k *known) has(uid types.UID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.uids[uid]
}

func (k *known) add(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.uids[uid] = true
}

func (k *known) drop(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.uids, uid)
}
