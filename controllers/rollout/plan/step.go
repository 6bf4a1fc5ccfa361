// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
)

const (
	defaultJobTimeout  = time.Hour
	defaultGateTimeout = time.Hour
)

// moves reports whether a step asks the cluster for pods or traffic; any other
// waits for time, evidence or permission.
func (s Step) moves() bool {
	return s.SetWeight != nil || s.SetScale != nil || s.MatchRoute != nil || s.Mirror != nil || s.Baseline != nil
}

// Judged reports whether the analyses of a spec have a say at a step.
func (s Step) Judged(spec v1alpha1.RolloutSpec) bool {
	return strategyOf(spec).analyses[s.where] != nil
}

// Run names the AnalysisRun that speaks at a step of a Rollout's n-th release.
func (s Step) Run(rollout string, release int64) string {
	return names.AnalysisRun(rollout, release, cmp.Or(s.control.suffix(), string(s.where)))
}

// stepDone: whomever the current step waits for has answered, nothing holds it, and
// the cluster is as the steps ask. The last also counts for a step that asks the
// cluster for nothing: pods that were lost meanwhile have to be back before the next.
func stepDone(c cursor, f facts) bool { return cleared(c, f) && c.reached(f) }

// cleared: only the cluster can still hold the current step.
func cleared(c cursor, f facts) bool {
	step, ok := c.current(f)
	if !ok || !c.free(f) || astray(c, f) {
		return false
	}
	if _, held := analysisHold(c, f); held {
		return false
	}
	switch {
	case step.moves():
		return true
	case step.Analyze != nil:
		return nobodyToJudge(c, f) || analyzed(c, f)
	}
	return timeoutPromotes(c, f) || answeredBy(c, f, step)
}

// answeredBy: the clock, a Job or a gate lets the step go on. A person's
// permission moves the cursor itself.
func answeredBy(c cursor, f facts, step Step) bool {
	switch {
	case step.Pause != nil:
		return step.Pause.For != nil && !f.Now.Before(c.since.Add(step.Pause.For.Duration))
	case step.Job != nil:
		return f.Jobs[jobName(c, f)].Succeeded
	case step.Gate != nil:
		return gateOpen(c, f)
	}
	return false
}

// patience is how long a step waits for a person, a gate or a Job, and what happens then.
func (s Step) patience() (timeout time.Duration, then v1alpha1.OnTimeout, bounded bool) {
	switch {
	case s.Pause != nil && s.Pause.Timeout != nil:
		return s.Pause.Timeout.Duration, orHold(s.Pause.OnTimeout), true
	case s.Approve != nil && s.Approve.Timeout != nil:
		return s.Approve.Timeout.Duration, orHold(s.Approve.OnTimeout), true
	case s.Gate != nil && s.Gate.OnTimeout == "":
		return duration(s.Gate.Timeout, defaultGateTimeout).Duration, v1alpha1.OnTimeoutAbort, true
	case s.Gate != nil:
		return duration(s.Gate.Timeout, defaultGateTimeout).Duration, s.Gate.OnTimeout, true
	case s.Job != nil:
		return duration(s.Job.Timeout, defaultJobTimeout).Duration, v1alpha1.OnTimeoutAbort, true
	}
	return 0, "", false
}

func orHold(o v1alpha1.OnTimeout) v1alpha1.OnTimeout {
	if o == "" {
		return v1alpha1.OnTimeoutHold
	}
	return o
}

// timedOut gives what the current step's timeout leads to, once it is over.
func timedOut(c cursor, f facts) (v1alpha1.OnTimeout, bool) {
	step, ok := c.current(f)
	if !ok {
		return "", false
	}
	timeout, then, bounded := step.patience()
	return then, bounded && !f.Now.Before(c.since.Add(timeout))
}

func timeoutPromotes(c cursor, f facts) bool {
	then, over := timedOut(c, f)
	return over && then == v1alpha1.OnTimeoutPromote
}

func timeoutAborts(c cursor, f facts) bool {
	f = certain(f)
	then, over := timedOut(c, f)
	return over && then == v1alpha1.OnTimeoutAbort && c.free(f) && !cleared(c, f)
}

func abortOnTimeout(c cursor, f facts) cursor {
	step, _ := c.current(f)
	timeout, _, _ := step.patience()
	return c.latch(f, v1alpha1.ReasonTimedOut, fmt.Sprintf("%s ended unanswered after its timeout of %s", stepText(c, f), timeout), "")
}

// jobName names the Job of the current step.
func jobName(c cursor, f facts) string { return names.Job(f.Rollout.Name, c.release, c.step) }

// jobFailed: the Job of the current step ended without success.
func jobFailed(c cursor, f facts) bool {
	step, ok := c.current(f)
	return ok && step.Job != nil && f.Jobs[jobName(c, f)].Failed
}

func abortOnJob(c cursor, f facts) cursor {
	name := jobName(c, f)
	return c.latch(f, v1alpha1.ReasonJobFailed, fmt.Sprintf("Job %s failed: %s", name, f.Jobs[name].Message), "")
}

// gateAnswer is the last answer to the current step's gate.
func gateAnswer(c cursor, f facts) (GateAnswer, bool) {
	if f.Gate == nil || f.Gate.Release != c.release || f.Gate.Step != c.step {
		return GateAnswer{}, false
	}
	return *f.Gate, true
}

func gateOpen(c cursor, f facts) bool {
	a, ok := gateAnswer(c, f)
	return ok && a.Allowed
}

// gateDue is when a gate is asked next: at once, then with pauses that double
// from ten seconds to five minutes.
func gateDue(c cursor, f facts) time.Time {
	a, ok := gateAnswer(c, f)
	if !ok {
		return f.Now
	}
	return a.At.Add(min(5*time.Minute, 5*time.Second<<min(a.Attempts, 10)))
}

// approved records who lets the current step go on.
func approved(c cursor, f facts, cmd v1alpha1.Command) cursor {
	c.approvals = append(c.approvals[:len(c.approvals):len(c.approvals)], v1alpha1.Approval{
		PersonStatus: v1alpha1.PersonStatus{By: cmd.By, At: metav1.NewTime(stamp(f.Now)), Reason: cmd.Reason}, Step: c.step,
	})
	return c
}
