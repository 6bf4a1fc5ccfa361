// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"time"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// jobController runs Jobs.
type jobController struct{ w *World }

// start creates a Job, which ends after a while: badly for a bad revision.
func (j *jobController) start(a plan.StartJob) error {
	if _, exists := j.w.live.jobs[a.Name]; exists {
		return nil
	}
	j.set(a.Name, plan.Job{}, true)
	j.w.in(Span{time.Second, 30 * time.Second}, "Job ends", func() {
		if _, exists := j.w.live.jobs[a.Name]; exists {
			b := j.w.catalogue.byHash[a.Revision]
			bad := b.Bad && (j.w.live.rollout == nil || stepOf(j.w.live.rollout.Status) >= b.BadFrom)
			j.set(a.Name, plan.Job{Succeeded: !bad, Failed: bad}, true)
		}
	})
	return nil
}

func (j *jobController) delete(a plan.DeleteJob) error {
	j.set(a.Name, plan.Job{}, false)
	return nil
}

func (j *jobController) set(name string, job plan.Job, exists bool) {
	all := maps.Clone(j.w.live.jobs)
	if all == nil {
		all = map[string]plan.Job{}
	}
	delete(all, name)
	if exists {
		all[name] = job
	}
	j.w.live.jobs = all
	j.w.touch(jobs)
}
