// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// diff gives the actions that lead from the facts to what is desired. Their order:
// capacity, selection of pods, traffic, judgement, removal, and last metadata, which
// costs a write for each pod. On the way back to stable selection and traffic come
// before capacity. That may be so because each action is safe on the facts alone:
// none relies on one before it having had its effect, see also [Without].
func diff(c cursor, f facts, d desired) []Action {
	m := c.mode(f)
	if justRebound(c, f) {
		return abandon(f)
	}
	if len(f.Problems) > 0 && m != returning && m != rebinding {
		return guarded(f, slices.Concat(copyAgain(f), keepCapacity(c, f, d)))
	}
	if m == rebinding {
		return guarded(f, slices.Concat(copyAgain(f), giveBack(c, f, d)))
	}
	capacity := slices.Concat(copyAgain(f), makeServices(f), grow(c, f, d))
	way := slices.Concat(unnarrow(c, f), point(c, f, d), writeRoutes(f, d.split), shift(c, f, d))
	if m == returning || stranded(f) {
		capacity, way = way, capacity // callers who meet a bad revision, or nobody, wait for no other write
	}
	return slices.Concat(
		holdFinalizer(f),
		capacity,
		way,
		judge(c, f, d),
		ask(c, f),
		shrink(c, f, d),
		replace(c, f),
		ripen(c, f),
		mark(c, f),
	)
}

// giveBack leads what the former bindings carry to stable, and then gives it back.
func giveBack(c cursor, f facts, d desired) []Action {
	return slices.Concat(writeRoutes(f, stableOnly()), grow(c, f, d), point(c, f, d), recall(c, f, d), shrink(c, f, d), handOver(c, f))
}

// holdFinalizer puts the finalizer on.
func holdFinalizer(f facts) []Action {
	if slices.Contains(f.Rollout.Finalizers, v1alpha1.Finalizer) {
		return nil
	}
	return []Action{HoldFinalizer{"what is changed from now on is handed back when the Rollout is deleted"}}
}

// guarded puts the finalizer before changes, if there are any: what is changed has
// to be handed back when the Rollout is deleted.
func guarded(f facts, changes []Action) []Action {
	if len(changes) == 0 {
		return nil
	}
	return append(holdFinalizer(f), changes...)
}

// makeServices makes the Services that are ours to make.
func makeServices(f facts) []Action {
	var actions []Action
	for _, s := range []Service{f.StableService, f.CanaryService} {
		if s.Missing {
			actions = append(actions, CreateService{"routes need a Service for each slot", s.Name, f.wanted.Service})
		}
	}
	if s := f.BaselineService; s.Missing && f.StableService.Version != "" {
		actions = append(actions, CreateService{"a step says baseline", s.Name, f.StableService.Name})
	}
	return actions
}

// keepCapacity is what is still done while something is wrong: stable, and what the
// canary has been given, follow spec.replicas upwards, and traffic leaves endpoints that
// vanished, and a revision that was replaced by a newer one; where pods are the split, by
// losing these.
func keepCapacity(c cursor, f facts, d desired) []Action {
	var actions []Action
	for _, r := range f.revisions {
		if want, ok := d.replicas[r.Hash]; ok && keepsOn(c, f, r, want.n) {
			actions = append(actions, ScaleRevision{why(want.why), r.Name, r.Replicas, want.n, scaledByOthers(c, f, r, want.n)})
		}
	}
	switch {
	case f.means != byRoute:
		return actions
	case replaced(c, f, d):
		return append(actions, shift(c, f, d)...)
	}
	for _, s := range f.Traffic.Requested {
		if served := rescue(s, f); !served.Equal(s) {
			return append(actions, ShiftTraffic{why: "the other endpoints have vanished", Split: served})
		}
	}
	return actions
}

// keepsOn: a revision is given so many pods even while something is wrong. Where pods are
// the split, one that was replaced by a newer one leaves.
func keepsOn(c cursor, f facts, r Revision, n int32) bool {
	moving := c.mode(f) == forward
	if r.Hash == c.stable || r.Hash == c.canary && moving {
		return n > r.Replicas
	}
	return moving && f.means == byReplicas && n < r.Replicas
}

// replaced: the canary's Service stands for another revision still, which gets no more now
// by any route.
func replaced(c cursor, f facts, d desired) bool {
	other, ours := f.revisions.find(f.CanaryService.Selects)
	return c.mode(f) == forward && ours && other.Hash != c.canary && d.split.Known() && d.split.Canary <= f.requestedCanary()
}

func grow(c cursor, f facts, d desired) []Action {
	var actions []Action
	if d.create {
		want := d.replicas[d.created]
		ready, _ := minReadySeconds(f) // what is not known is put right when it is
		actions = append(actions, CreateRevision{why(want.why), d.created, nextNumber(f), want.n, ready, markFor(c, f, d.created)})
	}
	if d.control != nil {
		actions = append(actions, *d.control)
	}
	for _, r := range allRevisions(f) {
		if want, ok := d.replicas[r.Hash]; ok && want.n > r.Replicas {
			actions = append(actions, ScaleRevision{why(want.why), r.Name, r.Replicas, want.n, scaledByOthers(c, f, r, want.n)})
		}
	}
	return actions
}

// point narrows Services. A Service is never pointed at a revision that could
// not carry what the Service may be getting; on the way back a stable revision
// that was kept in full is never waited for.
func point(c cursor, f facts, d desired) []Action {
	var actions []Action
	for _, s := range []struct {
		slot    traffic.Slot
		service Service
		want    string
	}{
		{traffic.Stable, f.StableService, d.stableSelects}, {traffic.Canary, f.CanaryService, d.canarySelects},
		{traffic.Baseline, f.BaselineService, d.baselineSelects},
	} {
		r, exists := findAny(f, s.want)
		if s.want == "" || s.want == s.service.Selects || !exists || s.service.Name == "" || s.service.gone() {
			continue
		}
		share := f.most(s.slot)
		if share == 0 && lags(s.service, s.want) {
			continue
		}
		if capable(c, f, r, share) || s.service.ready() == 0 && r.Ready > 0 {
			actions = append(actions, SelectRevision{
				why(fmt.Sprintf("%s of %s can carry its share of up to %d %%", count(r.Ready, "ready pod"), s.want, share)),
				s.service.Name, s.want, s.service.Version, share, serviceDrifted(f, s.service, s.want),
			})
		}
	}
	return actions
}

// lags: a Service was pointed away from a revision, and its EndpointSlices list that one
// still. Pointed back now, nobody could tell those endpoints from the same ones after they
// had been gone for a while. A Service that gets nothing can wait for that.
func lags(s Service, revision string) bool {
	return s.Selects != "" && s.Selects != revision && s.Ready[revision] > 0
}

// unnarrow takes back the narrowing of a Service while the referenced workload
// still carries traffic, or revisions that came before this one do and the Service
// reaches nobody: a stranger's, or that for a first revision which was replaced
// before it had taken over. Where pods are the split, the callers' Service reaches
// those of all revisions.
func unnarrow(c cursor, f facts) []Action {
	if s := f.CallerService; f.means == byReplicas && s.Selects != "" {
		return []Action{SelectRevision{why: "pods are the split, and its callers reach only some of them", Service: s.Name, Version: s.Version}}
	}
	if c.mode(f) != initial || f.Workload == nil || f.revisions.of(c.canary).Available >= f.replicas {
		return nil
	}
	var actions []Action
	for _, s := range []Service{f.StableService, f.CanaryService} {
		if because := whyWiden(f, s); because != "" {
			actions = append(actions, SelectRevision{why: because, Service: s.Name, Version: s.Version})
		}
	}
	return actions
}

// whyWiden says why a narrowed Service has to reach all pods while the first
// revision takes over; empty when it need not.
func whyWiden(f facts, s Service) why {
	switch {
	case s.Name == "" || s.Selects == "":
	case f.Workload.Available > 0:
		return why(fmt.Sprintf("traffic is still carried by %s of Deployment %s", count(f.Workload.Available, "pod"), f.Workload.Name))
	case s.ready() == 0 && f.revisions.of(s.Selects).Ready == 0 && anyReady(f):
		return why(fmt.Sprintf("%s has no ready pod, and pods of other revisions still carry traffic", s.Selects))
	}
	return ""
}

// anyReady reports whether any revision has a ready pod.
func anyReady(f facts) bool {
	return slices.ContainsFunc(f.revisions, func(r Revision) bool { return r.Ready > 0 })
}

// capable reports whether a revision can take a share over.
func capable(c cursor, f facts, r Revision, share int32) bool {
	keptInFull := c.mode(f) == returning && !f.stableShort() && r.Replicas >= f.replicas && r.Ready > 0
	return keptInFull || r.Ready >= f.need(share) && (r.Ready > 0 || f.replicas == 0)
}

// recall moves traffic off the canary's Service that somebody put there while the
// former routes are being given back. Otherwise either would wait for the other: the
// traffic keeps the pods, and the pods keep the routes from being given back.
func recall(c cursor, f facts, d desired) []Action {
	if othersGone(c, f) {
		return nil
	}
	return shift(c, f, d)
}

func shift(c cursor, f facts, d desired) []Action {
	if !d.split.Known() || len(f.Traffic.Requested) == 0 || f.Traffic.RequestedAll(d.split) && !f.Traffic.Unbound {
		return nil
	}
	return []Action{ShiftTraffic{why(shiftReason(c, f, d.split)), d.split, routesDrifted(f, d.split), unseen(f, d.split)}}
}

func shiftReason(c cursor, f facts, s traffic.Split) string {
	switch {
	case f.Traffic.RequestedAll(s):
		return "the routes follow the revisions that the Services stand for"
	case stranded(f) && s.Canary == 100:
		return fmt.Sprintf("Service %s has no ready endpoint, and %s has %d", f.StableService.Name, f.CanaryService.Name, f.CanaryService.ready())
	case c.mode(f) == returning:
		return "all traffic returns to stable"
	case s.Baseline > requestedBaseline(f):
		return fmt.Sprintf("%d ready endpoints of %s can carry the baseline's share", f.BaselineService.Ready[baselineName(c)], baselineName(c))
	case s.Canary == 0 && s.Plain() && c.mode(f) == forward && f.StableService.Selects == c.canary:
		return "both Services stand for the promoted revision"
	case s.Canary == 0 && s.Plain():
		return "stable carries all traffic"
	default:
		return fmt.Sprintf("%s of %s can carry it", count(f.CanaryService.Ready[c.canary], endpoint), c.canary)
	}
}

// judge starts, asks and stops the AnalysisRun of the release in flight, and
// stops any other that still runs.
func judge(c cursor, f facts, d desired) []Action {
	var actions []Action
	name := runName(c, f)
	kept := c.edited && c.mode(f) == forward // a stopped run could not go on once the steps are put back
	for _, run := range f.Runs {
		if (run.Name != name || d.run == nil) && !kept && !run.Spec.Stop && run.Status.CompletedAt == nil {
			actions = append(actions, StopRun{stopReason(c, f, d, run.Name), run.Name})
		}
	}
	slices.SortFunc(actions, func(a, b Action) int { return cmp.Compare(a.String(), b.String()) })
	actions = append(actions, oldRuns(name, f)...)
	if d.run == nil {
		return actions
	}
	run := runAt(c, f)
	switch {
	case run == nil:
		return append(actions, StartRun{"the canary gets its first traffic", name, c.canary, *d.run})
	case run.Status.CompletedAt != nil:
		return actions
	case !sameQuestion(run.Spec.Question, d.run.Question):
		actions = append(actions, AskRun{"the current step decides what is asked", name, d.run.Question})
	}
	return append(actions, redirect(c, f, run, *d.run)...)
}

// ask starts the Job, or asks the gate, that the current step waits for, and
// deletes Jobs that no step waits for any more.
func ask(c cursor, f facts) []Action {
	var actions []Action
	step, ok := c.current(f)
	waits := ok && c.mode(f) == forward && c.free(f)
	wanted := ""
	switch {
	case waits && step.Job != nil:
		wanted = jobName(c, f)
		if _, exists := f.Jobs[wanted]; !exists {
			actions = append(actions, StartJob{"the step waits for its success", wanted, c.canary, step.Job.Template})
		}
	case waits && step.Gate != nil && !gateOpen(c, f) && !f.Now.Before(gateDue(c, f)):
		actions = append(actions, AskGate{"the step waits for permission", step.Gate.URL, c.canary, c.release, c.step})
	}
	return append(actions, leftoverJobs(c, f, wanted)...)
}

// leftoverJobs deletes the Jobs of former releases, and of this one when it was
// taken back. Those of steps behind the cursor stay for a look at their logs.
func leftoverJobs(c cursor, f facts, wanted string) []Action {
	if len(f.Jobs) == 0 {
		return nil
	}
	keep := map[string]bool{wanted: true}
	for i := range max(len(f.strategy.steps), int(c.step)+1) { // that of the current step even if an edit took the step away
		if m := c.mode(f); m != returning || f.Jobs[names.Job(f.Rollout.Name, c.release, int32(i))].done() {
			keep[names.Job(f.Rollout.Name, c.release, int32(i))] = true
		}
	}
	var actions []Action
	for _, name := range slices.Sorted(maps.Keys(f.Jobs)) {
		if !keep[name] {
			actions = append(actions, DeleteJob{"no step waits for it", name})
		}
	}
	return actions
}

func (j Job) done() bool { return j.Succeeded || j.Failed }

func sameQuestion(a, b *v1alpha1.Question) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Step == b.Step && a.Since.Equal(&b.Since) && a.MinDuration == b.MinDuration && a.MaxDuration == b.MaxDuration && a.NextWeight == b.NextWeight
}

func shrink(c cursor, f facts, d desired) []Action {
	var actions []Action
	for _, r := range allRevisions(f) {
		if want, ok := d.replicas[r.Hash]; ok && want.n < r.Replicas {
			actions = append(actions, ScaleRevision{why(want.why), r.Name, r.Replicas, want.n, scaledByOthers(c, f, r, want.n)})
		}
	}
	if w := f.Workload; w != nil && d.workload != nil && *d.workload != w.Replicas {
		actions = append(actions, ScaleWorkload{
			why:  why(fmt.Sprintf("its traffic is carried by %s of the Rollout", count(f.carrying(cmp.Or(c.stable, c.canary)), "pod"))),
			Name: w.Name, From: w.Replicas, Replicas: *d.workload,
			Drift: w.ScaledTo != nil && w.Replicas > *w.ScaledTo,
		})
	}
	return slices.Concat(actions, forget(c, f), dismiss(c, f))
}
