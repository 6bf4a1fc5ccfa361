// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"

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
}

// transitions is the whole state machine, in order of precedence: what takes
// traffic away from a bad revision comes before what moves it on.
var transitions = []rule{
	{"Recover", []mode{resting}, lostStatus, recoverStable},
	{"Begin", []mode{resting}, wantsAnother, beginTarget},
	{"ReplaceFirst", []mode{initial}, wantsAnother, supersede},
	{"FirstPromoted", []mode{initial}, firstCarries, promote},
	{"Supersede", []mode{forward, returning}, wantsAnother, supersede},
	{"RollBack", []mode{returning}, takenBack, latchRollback},
	{"ReleaseAgain", []mode{returning}, wantedAgain, beginTarget},
	{"RolledBack", []mode{returning}, backOnStable, cursor.ended},
	{"AnalysisFailed", []mode{forward}, analysisFailed, abortOnAnalysis},
	{"Inconclusive", []mode{forward}, inconclusive, abortInconclusive},
	{"DeadlineExceeded", []mode{forward}, deadlineAborts, abortOnDeadline},
	{"Promoted", []mode{forward}, canaryCarriesAll, promote},
	{"StepDone", []mode{forward}, stepDone, nextStep},
}

// advance moves the cursor as far as the facts allow. Each transition is taken
// on observed facts only, so that taking several at once is safe; their number
// is bounded by the steps left and the roles that can change.
func advance(c cursor, f facts) cursor {
	c = handleCommand(c, f)
	for range len(f.strategy.Steps) + len(transitions) {
		next, moved := fire(c, f)
		if !moved {
			return c
		}
		c = next
	}
	return c
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

// lostStatus: the status is empty although a Service already stands for one of
// our revisions, as after a restore from backup. Without this rule the wanted
// revision would count as the first and skip its steps.
func lostStatus(c cursor, f facts) bool {
	return c.stable == "" && f.revisions[f.StableService.Selects].Ready > 0
}

func recoverStable(c cursor, f facts) cursor {
	c.stable = f.StableService.Selects
	return c
}

// wantsAnother: the template is neither the stable revision nor the one in flight.
func wantsAnother(c cursor, f facts) bool {
	return f.Target != "" && f.Target != c.stable && f.Target != c.canary && free(f)
}

// free reports whether releases may start and move on.
func free(f facts) bool { return len(f.Problems) == 0 && !f.Rollout.Spec.Paused }

func beginTarget(c cursor, f facts) cursor { return c.begin(f.Target, f.Now) }

func supersede(c cursor, f facts) cursor {
	if !c.aborted() {
		c = c.record(f, v1alpha1.CauseSuperseded)
	}
	return c.begin(f.Target, f.Now)
}

// firstCarries: the first revision is there in full and gets all traffic.
func firstCarries(c cursor, f facts) bool {
	return f.serves(traffic.Stable, c.canary, f.need(100)) && f.serves(traffic.Canary, c.canary, f.need(100)) &&
		f.confirmed(traffic.CanaryAt(0))
}

func promote(c cursor, f facts) cursor {
	c = c.record(f, v1alpha1.CausePromoted)
	c.stable = c.canary
	return c.end()
}

// backOnStable: a rollback is complete. An aborted revision stays in flight
// until another template is wanted.
func backOnStable(c cursor, f facts) bool { return f.Target == c.stable && onStable(c, f) }

// onStable: all traffic is known to be with stable.
func onStable(c cursor, f facts) bool {
	return f.StableService.Selects == c.stable && f.confirmed(traffic.CanaryAt(0))
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

// wantedAgain: a revision that was taken back is wanted once more. That is a
// release of its own, from the first step.
func wantedAgain(c cursor, f facts) bool {
	return c.rollingBack() && f.Target == c.canary && free(f)
}

// deadlineAborts: the step has waited too long for pods or traffic.
func deadlineAborts(c cursor, f facts) bool {
	return f.Rollout.Spec.OnDeadline != v1alpha1.OnDeadlineDegrade && overdue(c, f)
}

// overdue reports whether the current step has waited for pods or traffic for
// longer than the deadline. A person's or a metric's time does not count.
func overdue(c cursor, f facts) bool {
	return free(f) && waitsForCluster(c, f) && f.Now.After(c.since.Add(f.deadline()))
}

func waitsForCluster(c cursor, f facts) bool {
	step, ok := c.current(f)
	if !ok {
		return true
	}
	return step.SetWeight != nil && !weightCarried(c, f, *step.SetWeight)
}

func abortOnDeadline(c cursor, f facts) cursor {
	message := fmt.Sprintf("step %s waited longer than progressDeadlineSeconds (%s): %s", c.position(f), f.deadline(), waitingFor(c, f).message)
	return c.latch(f, v1alpha1.ReasonDeadlineExceeded, message, "")
}

// canaryCarriesAll: the stable slot stands for the canary alone and is known to carry everything.
func canaryCarriesAll(c cursor, f facts) bool {
	return c.promoting(f) && free(f) && f.StableService.only(c.canary, f.need(100)) && f.confirmed(traffic.CanaryAt(0))
}

// stepDone: the current step has what it waits for and no gate holds it.
func stepDone(c cursor, f facts) bool {
	step, ok := c.current(f)
	if !ok || !free(f) {
		return false
	}
	if _, held := analysisHold(c, f); held {
		return false
	}
	switch {
	case f.replicas == 0: // scaled to zero: there is nobody to carry or to judge
		return true
	case step.SetWeight != nil:
		return weightCarried(c, f, *step.SetWeight)
	case step.Pause != nil:
		return step.Pause.For != nil && !f.Now.Before(c.since.Add(step.Pause.For.Duration))
	case step.Analyze != nil:
		a, ok := answer(c, f)
		return ok && a.Verdict == v1alpha1.AnalysisPassed
	}
	return false
}

// weightCarried: the canary's endpoints can carry the weight and the data plane is known to send it.
func weightCarried(c cursor, f facts, weight int32) bool {
	return f.confirmed(traffic.CanaryAt(weight)) &&
		(weight == 0 || f.CanaryService.only(c.canary, f.need(weight)))
}

func nextStep(c cursor, f facts) cursor { return c.at(c.step+1, f.Now) }
