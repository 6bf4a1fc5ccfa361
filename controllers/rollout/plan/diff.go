// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// diff gives the actions that lead from the facts to what is desired, in the
// order of the ordering law: capacity, then selection, then traffic, then
// judgement, then removal. Each is safe on the facts alone; none relies on one
// before it having had its effect.
func diff(c cursor, f facts, d desired) []Action {
	if len(f.Problems) > 0 && c.mode(f) != returning {
		return keepCapacity(c, f, d)
	}
	return slices.Concat(
		keep(f),
		grow(c, f, d),
		point(c, f, d),
		shift(c, f, d),
		judge(c, f, d),
		shrink(c, f, d),
	)
}

// keep puts the finalizer on before anything else is changed.
func keep(f facts) []Action {
	if slices.Contains(f.Rollout.Finalizers, v1alpha1.Finalizer) {
		return nil
	}
	return []Action{HoldFinalizer{"what is changed from now on is handed back when the Rollout is deleted"}}
}

// keepCapacity is what is still done while something is wrong: stable follows spec.replicas upwards.
func keepCapacity(c cursor, f facts, d desired) []Action {
	r, ok := f.revisions[c.stable]
	if want := d.replicas[c.stable]; ok && want.n > r.Replicas {
		return []Action{ScaleRevision{why(want.why), r.Name, r.Replicas, want.n}}
	}
	return nil
}

func grow(c cursor, f facts, d desired) []Action {
	var actions []Action
	if d.create {
		want := d.replicas[c.canary]
		actions = append(actions, CreateRevision{why(want.why), c.canary, nextNumber(f), want.n})
	}
	for _, r := range byNumber(f) {
		if want, ok := d.replicas[r.Hash]; ok && want.n > r.Replicas {
			actions = append(actions, ScaleRevision{why(want.why), r.Name, r.Replicas, want.n})
		}
	}
	return actions
}

// point narrows Services. A Service is never pointed at a revision that could
// not carry what the Service may be getting.
func point(_ cursor, f facts, d desired) []Action {
	var actions []Action
	for _, s := range []struct {
		slot    traffic.Slot
		service Service
		want    string
	}{{traffic.Stable, f.StableService, d.stableSelects}, {traffic.Canary, f.CanaryService, d.canarySelects}} {
		r, exists := f.revisions[s.want]
		if s.want == "" || s.want == s.service.Selects || !exists {
			continue
		}
		share := f.most(s.slot)
		capable := r.Ready >= f.need(share) && (r.Ready > 0 || f.replicas == 0)
		if capable || s.service.ready() == 0 && r.Ready > 0 {
			actions = append(actions, SelectRevision{
				why(fmt.Sprintf("%d ready pods of %s can carry its share of up to %d %%", r.Ready, s.want, share)),
				s.service.Name, s.want,
			})
		}
	}
	return actions
}

func shift(c cursor, f facts, d desired) []Action {
	if !d.split.Known() || len(f.Traffic.Requested) == 0 || f.Traffic.RequestedAll(d.split) {
		return nil
	}
	return []Action{ShiftTraffic{why(shiftReason(c, f, d.split)), d.split}}
}

func shiftReason(c cursor, f facts, s traffic.Split) string {
	switch {
	case c.mode(f) == returning:
		return "all traffic returns to stable"
	case s.Canary == 0 && c.mode(f) == forward && f.StableService.Selects == c.canary:
		return "both Services stand for the promoted revision"
	case s.Canary == 0:
		return "stable carries all traffic"
	default:
		return fmt.Sprintf("%d ready endpoints of %s can carry %d %%", f.CanaryService.Ready[c.canary], c.canary, s.Canary)
	}
}

// judge starts, asks and stops the AnalysisRun of the release in flight, and
// stops any other that still runs.
func judge(c cursor, f facts, d desired) []Action {
	var actions []Action
	name := runName(c, f)
	for _, run := range f.Runs {
		if (run.Name != name || d.run == nil) && !run.Spec.Stop && run.Status.CompletedAt == nil {
			actions = append(actions, StopRun{"its release has ended", run.Name})
		}
	}
	slices.SortFunc(actions, func(a, b Action) int { return cmp.Compare(a.String(), b.String()) })
	if d.run == nil {
		return actions
	}
	run := f.run(c.release)
	switch {
	case run == nil:
		actions = append(actions, StartRun{"the canary gets its first traffic", name, c.canary, *d.run})
	case run.Status.CompletedAt == nil && !sameQuestion(run.Spec.Question, d.run.Question):
		actions = append(actions, AskRun{"the current step decides what is asked", name, d.run.Question})
	}
	return actions
}

func sameQuestion(a, b *v1alpha1.Question) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Step == b.Step && a.Since.Equal(&b.Since) && a.MinDuration == b.MinDuration && a.MaxDuration == b.MaxDuration
}

func shrink(c cursor, f facts, d desired) []Action {
	var actions []Action
	for _, r := range byNumber(f) {
		if want, ok := d.replicas[r.Hash]; ok && want.n < r.Replicas {
			actions = append(actions, ScaleRevision{why(want.why), r.Name, r.Replicas, want.n})
		}
	}
	if w := f.Workload; w != nil && d.workload != nil && *d.workload != w.Replicas {
		actions = append(actions, ScaleWorkload{
			why:  why(fmt.Sprintf("%d pods of the Rollout carry its traffic", f.StableService.Ready[cmp.Or(c.stable, c.canary)])),
			Name: w.Name, From: w.Replicas, Replicas: *d.workload,
		})
	}
	return append(actions, forget(c, f)...)
}

// forget deletes the oldest revisions without pods beyond the history limit.
func forget(c cursor, f facts) []Action {
	limit := defaultHistoryLimit
	if l := f.Rollout.Spec.RevisionHistoryLimit; l != nil {
		limit = int(*l)
	}
	var empty []Revision
	for _, r := range byNumber(f) {
		if r.Hash != c.stable && r.Hash != c.canary && r.Hash != f.Target && r.Replicas == 0 && r.Current == 0 && !f.exposed(r.Hash) {
			empty = append(empty, r)
		}
	}
	var actions []Action
	for i := 0; i < len(empty)-limit; i++ {
		actions = append(actions, DeleteRevision{why(fmt.Sprintf("more than revisionHistoryLimit (%d) revisions without pods", limit)), empty[i].Name})
	}
	return actions
}

// byNumber lists the revisions oldest first, so that plans do not depend on the order of reading.
func byNumber(f facts) []Revision {
	rs := slices.Clone(f.Revisions)
	slices.SortFunc(rs, func(a, b Revision) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Hash, b.Hash))
	})
	return rs
}

func nextNumber(f facts) int64 {
	var most int64
	for _, r := range f.Revisions {
		most = max(most, r.Number)
	}
	return most + 1
}
