// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import "github.com/sluice-dev/sluice/routers/traffic"

// desireSwitch points the preview Service at the new revision as soon as a pod
// is ready, and the active one when the whole new revision is known to serve.
// Once switched it stays so, unless nobody is left behind it.
func desireSwitch(d *desired, c cursor, f facts) {
	r := f.revisions.of(c.canary)
	if r.Ready > 0 || f.replicas == 0 && r.Name != "" {
		d.canarySelects = c.canary
	}
	switched := f.StableService.Selects == c.canary
	deserted := f.StableService.ready() == 0 && r.Ready == 0 && f.revisions.of(c.stable).Ready > 0
	switch {
	case switched && deserted:
	case switched, c.asks(f).weight == 100 && c.free(f) && whole(c, f):
		d.stableSelects = c.canary
	}
}

// whole: every pod of the new revision is available, and the preview Service,
// if there is one, has listed them all for long enough.
func whole(c cursor, f facts) bool {
	r := f.revisions.of(c.canary)
	if r.Name == "" || r.Available < f.replicas {
		return false
	}
	return f.CanaryService.Name == "" || f.serves(traffic.Canary, c.canary, f.need(100))
}
