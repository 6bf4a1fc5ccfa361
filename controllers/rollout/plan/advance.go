// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// rule is one transition of the state machine.
type rule struct {
	// name of the transition.
	name string
	// from lists the modes in which it applies.
	from []mode
	// when says whether it applies now.
	when func(cursor, facts) bool
	// to gives the cursor after it.
	to func(cursor, facts) cursor
	// leads lists the modes that the next look may find.
	leads []mode
	// cause and effect say the same for people; docs/state-machine.md shows them.
	cause, effect string
}

// transitions is the whole state machine, in order of precedence: what takes
// traffic away from a bad revision comes before what moves it on.
var transitions = []rule{
	{
		"Rebound", []mode{rebinding}, allGivenBack, rebind, []mode{resting, initial, returning},
		"Everything that the strategy no longer names is given back: its Services select all pods again, its routes send stable everything.",
		"The Services and routes that the strategy names now carry the traffic.",
	},
	{
		"Recover", []mode{resting}, lostStatus, recoverStable, []mode{resting},
		"The status names no stable revision, although the stable Service stands for one of ours with ready pods, as after a restore from backup.",
		"That revision is stable again, so that the wanted one does not skip its steps as if it were the first.",
	},
	{
		"Begin", []mode{resting}, wantsAnother, beginTarget, []mode{initial, forward},
		"The template is another revision than stable's, and neither a pause nor a mistake in the spec holds it back.",
		"A release of it begins at the first step; past the last one when `spec.rollbackWindow` lets it go back without steps.",
	},
	{
		"ReplaceFirst", []mode{initial}, wantsAnother, supersede, []mode{initial},
		"The template changes before the first revision carries traffic.",
		"The newer one takes its place as the first revision.",
	},
	{
		"FirstPromoted", []mode{initial}, firstCarries, promote, []mode{resting},
		"The first revision has all its pods, its Services list them, and it is known to get all traffic.",
		"It is stable.",
	},
	{
		"Supersede", []mode{forward, returning}, wantsAnother, supersede, []mode{forward},
		"The template is neither stable's nor that of the revision in flight.",
		"The revision in flight is recorded as superseded, and a release of the newer one begins at the first step.",
	},
	{
		"RollBack", []mode{returning}, takenBack, latchRollback, []mode{returning},
		"The template is stable's again while another revision is in flight.",
		"That is latched: should the template change back before the traffic has returned, it is a new release.",
	},
	{
		"ReleaseAgain", []mode{returning}, wantedAgain, beginTarget, []mode{forward},
		"A revision that was taken back, or that met a change of strategy, is wanted once more.",
		"A release of its own begins at the first step.",
	},
	{
		"RolledBack", []mode{returning}, backOnStable, cursor.end, []mode{resting},
		"The template is stable's, and all traffic is known to be with stable.",
		"Nothing is in flight any more.",
	},
	{
		"StrategyChanged", []mode{forward}, boundElsewhere, latchStrategyChange, []mode{returning, rebinding},
		"The spec names other Services or routes than those that carry the release.",
		"The release is taken back; it starts again once the new objects carry the traffic.",
	},
	{
		"AnalysisFailed", []mode{forward}, analysisFailed, abortOnAnalysis, []mode{returning},
		"The AnalysisRun of this release found a breach.",
		"The revision is aborted with the run's words as the reason.",
	},
	{
		"Inconclusive", []mode{forward}, inconclusive, abortInconclusive, []mode{returning},
		"An `analyze` step ran out of time without evidence, and its `onInconclusive` says Abort.",
		"The revision is aborted.",
	},
	{
		"JobFailed", []mode{forward}, jobFailed, abortOnJob, []mode{returning},
		"The Job of the current step ended without success.",
		"The revision is aborted.",
	},
	{
		"DeadlineExceeded", []mode{forward}, deadlineAborts, abortOnDeadline, []mode{returning},
		"The step has waited for pods or traffic for longer than `spec.progressDeadlineSeconds` without one pod more, pauses not counted, and `spec.onDeadline` is not Degrade.",
		"The revision is aborted with what was waited for as the reason.",
	},
	{
		"TimedOut", []mode{forward}, timeoutAborts, abortOnTimeout, []mode{returning},
		"Nobody answered a `pause`, `approve`, `gate` or `job` step within its timeout, and its `onTimeout` says Abort.",
		"The revision is aborted.",
	},
	{
		"Promoted", []mode{forward}, canaryCarriesAll, promote, []mode{resting},
		"All steps are done, and the revision in flight is known to have stable's place: pods, endpoints and all traffic.",
		"It is stable; no pod was touched for that.",
	},
	{
		"StepDone", []mode{forward}, stepDone, nextStep, []mode{forward},
		"The cluster is as the step asks, whoever else it waits for has answered, and no gate holds the release.",
		"The next step begins, or after the last one the promotion.",
	},
	{
		"Restarted", []mode{resting}, restarted, noteRestart, []mode{resting},
		"Every pod of the stable revision is younger than the restart asked for.",
		"The restart is complete.",
	},
}

// advance moves the cursor as far as the facts allow. Each transition is taken
// on observed facts only, so that taking several at once is safe; their number
// is bounded by the steps left and the roles that can change.
func advance(c cursor, f facts) cursor {
	for range len(f.strategy.steps) + len(transitions) {
		next, moved := fire(c, f)
		if !moved {
			break
		}
		c = next
		if justRebound(c, f) {
			return c
		}
	}
	return keepTime(c, f)
}

func fire(c cursor, f facts) (cursor, bool) {
	now := c.mode(f)
	for _, r := range transitions {
		for _, from := range r.from {
			if from == now && r.when(c, f) {
				return r.to(c, f), true
			}
		}
	}
	return c, false
}

// keepTime starts the clock of the progress deadline when the step begins to wait
// for the cluster, and stops it while anything else holds the release, such as a
// pause, a metric or a person. It starts anew with every pod that gets available, as
// a Deployment's does, so that a wait for many batches of pods is not one long wait. A
// pod that only comes back has not got the release any further.
func keepTime(c cursor, f facts) cursor {
	switch {
	case !waitsForCluster(c, f):
		c.waiting, c.soFar = time.Time{}, nil
	case c.waiting.IsZero() || progressed(c, f):
		c.waiting, c.soFar = stamp(f.Now), ptr.To(f.revisions.of(c.canary).Available)
	case c.soFar == nil:
		c.soFar = ptr.To(f.revisions.of(c.canary).Available)
	}
	return c
}

// progressed: more pods of the revision in flight are available than ever since it began to wait.
func progressed(c cursor, f facts) bool {
	return c.soFar != nil && f.revisions.of(c.canary).Available > *c.soFar
}

// waitsForCluster reports whether the deadline's clock runs: something is in
// flight, nobody holds it, and the cluster still owes it pods, endpoints or traffic.
func waitsForCluster(c cursor, f facts) bool {
	f = certain(f)
	m := c.mode(f)
	if !c.free(f) || (m != forward && m != initial) || astray(c, f) {
		return false
	}
	return (m == initial || clusterHolds(c, f)) && !c.reached(f)
}

// certain are the facts without the problems that may be none, because something could
// not be read. They hold what is new, but no clock stands still or begins anew for them:
// a read that fails makes no deadline later and none earlier.
func certain(f facts) facts {
	unread := func(p Problem) bool { return p.Unread }
	if !slices.ContainsFunc(f.Problems, unread) {
		return f
	}
	known := *f.said
	known.Problems = slices.DeleteFunc(slices.Clone(f.Problems), unread)
	return facts{&known}
}

// clusterHolds reports whether it is the cluster that the current step waits for,
// if it waits at all. A step that asks the cluster for nothing, such as a pause,
// first waits for its person, clock or metric, and only then for the cluster.
func clusterHolds(c cursor, f facts) bool {
	step, ok := c.current(f)
	return !ok || step.moves() || unfed(c, f) || cleared(c, f)
}

// lostStatus: the status is empty although a Service already stands for one of
// our revisions, as after a restore from backup. Without this rule the wanted
// revision would count as the first and skip its steps. It does not apply beside
// a workload that has not been taken over yet: there the controller has pointed
// no Service anywhere, so that somebody else must have.
func lostStatus(c cursor, f facts) bool {
	takenOver := f.Workload == nil || f.Workload.Before != nil
	return c.stable == "" && takenOver && f.revisions.of(f.StableService.Selects).Ready > 0
}

func recoverStable(c cursor, f facts) cursor {
	c.stable = f.StableService.Selects
	return c
}

// wantsAnother: the template is neither the stable revision nor the one in flight.
func wantsAnother(c cursor, f facts) bool {
	return f.Target != "" && f.Target != c.stable && f.Target != c.canary && mayBegin(c, f) && !f.rebinding
}

// mayBegin reports whether releases may start: nobody has paused them, and no problem
// has to be mended first. The way back to stable needs no such leave.
func mayBegin(c cursor, f facts) bool {
	return len(f.Problems) == 0 && !f.Rollout.Spec.Paused && c.paused == nil
}

// free reports whether the release in flight may move on: others could start, and
// nobody has edited away what it waits for.
func (c cursor) free(f facts) bool { return mayBegin(c, f) && !c.edited }

func beginTarget(c cursor, f facts) cursor { return c.begin(f.Target, f) }

func supersede(c cursor, f facts) cursor {
	if !c.aborted() {
		c = c.record(f, v1alpha1.CauseSuperseded)
	}
	return c.begin(f.Target, f)
}

// firstCarries: the first revision is there in full and gets all traffic, and
// nothing is wrong with what is to be taken over.
func firstCarries(c cursor, f facts) bool { return len(f.Problems) == 0 && c.reached(f) }

func promote(c cursor, f facts) cursor {
	c = c.record(f, v1alpha1.CausePromoted)
	c.stable = c.canary
	return c.end(f)
}

// backOnStable: a rollback is complete. An aborted revision stays in flight
// until another template is wanted.
func backOnStable(c cursor, f facts) bool { return f.Target == c.stable && onStable(c, f) }

// onStable: all traffic is known to be with stable. Where its Service is gone, nothing but
// the canary's serves, so that it is enough that this one stands for stable.
func onStable(c cursor, f facts) bool {
	switch f.means {
	case bySelector:
		return f.serves(traffic.Stable, c.stable, 1) || f.replicas == 0 && f.StableService.Selects == c.stable
	case byReplicas:
		return hasAllPods(c.stable, f)
	case byRoute:
		if f.StableService.gone() {
			return f.serves(traffic.Canary, c.stable, 1)
		}
	}
	return f.StableService.Selects == c.stable && f.confirmed(stableOnly())
}

// takenBack: the template went back to stable's while a canary was in flight.
func takenBack(c cursor, f facts) bool { return f.Target == c.stable && !c.aborted() }

func latchRollback(c cursor, f facts) cursor {
	c = c.record(f, v1alpha1.CauseRolledBack)
	c.abort = &v1alpha1.AbortStatus{
		Revision: c.canary, Reason: v1alpha1.ReasonRollingBack, Message: "the template went back to that of " + c.stable, At: stamped(f.Now),
	}
	return c
}

// wantedAgain: a revision is wanted once more that was taken back, because the
// template or the strategy had changed. That is a release of its own, from the first step.
func wantedAgain(c cursor, f facts) bool {
	again := c.takenBackFor(v1alpha1.ReasonRollingBack) || c.takenBackFor(v1alpha1.ReasonStrategyChanged)
	return again && f.Target == c.canary && mayBegin(c, f) && !f.rebinding
}

// boundElsewhere: the spec names other Services or routes than those that carry
// the release in flight.
func boundElsewhere(_ cursor, f facts) bool { return f.rebinding }

func latchStrategyChange(c cursor, f facts) cursor {
	c = c.record(f, v1alpha1.CauseStrategyChanged)
	c.abort = &v1alpha1.AbortStatus{
		Revision: c.canary, Reason: v1alpha1.ReasonStrategyChanged, At: stamped(f.Now),
		Message: "the strategy names other Services or routes now; the release starts again under it",
	}
	return c
}

// deadlineAborts: the step has waited too long for pods or traffic.
func deadlineAborts(c cursor, f facts) bool {
	return f.Rollout.Spec.OnDeadline != v1alpha1.OnDeadlineDegrade && overdue(c, f)
}

// overdue reports whether the current step has waited for pods or traffic for
// longer than the deadline, and no more pods have become available meanwhile. A person's
// or a metric's time does not count, nor does the time under a pause or a mistake.
func overdue(c cursor, f facts) bool {
	return !c.waiting.IsZero() && waitsForCluster(c, f) && f.Now.After(c.waiting.Add(f.deadline())) && !progressed(c, f)
}

func abortOnDeadline(c cursor, f facts) cursor {
	message := fmt.Sprintf("step %s waited longer than progressDeadlineSeconds (%s) without one pod more: %s", c.position(f), f.deadline(), waitingFor(c, f).message)
	return c.latch(f, v1alpha1.ReasonDeadlineExceeded, message, "")
}

// canaryCarriesAll: the canary has taken the stable revision's place in full.
func canaryCarriesAll(c cursor, f facts) bool {
	return c.promoting(f) && c.free(f) && c.reached(f) && !astray(c, f)
}

func nextStep(c cursor, f facts) cursor {
	if c.skipped == nil && !answered(c, f, v1alpha1.AnalysisPassed) && answered(c, f, v1alpha1.AnalysisInconclusive) {
		a, _ := answer(c, f)
		c = approved(c, f, v1alpha1.Command{By: "onInconclusive: Promote", Reason: a.Message})
	}
	return c.at(c.step+1, f.Now)
}
