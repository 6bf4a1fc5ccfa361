// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// SetMinReady has a ReplicaSet count its pods as available after another time
// of readiness. No pod is touched by that.
type SetMinReady struct {
	why
	// Name of the ReplicaSet.
	Name string
	// Seconds that a pod has to be ready.
	Seconds int32
}

// String implements Action.
func (a SetMinReady) String() string {
	return fmt.Sprintf("count pods of %s as available after %s", a.Name, seconds(a.Seconds))
}

// minReadySeconds is how long a pod has to be ready to count as available: as long
// as the Rollout says or, where it says nothing, the Deployment that it refers
// to. It is not known while that can't be read.
func minReadySeconds(f facts) (n int32, known bool) {
	n = f.Rollout.Spec.MinReadySeconds
	switch {
	case n > 0 || f.Rollout.Spec.WorkloadRef == nil:
		return n, true
	case f.Workload == nil:
		return 0, false
	}
	return f.Workload.MinReadySeconds, true
}

// ripen has the revisions in use count their pods as available after the time
// that is wanted now. More time may make pods unavailable that serve. Nothing is
// taken from them for that: availability is only ever waited for. What has
// traffic, or gives it up, goes by ready endpoints.
func ripen(c cursor, f facts) []Action {
	want, known := minReadySeconds(f)
	if !known {
		return nil
	}
	because := "spec.minReadySeconds says so"
	if f.Rollout.Spec.MinReadySeconds == 0 && f.Workload != nil {
		because = fmt.Sprintf("minReadySeconds of Deployment %s says so", f.Workload.Name)
	}
	var actions []Action
	for _, r := range allRevisions(f) {
		inUse := r.Hash == c.stable || r.Hash == c.canary || controlled(c, f) && r.Hash == baselineName(c)
		if inUse && r.MinReadySeconds != want {
			actions = append(actions, SetMinReady{why(because), r.Name, want})
		}
	}
	return actions
}

// unripe finds a deadline that passes before any pod can be available: every
// release would be aborted by it.
func unripe(f facts) []Problem {
	n, known := minReadySeconds(f)
	if !known || n == 0 || f.Rollout.Spec.OnDeadline == v1alpha1.OnDeadlineDegrade || seconds(n) < f.deadline() {
		return nil
	}
	whose := "minReadySeconds"
	if f.Rollout.Spec.MinReadySeconds == 0 {
		whose += " of Deployment " + f.Workload.Name
	}
	return []Problem{{Field: "spec.progressDeadlineSeconds", Message: fmt.Sprintf(
		"is %d, and %s is %d: no pod can be available before every release is aborted; raise progressDeadlineSeconds beyond that, or lower minReadySeconds",
		f.deadline()/time.Second, whose, n)}}
}
