// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// hold is why a release is where it is: one word for machines, one for people
// and a sentence with the numbers.
type hold struct {
	phase   v1alpha1.RolloutPhase
	reason  string
	message string
}

// gate is a question that may hold a release.
type gate struct {
	name string
	// when says in a sentence when it holds; docs/state-machine.md shows it.
	when string
	// gives lists every phase and reason that it may give.
	gives []standing
	// hold asks the question; false when the gate is open.
	hold func(cursor, facts) (hold, bool)
}

// standing is what a hold is to machines.
type standing struct {
	phase  v1alpha1.RolloutPhase
	reason string
}

// gates are asked in this order; the first that holds speaks.
var gates = []gate{
	{
		"Problem", "The spec, or an object that it names, has to be mended first. Traffic on its way back to stable is not held by that.",
		[]standing{{v1alpha1.PhaseHolding, v1alpha1.ReasonInvalid}, {v1alpha1.PhasePending, v1alpha1.ReasonInvalid}}, problemGate,
	},
	{
		"Rebinding", "What the strategy no longer names is given back.",
		[]standing{{v1alpha1.PhaseProgressing, v1alpha1.ReasonStrategyChanged}}, rebindGate,
	},
	{
		"Resting", "Nothing is in flight: all is well, or the stable revision lacks pods or traffic, is being restarted, or another revision is held back by a pause.",
		[]standing{
			{v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted}, {v1alpha1.PhasePending, v1alpha1.ReasonProgressing},
			{v1alpha1.PhasePaused, v1alpha1.ReasonPausedByCommand}, {v1alpha1.PhasePaused, v1alpha1.ReasonPausedBySpec},
			{v1alpha1.PhaseProgressing, v1alpha1.ReasonRestarting}, {v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForPods},
			{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForTraffic},
		}, resultGate,
	},
	{
		"Returning", "Traffic goes back to stable, or has gone back after an abort.",
		[]standing{
			{v1alpha1.PhaseRollingBack, v1alpha1.ReasonRollingBack}, {v1alpha1.PhaseAborting, v1alpha1.ReasonAborting},
			{v1alpha1.PhaseDegraded, v1alpha1.ReasonAborted},
		}, returnGate,
	},
	{
		"Paused", "`spec.paused` or the command `pause` holds everything where it is.",
		[]standing{{v1alpha1.PhasePaused, v1alpha1.ReasonPausedBySpec}, {v1alpha1.PhasePaused, v1alpha1.ReasonPausedByCommand}}, pausedGate,
	},
	{
		"Edited", "An edit has changed the steps up to the current one, so that nobody has passed what the release waited for. A promote goes on with the new ones.",
		[]standing{{v1alpha1.PhaseHolding, v1alpha1.ReasonStepsEdited}}, editedGate,
	},
	{
		"Overdue", "The progress deadline has passed where it can't abort: there is nothing to return to, or `spec.onDeadline` is Degrade.",
		[]standing{{v1alpha1.PhaseDegraded, v1alpha1.ReasonDeadlineExceeded}}, overdueGate,
	},
	{
		"Observed", "The requests that the analysis counted contradict what the routes give the canary, where the data plane reports nothing itself.",
		[]standing{{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForTraffic}, {v1alpha1.PhaseHolding, v1alpha1.ReasonTrafficNotObserved}}, observedGate,
	},
	{
		"Cluster", "The cluster still owes pods, endpoints or traffic, in this order.",
		[]standing{
			{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForPods}, {v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForEndpoints},
			{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForTraffic}, {v1alpha1.PhaseHolding, v1alpha1.ReasonTrafficUnconfirmed},
		}, clusterGate,
	},
	{
		"Analysis", "The running analysis forbids the next step: no data, late data, a suspicion, or too little evidence yet.",
		[]standing{
			{v1alpha1.PhaseProgressing, v1alpha1.ReasonAnalyzing}, {v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisNoData},
			{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisSuspicious},
		}, analysisGate,
	},
	{
		"Pause", "A `pause` step waits for its time, or for somebody to promote.",
		[]standing{{v1alpha1.PhasePaused, v1alpha1.ReasonPauseStep}}, pauseGate,
	},
	{
		"Approval", "An `approve` step waits for a named person.",
		[]standing{{v1alpha1.PhasePaused, v1alpha1.ReasonApproval}}, approveGate,
	},
	{
		"Job", "A `job` step waits for its Job to succeed.",
		[]standing{{v1alpha1.PhaseProgressing, v1alpha1.ReasonJobRunning}}, jobGate,
	},
	{
		"Permission", "A `gate` step waits for its URL to allow the next step.",
		[]standing{{v1alpha1.PhaseHolding, v1alpha1.ReasonGateClosed}}, permissionGate,
	},
	{
		"Analyze", "An `analyze` step waits for the answer to its question.",
		[]standing{{v1alpha1.PhaseProgressing, v1alpha1.ReasonAnalyzing}, {v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisInconclusive}}, analyzeGate,
	},
}

// explain gives the one sentence that says what is happening and what is waited for.
func explain(c cursor, f facts) hold {
	for _, g := range gates {
		if h, held := g.hold(c, f); held {
			h.message += restartText(c, f) + lostBrief(f)
			return h
		}
	}
	return waits(v1alpha1.ReasonProgressing, "%s: going on%s%s", stepText(c, f), restartText(c, f), lostBrief(f))
}

// restartText says that a restart waits for a release; at rest it speaks for itself.
func restartText(c cursor, f facts) string {
	if !c.restart.pending(f) || c.mode(f) == resting || c.stable == "" {
		return ""
	}
	return "; the restart asked for waits until nothing is in flight"
}

func problemGate(c cursor, f facts) (hold, bool) {
	if m := c.mode(f); len(f.Problems) == 0 || m == returning || m == rebinding {
		return hold{}, false
	}
	p := f.Problems[0]
	h := hold{v1alpha1.PhaseHolding, v1alpha1.ReasonInvalid, fmt.Sprintf("%s: %s", p.Field, p.Message)}
	if c.stable == "" {
		h.phase = v1alpha1.PhasePending
	}
	if more := len(f.Problems) - 1; more > 0 {
		h.message += fmt.Sprintf(" (and %d more, see condition SpecValid)", more)
	}
	return h, true
}

// resultGate speaks when nothing is in flight.
func resultGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) != resting {
		return hold{}, false
	}
	r := f.revisions.of(c.stable)
	switch {
	case c.stable == "":
		return hold{v1alpha1.PhasePending, v1alpha1.ReasonProgressing, "waiting for a pod template"}, true
	case f.Target != c.stable && f.Target != "" && !c.free(f):
		h := pausedHold(c, f)
		h.message = fmt.Sprintf("revision %s is held back: %s", f.Target, h.message)
		return h, true
	case c.restart.pending(f) && !c.free(f):
		h := pausedHold(c, f)
		h.message = fmt.Sprintf("replacing pods waits, %d created before the restart asked for are left: %s", len(outdated(c, f)), h.message)
		return h, true
	case c.restart.pending(f):
		return waits(v1alpha1.ReasonRestarting, "replacing pods one by one: %d created before the restart asked for are left, %s%s",
			len(outdated(c, f)), pods(r, f.replicas+1), nextEviction(c, f)), true
	case r.Available < f.replicas:
		return waits(v1alpha1.ReasonWaitingForPods, "revision %s carries all traffic: %s", c.stable, pods(r, f.replicas)), true
	case !onStable(c, f):
		return waits(v1alpha1.ReasonWaitingForTraffic, "returning all traffic to stable: %s", backText(c, f)), true
	}
	return hold{v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted, fmt.Sprintf("revision %s carries all traffic with %s%s", c.stable, count(f.replicas, "pod"), restingText(c, f))}, true
}

// restingText says what a person should know of a Rollout with which all is well.
func restingText(c cursor, f facts) string {
	var text string
	if c.undo != nil {
		text += fmt.Sprintf("; %s undid the template's %s, which a change of the template ends", c.undo.By, c.undo.Of)
	}
	if w := f.Workload; w != nil && w.Before != nil && w.Replicas == 0 {
		text += fmt.Sprintf("; Deployment %s is kept at 0 replicas, so scale the Rollout", w.Name)
	}
	if f.Rollout.Spec.Paused || c.paused != nil {
		text += "; the next release waits: " + pausedHold(c, f).message
	}
	return text
}

// endpoint is the word for what Services list, for [count].
const endpoint = "ready endpoint"

// count says how many there are of something, in words.
func count(n int32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func pausedGate(c cursor, f facts) (hold, bool) {
	if !f.Rollout.Spec.Paused && c.paused == nil {
		return hold{}, false
	}
	h := pausedHold(c, f)
	h.message = stepText(c, f) + ": " + h.message
	return h, true
}

// pausedHold says who holds everything, and how to go on.
func pausedHold(c cursor, f facts) hold {
	if p := c.paused; p != nil && !f.Rollout.Spec.Paused {
		message := "paused by " + p.By
		if p.Reason != "" {
			message += " (" + p.Reason + ")"
		}
		return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPausedByCommand, message + "; resume to go on"}
	}
	return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPausedBySpec, "held by spec.paused; set it to false to go on"}
}

// overdueGate speaks where the deadline can't abort: nothing to return to, or onDeadline Degrade.
func overdueGate(c cursor, f facts) (hold, bool) {
	if overdue(c, f) {
		w := waitingFor(c, f)
		return hold{v1alpha1.PhaseDegraded, v1alpha1.ReasonDeadlineExceeded,
			fmt.Sprintf("%s: for longer than progressDeadlineSeconds (%s), %s; mend that and it goes on, %s", stepText(c, f), f.deadline(), w.message, wayOut(c, f))}, true
	}
	return hold{}, false
}

// wayOut is what a person can do instead where no deadline aborts.
func wayOut(c cursor, f facts) string {
	if c.mode(f) == initial {
		return "or change the template"
	}
	return "or abort"
}

func clusterGate(c cursor, f facts) (hold, bool) {
	if _, walking := c.current(f); c.mode(f) == forward && walking && (!clusterHolds(c, f) || c.reached(f)) {
		return hold{}, false
	}
	h := waitingFor(c, f)
	h.message = stepText(c, f) + ": " + h.message
	return h, true
}

func analysisGate(c cursor, f facts) (hold, bool) {
	h, held := analysisHold(c, f)
	if held {
		h.message = stepText(c, f) + ": " + h.message + unfollowed(c, f)
	}
	return h, held
}

func pauseGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Pause == nil {
		return hold{}, false
	}
	message := "paused until promoted" + patienceText(c, f)
	if step.Pause.For != nil {
		message = fmt.Sprintf("paused for %s until %s", step.Pause.For.Duration, clockTime(c.since, c.since.Add(step.Pause.For.Duration)))
	}
	return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPauseStep, stepText(c, f) + ": " + message}, true
}

// patienceText says until when the current step waits for somebody, and what happens then.
func patienceText(c cursor, f facts) string {
	step, _ := c.current(f)
	timeout, then, bounded := step.patience()
	if !bounded {
		return ""
	}
	if _, over := timedOut(c, f); over {
		return fmt.Sprintf("; nobody came within %s", timeout)
	}
	return fmt.Sprintf(", at the latest at %s, then %s", clockTime(c.since, c.since.Add(timeout)), then)
}

// clockTime names the end of a wait, with its day unless that is the one on which it began.
func clockTime(began, end time.Time) string {
	if began.UTC().Format(time.DateOnly) == end.UTC().Format(time.DateOnly) {
		return end.UTC().Format(time.TimeOnly + " MST")
	}
	return end.UTC().Format(time.DateTime + " MST")
}

func approveGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Approve == nil {
		return hold{}, false
	}
	return hold{v1alpha1.PhasePaused, v1alpha1.ReasonApproval, stepText(c, f) + ": waiting for a named person to promote" + patienceText(c, f)}, true
}

func jobGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Job == nil {
		return hold{}, false
	}
	return waits(v1alpha1.ReasonJobRunning, "%s: waiting for Job %s to succeed%s", stepText(c, f), jobName(c, f), patienceText(c, f)), true
}

func permissionGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Gate == nil {
		return hold{}, false
	}
	answer := "not asked yet"
	if a, asked := gateAnswer(c, f); asked {
		answer = "last answer: " + a.Message
	}
	return hold{v1alpha1.PhaseHolding, v1alpha1.ReasonGateClosed,
		fmt.Sprintf("%s: waiting for permission (%s)%s; promote goes on without", stepText(c, f), answer, patienceText(c, f))}, true
}

func analyzeGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Analyze == nil {
		return hold{}, false
	}
	h := waits(v1alpha1.ReasonAnalyzing, "%s: %s", stepText(c, f), awaited)
	a, ok := answer(c, f)
	switch {
	case ok && a.Verdict == v1alpha1.AnalysisRunning && a.Message != "":
		h.message += ": " + a.Message
	case ok && a.Verdict == v1alpha1.AnalysisInconclusive:
		h = hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisInconclusive,
			fmt.Sprintf("%s: %s; promote or abort, or wait for more evidence", stepText(c, f), a.Message)}
	}
	return h, true
}

// awaited is what an analyze step waits for; how far that is follows it.
const awaited = "waiting for the analysis to pass"

// stepText says where the release is.
func stepText(c cursor, f facts) string {
	switch {
	case c.mode(f) == initial:
		return "first revision " + c.canary
	case c.edited:
		return fmt.Sprintf("step %s", c.position(f))
	case c.done(f):
		return "promoting revision " + c.canary
	}
	step, _ := c.current(f)
	text := fmt.Sprintf("step %s: %s", c.position(f), describe(step))
	if f.replicas == 0 {
		text += " (spec.replicas is 0)"
	}
	if deserted(c, f) {
		text += fmt.Sprintf(" (all traffic, as stable %s has no ready pod)", c.stable)
	}
	if unserved(c, f) {
		text += fmt.Sprintf(" (no traffic, as canary %s has no ready pod)", c.canary)
	}
	return text
}

// describe says in a few words what a step is.
func describe(step Step) string {
	switch {
	case step.Name != "":
		return step.Name
	case step.SetWeight != nil:
		return fmt.Sprintf("weight %d %%", *step.SetWeight)
	case step.SetScale != nil:
		return "scale"
	case step.Pause != nil:
		return "pause"
	case step.Job != nil:
		return "job"
	case step.Gate != nil:
		return "gate " + step.Gate.URL
	case step.Approve != nil:
		return "approval"
	case step.Analyze != nil:
		return "analyze"
	}
	return describeBeside(step)
}
