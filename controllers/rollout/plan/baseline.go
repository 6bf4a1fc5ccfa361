// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// The baseline is what a canary can be compared with fairly: pods of the stable
// revision that are as new as the canary's, in a ReplicaSet and behind a Service of
// their own. It carries its share and nothing else. It takes over from nobody, and
// the share that it can't serve goes back to stable, which keeps the pods for that.

// baselineMark stands between a revision and the release that its fresh pods
// are for. No hash has a dash in it.
const baselineMark = "-b"

// BaselineOf reports whether a name is that of a baseline, and of which stable
// revision its pods are.
func BaselineOf(revision string) (stable string, is bool) {
	stable, _, is = strings.Cut(revision, baselineMark)
	return stable, is
}

// baselineName names the fresh pods of stable for the release in flight.
func baselineName(c cursor) string {
	return c.stable + baselineMark + strconv.FormatInt(c.release, 10)
}

// saysBaseline reports whether any step begins a baseline.
func saysBaseline(steps []v1alpha1.Step) bool {
	return slices.ContainsFunc(steps, func(s v1alpha1.Step) bool { return s.Baseline != nil && s.Baseline.Replicas > 0 })
}

// control is what a canary is compared with: the stable pods or a baseline.
type control struct {
	baseline bool
	// since is the step, from 1, that made it so; 0 when it has been so from the
	// beginning. The evidence of one control says nothing of another, so each has an AnalysisRun of its own.
	since int32
}

// suffix tells the AnalysisRuns of one release apart.
func (c control) suffix() string {
	switch {
	case c.since == 0:
		return ""
	case c.baseline:
		return fmt.Sprintf("b%d", c.since)
	}
	return fmt.Sprintf("s%d", c.since)
}

// controls notes at each step what the canary is compared with there: a
// baseline from the step after the one that began it, until the step that ends it.
func controls(steps []Step) {
	var now control
	for i := range steps {
		b, at := steps[i].Baseline, int32(i)+1
		if b != nil && b.Replicas == 0 && now.baseline {
			now = control{false, at}
		}
		steps[i].control = now
		if b != nil && b.Replicas > 0 && !now.baseline {
			now = control{true, at}
		}
	}
}

// overfull finds a step at which canary and baseline are to get more than everything.
func overfull(f facts) []Problem {
	var weight, baseline int32
	for i, step := range f.strategy.steps {
		switch {
		case step.SetWeight != nil:
			weight = *step.SetWeight
		case step.Baseline != nil:
			baseline = step.Baseline.Weight
		}
		if promotes := i == len(f.strategy.steps)-1 && f.strategy.lastPromotes(); weight+baseline > 100 && !promotes {
			return []Problem{{Field: fmt.Sprintf("%s.steps[%d]", f.strategy.at, i), Message: fmt.Sprintf(
				"the canary's weight %d and the baseline's weight %d are more than 100 together; lower one of them, or end the baseline before by a step baseline: {replicas: 0}", weight, baseline)}}
		}
	}
	return nil
}

// apart separates revisions from baselines. A baseline is no revision: it has no
// history and no number, and nobody goes back to it.
func apart(all []Revision) (own, baselines []Revision) {
	is := func(r Revision) bool { _, is := BaselineOf(r.Hash); return is }
	if !slices.ContainsFunc(all, is) {
		return all, nil
	}
	for _, r := range all {
		if is(r) {
			baselines = append(baselines, r)
			continue
		}
		own = append(own, r)
	}
	revisions(baselines).clamp()
	return own, baselines
}

// allRevisions are the revisions, and the fresh pods of stable ones after them.
func allRevisions(f facts) []Revision {
	if len(f.baselines) == 0 {
		return f.Revisions
	}
	return slices.Concat(f.Revisions, f.baselines)
}

// findAny gives a revision, or the fresh pods of a stable one.
func findAny(f facts, hash string) (Revision, bool) {
	if _, is := BaselineOf(hash); is {
		return f.baselines.find(hash)
	}
	return f.revisions.find(hash)
}

// requestedBaseline is the least share that any route gives the baseline now.
func requestedBaseline(f facts) int32 {
	if len(f.Traffic.Requested) == 0 {
		return 0
	}
	least := int32(100)
	for _, s := range f.Traffic.Requested {
		least = min(least, s.Baseline)
	}
	return least
}

// controlled: the steps ask for a baseline.
func controlled(c cursor, f facts) bool {
	return f.means == byRoute && f.BaselineService.Name != "" && f.replicas > 0 && c.mode(f) == forward && c.asks(f).baseline.Replicas > 0
}

// desireBaseline sizes the baseline that the steps ask for, and takes the pods of any
// other as soon as its share is known to have left and no Service may reach them. The
// baseline's Service is pointed elsewhere only when nobody may be sent to it.
func desireBaseline(d *desired, c cursor, f facts) {
	wanted, idle := controlled(c, f), f.most(traffic.Baseline) == 0
	shrinkBaselines(d, c, f, wanted)
	switch m := c.mode(f); {
	case wanted && idle:
		d.baselineSelects = baselineName(c)
	case idle && m != forward && m != initial && (m != rebinding || !othersGone(c, f)):
		d.baselineSelects = c.stable
	}
	if wanted {
		growBaseline(d, c, f)
	}
}

// shrinkBaselines takes the pods of every baseline but the wanted one.
func shrinkBaselines(d *desired, c cursor, f facts, wanted bool) {
	for _, r := range f.baselines {
		switch {
		case wanted && r.Hash == baselineName(c):
		case f.most(traffic.Baseline) > 0, mayBeReached(r.Hash, f):
			d.replicas[r.Hash] = sized{r.Replicas, "kept until its share is known to have left"}
		default:
			d.replicas[r.Hash] = sized{0, "its share is known to have left"}
		}
	}
}

// growBaseline gives the baseline the pods that the steps ask for, and never
// less than what the share that may still be served needs.
func growBaseline(d *desired, c cursor, f facts) {
	n := c.asks(f).baseline.Replicas
	reason := fmt.Sprintf("%s of %s for step %s", count(n, "fresh pod"), c.stable, c.position(f))
	r, exists := findAny(f, baselineName(c))
	stable := f.revisions.of(c.stable)
	switch floor := min(r.Replicas, f.need(f.most(traffic.Baseline))); {
	case !exists && c.free(f) && stable.Name != "":
		d.control = &CreateBaseline{why(reason), baselineName(c), stable.Name, n}
	case !exists:
	case n > r.Replicas && !c.free(f):
		d.replicas[r.Hash] = sized{r.Replicas, "held as it is"}
	case n < floor:
		d.replicas[r.Hash] = sized{floor, fmt.Sprintf("%d replicas until the larger share is known to have left", floor)}
	default:
		d.replicas[r.Hash] = sized{n, reason}
	}
}

// affordableBaseline is the share that the baseline may have now: what the steps
// ask for once its endpoints can carry that, what it has while they are fewer,
// and nothing when there are none.
func affordableBaseline(c cursor, f facts) int32 {
	s, want := f.BaselineService, c.asks(f).baseline.Weight
	if !controlled(c, f) || s.Selects != baselineName(c) || s.Ready[baselineName(c)] == 0 || blind(f, traffic.Baseline) {
		return 0
	}
	n, r := f.need(want), f.baselines.of(baselineName(c))
	if !c.free(f) || !follows(f) || !f.serves(traffic.Baseline, baselineName(c), n) || r.Available < n {
		return min(want, requestedBaseline(f))
	}
	return want
}

// orphaned gives stable the share of a baseline that has no endpoints.
func orphaned(want traffic.Split, f facts) traffic.Split {
	if want.Baseline == 0 || f.BaselineService.ready() > 0 || f.StableService.ready()+f.CanaryService.ready() == 0 || f.replicas == 0 {
		return want
	}
	want.Baseline = 0
	return want.At(want.Canary)
}

// keepBaseline leaves the baseline as much of its share as stable can't take back
// yet, even if no step asks for the baseline any more.
func keepBaseline(s traffic.Split, c cursor, f facts) traffic.Split {
	least := leastBaseline(c, f)
	if least <= s.Baseline || !s.Known() {
		return s
	}
	carries := carriedBy(f, c.stable)
	if blind(f, traffic.Stable) {
		carries = 0
	}
	s.Baseline += max(0, min(least-s.Baseline, s.Stable-carries))
	return s.At(s.Canary)
}

// leastBaseline is the share that the baseline may have to keep because stable is
// short and can't take it back yet.
func leastBaseline(c cursor, f facts) int32 {
	if f.BaselineService.ready() == 0 || f.replicas == 0 || blind(f, traffic.Baseline) {
		return 0
	}
	var has int32
	for _, s := range f.Traffic.Requested {
		has = max(has, s.Baseline)
	}
	switch {
	case has == 0, !blind(f, traffic.Stable) && !f.stableShort():
		return 0
	case blind(f, traffic.Stable):
		return has
	}
	return min(has, 100-carriedBy(f, c.stable))
}

// baselineMissing says what the baseline still lacks: pods, or endpoints.
func baselineMissing(c cursor, f facts, o owed) (hold, bool) {
	if o.split.Baseline == 0 || !controlled(c, f) {
		return hold{}, false
	}
	n, s := c.asks(f).baseline.Replicas, f.BaselineService
	switch r := f.baselines.of(baselineName(c)); {
	case r.Available < n:
		return waits(v1alpha1.ReasonWaitingForPods, "waiting for fresh pods of %s: %s", c.stable, pods(r, n)), true
	case !s.only(baselineName(c), n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "waiting for Service %s to list %s of %s alone%s",
			s.Name, count(n, endpoint), baselineName(c), s.instead(baselineName(c))), true
	case !f.Traffic.RequestedAll(o.split) && !f.serves(traffic.Baseline, baselineName(c), n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "%s of %s in Service %s, settling for %s", count(n, endpoint), baselineName(c), s.Name, f.strategy.settle), true
	}
	return hold{}, false
}

// dismiss deletes the baselines whose pods are gone. Nobody ever goes back to them.
func dismiss(c cursor, f facts) []Action {
	var actions []Action
	for _, r := range f.baselines {
		if wanted := controlled(c, f) && r.Hash == baselineName(c); !wanted && r.Replicas == 0 && r.Current == 0 {
			actions = append(actions, DeleteRevision{"its release compares with it no more, and its pods are gone", r.Name, nil})
		}
	}
	return actions
}

// stopReason says why another run than the one wanted ends.
func stopReason(c cursor, f facts, d desired, run string) why {
	same := slices.ContainsFunc(f.strategy.steps, func(s Step) bool { return s.Run(f.Rollout.Name, c.release) == run })
	control := stepAt(c, f).control
	switch {
	case d.run == nil || !same || control.since == 0:
		return "its release has ended"
	case control.baseline:
		return why("the canary is compared with the fresh pods of " + baselineName(c) + " from now on, of which its evidence says nothing")
	}
	return why("the canary is compared with the pods of " + c.stable + " again, of which its evidence says nothing")
}

// describeBeside says in a few words what goes beside the canary's weight.
func describeBeside(step Step) string {
	switch {
	case step.MatchRoute != nil:
		return "match route " + step.MatchRoute.Name
	case step.Mirror != nil:
		return fmt.Sprintf("mirror %d %%", step.Mirror.Percent)
	case step.Baseline != nil && step.Baseline.Replicas > 0:
		return fmt.Sprintf("baseline of %s at %d %%", count(step.Baseline.Replicas, "pod"), step.Baseline.Weight)
	}
	return "end of the baseline"
}
