// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// release hands everything back before a deleted Rollout goes: first the
// workload's capacity, then the routes and Services, then the Rollout itself,
// whose pods Kubernetes removes with it.
func release(f facts) Plan {
	p := Plan{Status: *f.Rollout.Status.DeepCopy()}
	p.Status.ObservedGeneration = f.Rollout.Generation
	p.Status.Phase = v1alpha1.PhaseProgressing
	if w := f.Workload; w != nil && w.Before != nil {
		n := max(*w.Before, f.replicas)
		if w.Replicas < n {
			p.Status.Message = fmt.Sprintf("handing back: Deployment %s grows to %d replicas", w.Name, n)
			p.Actions = []Action{ScaleWorkload{"the Rollout is deleted and its pods will leave", w.Name, w.Replicas, n, false}}
			return p
		}
		if w.Available < n {
			p.Status.Message = fmt.Sprintf("handing back: waiting for Deployment %s, %d of %d pods available", w.Name, w.Available, n)
			return p
		}
	}
	p.Status.Message = "handing back routes and Services"
	if f.means == byRoute {
		p.Actions = append(p.Actions, ReleaseTraffic{"the Rollout is deleted"})
	}
	for _, s := range []Service{f.StableService, f.CanaryService} {
		if s.Name != "" && s.Selects != "" {
			p.Actions = append(p.Actions, SelectRevision{"the Rollout is deleted", s.Name, ""})
		}
	}
	if w := f.Workload; w != nil && w.Before != nil {
		p.Actions = append(p.Actions, ScaleWorkload{"it is handed back", w.Name, w.Replicas, w.Replicas, true})
	}
	p.Actions = append(p.Actions, DropFinalizer{"everything is handed back"})
	return p
}
