// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// returnGate speaks while traffic goes back to stable, and after an abort.
func returnGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) != returning {
		return hold{}, false
	}
	if c.takenBackFor(v1alpha1.ReasonRollingBack) || c.takenBackFor(v1alpha1.ReasonStrategyChanged) || !c.aborted() {
		return hold{v1alpha1.PhaseRollingBack, v1alpha1.ReasonRollingBack,
			fmt.Sprintf("rolling back from %s to %s: %s", c.canary, c.stable, returnText(c, f))}, true
	}
	if !onStable(c, f) {
		return hold{v1alpha1.PhaseAborting, v1alpha1.ReasonAborting,
			fmt.Sprintf("returning all traffic to %s: %s; aborted because: %s", c.stable, returnText(c, f), c.abort.Message)}, true
	}
	again := "change the template, or retry, to release again"
	if len(f.Problems) > 0 {
		again = fmt.Sprintf("before the next release mend %s: %s", f.Problems[0].Field, f.Problems[0].Message)
	}
	return hold{v1alpha1.PhaseDegraded, v1alpha1.ReasonAborted,
		fmt.Sprintf("revision %s was aborted, %s carries all traffic; %s. Aborted because: %s", c.canary, c.stable, again, c.abort.Message)}, true
}

// returnText says how far the way back to stable has come, and what has to be mended first.
func returnText(c cursor, f facts) string {
	if len(f.Problems) > 0 && !onStable(c, f) {
		for _, p := range f.Problems {
			if p.Steers && (p.Bound || !Rebinding(f.Rollout)) {
				return fmt.Sprintf("%s; %s: %s", trafficText(f), p.Field, p.Message)
			}
		}
	}
	if _, exists := f.revisions.find(c.stable); !exists && c.stable != f.written {
		return fmt.Sprintf("%s has no ReplicaSet any more, and only its template brings it back; write that, or retry %s", c.stable, c.canary)
	}
	if f.StableService.ready() == 0 && f.CanaryService.ready() > 0 {
		return fmt.Sprintf("waiting for a ready endpoint of Service %s, %s", f.StableService.Name, pods(f.revisions.of(c.stable), f.replicas))
	}
	return backText(c, f)
}

// backText says what stable still lacks of all traffic, and why it gets no more of it.
func backText(c cursor, f facts) string {
	r := f.revisions.of(c.stable)
	switch {
	case f.means == byReplicas:
		return homecoming(c, f)
	case f.means == byRoute && len(f.Traffic.Requested) == 0:
	case f.means == byRoute && r.Available < f.replicas && !f.Traffic.RequestedAll(stableOnly()):
		return fmt.Sprintf("%s; waiting for pods of %s: %s", trafficText(f), c.stable, pods(r, f.replicas))
	case f.means == byRoute && f.replicas > 0 && !f.Traffic.RequestedAll(stableOnly()) && !f.StableService.only(c.stable, 1):
		return fmt.Sprintf("%s; waiting for Service %s to list endpoints of %s alone%s", trafficText(f), f.StableService.Name, c.stable, f.StableService.instead(c.stable))
	}
	return trafficText(f)
}
