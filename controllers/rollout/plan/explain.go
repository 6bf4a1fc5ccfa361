// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// hold is why a release is where it is: one word for machines, one for people
// and a sentence with the numbers.
type hold struct {
	phase   v1alpha1.RolloutPhase
	reason  string
	message string
}

// gate says what holds a release, if it does.
type gate func(cursor, facts) (hold, bool)

// gates are asked in this order; the first that holds speaks.
var gates = []gate{problemGate, resultGate, returnGate, pausedGate, overdueGate, clusterGate, analysisGate, pauseGate, analyzeGate}

// explain gives the one sentence that says what is happening and what is waited for.
func explain(c cursor, f facts) hold {
	for _, g := range gates {
		if h, held := g(c, f); held {
			return h
		}
	}
	return hold{v1alpha1.PhaseProgressing, v1alpha1.ReasonProgressing, stepText(c, f) + ": going on"}
}

func problemGate(c cursor, f facts) (hold, bool) {
	if len(f.Problems) == 0 || c.mode(f) == returning {
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
	r := f.revisions[c.stable]
	switch {
	case c.stable == "":
		return hold{v1alpha1.PhasePending, v1alpha1.ReasonProgressing, "waiting for a pod template"}, true
	case f.Rollout.Spec.Paused && f.Target != c.stable && f.Target != "":
		return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPausedBySpec, fmt.Sprintf("spec.paused holds revision %s back; set it to false to release", f.Target)}, true
	case r.Available < f.replicas:
		return hold{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForPods, fmt.Sprintf("revision %s carries all traffic: %s", c.stable, pods(r, f.replicas))}, true
	case !onStable(c, f):
		return hold{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForTraffic, "returning all traffic to stable: " + trafficText(f)}, true
	}
	return hold{v1alpha1.PhaseHealthy, v1alpha1.ReasonPromoted, fmt.Sprintf("revision %s carries all traffic with %d pods", c.stable, f.replicas)}, true
}

func returnGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) != returning {
		return hold{}, false
	}
	if c.rollingBack() || !c.aborted() {
		return hold{v1alpha1.PhaseRollingBack, v1alpha1.ReasonRollingBack,
			fmt.Sprintf("rolling back from %s to %s: %s", c.canary, c.stable, trafficText(f))}, true
	}
	if !onStable(c, f) {
		return hold{v1alpha1.PhaseAborting, v1alpha1.ReasonAborting,
			fmt.Sprintf("returning all traffic to %s: %s; aborted because: %s", c.stable, returnText(c, f), c.abort.Message)}, true
	}
	return hold{v1alpha1.PhaseDegraded, v1alpha1.ReasonAborted,
		fmt.Sprintf("revision %s was aborted, %s carries all traffic; change the template to release again. Aborted because: %s", c.canary, c.stable, c.abort.Message)}, true
}

func returnText(c cursor, f facts) string {
	if f.StableService.ready() == 0 && f.CanaryService.ready() > 0 {
		return fmt.Sprintf("waiting for a ready endpoint of Service %s, %s", f.StableService.Name, pods(f.revisions[c.stable], f.replicas))
	}
	return trafficText(f)
}

func pausedGate(c cursor, f facts) (hold, bool) {
	if !f.Rollout.Spec.Paused {
		return hold{}, false
	}
	return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPausedBySpec, stepText(c, f) + ": held by spec.paused; set it to false to go on"}, true
}

// overdueGate speaks where the deadline can't abort: nothing to return to, or onDeadline Degrade.
func overdueGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) == initial && f.Now.After(c.since.Add(f.deadline())) || c.mode(f) == forward && overdue(c, f) {
		w := waitingFor(c, f)
		return hold{v1alpha1.PhaseDegraded, v1alpha1.ReasonDeadlineExceeded,
			fmt.Sprintf("%s: for longer than progressDeadlineSeconds (%s), %s", stepText(c, f), f.deadline(), w.message)}, true
	}
	return hold{}, false
}

func clusterGate(c cursor, f facts) (hold, bool) {
	if c.mode(f) == forward && !waitsForCluster(c, f) {
		return hold{}, false
	}
	h := waitingFor(c, f)
	h.message = stepText(c, f) + ": " + h.message
	return h, true
}

func analysisGate(c cursor, f facts) (hold, bool) {
	h, held := analysisHold(c, f)
	if held {
		h.message = stepText(c, f) + ": " + h.message
	}
	return h, held
}

func pauseGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Pause == nil {
		return hold{}, false
	}
	message := "paused until promoted"
	if step.Pause.For != nil {
		message = fmt.Sprintf("paused for %s until %s", step.Pause.For.Duration, c.since.Add(step.Pause.For.Duration).UTC().Format(time.TimeOnly+" MST"))
	}
	return hold{v1alpha1.PhasePaused, v1alpha1.ReasonPauseStep, stepText(c, f) + ": " + message}, true
}

func analyzeGate(c cursor, f facts) (hold, bool) {
	step, ok := c.current(f)
	if !ok || step.Analyze == nil {
		return hold{}, false
	}
	h := hold{v1alpha1.PhaseProgressing, v1alpha1.ReasonAnalyzing, stepText(c, f) + ": waiting for the analysis to pass"}
	if a, ok := answer(c, f); ok && a.Verdict == v1alpha1.AnalysisInconclusive {
		h = hold{v1alpha1.PhaseHolding, v1alpha1.ReasonAnalysisInconclusive,
			fmt.Sprintf("%s: %s; promote or abort, or wait for more evidence", stepText(c, f), a.Message)}
	}
	return h, true
}

// due is what the cluster owes the current step: n endpoints of the canary
// behind a Service, and a split.
type due struct {
	slot    traffic.Slot
	service Service
	n       int32
	split   traffic.Split
}

func dueFor(c cursor, f facts) due {
	if c.mode(f) == initial || c.promoting(f) && f.StableService.Selects == c.canary {
		return due{traffic.Stable, f.StableService, f.need(100), traffic.CanaryAt(0)}
	}
	weight := c.weight(f)
	return due{traffic.Canary, f.CanaryService, f.need(weight), traffic.CanaryAt(weight)}
}

// waitingFor says what the cluster still owes the current step: pods, then
// endpoints, then the data plane.
func waitingFor(c cursor, f facts) hold {
	d, r := dueFor(c, f), f.revisions[c.canary]
	waits := func(reason, format string, args ...any) hold {
		return hold{v1alpha1.PhaseProgressing, reason, fmt.Sprintf(format, args...)}
	}
	switch {
	case f.Workload != nil && c.mode(f) == initial && r.Replicas < d.n:
		return waits(v1alpha1.ReasonWaitingForPods, "taking over from Deployment %s: %d of %d pods are ours and available", f.Workload.Name, r.Available, d.n)
	case r.Available < d.n:
		return waits(v1alpha1.ReasonWaitingForPods, "waiting for pods: %s", pods(r, d.n))
	case d.n > 0 && !d.service.only(c.canary, d.n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "waiting for Service %s to list %d ready endpoints of %s alone, has %d",
			d.service.Name, d.n, c.canary, d.service.Ready[c.canary])
	case d.n > 0 && !f.Traffic.RequestedAll(d.split) && !f.serves(d.slot, c.canary, d.n):
		return waits(v1alpha1.ReasonWaitingForEndpoints, "%d ready endpoints of %s in Service %s, settling for %s", d.n, c.canary, d.service.Name, f.settle())
	}
	return waitingForTraffic(c, f, d.split)
}

func waitingForTraffic(c cursor, f facts, split traffic.Split) hold {
	h := hold{v1alpha1.PhaseProgressing, v1alpha1.ReasonWaitingForTraffic, trafficText(f)}
	switch {
	case !f.confirmed(split) && f.Now.After(f.shiftedAt.Add(f.convergenceTimeout())):
		h.phase, h.reason = v1alpha1.PhaseHolding, v1alpha1.ReasonTrafficUnconfirmed
		h.message = fmt.Sprintf("%s not confirmed within convergence.timeout (%s): %s", split, f.convergenceTimeout(), h.message)
	case c.promoting(f) && c.mode(f) == forward:
		h.message = "promoting: " + h.message
	}
	return h
}

// trafficText says how far the routes and the data plane are.
func trafficText(f facts) string {
	switch {
	case len(f.Traffic.Requested) == 0:
		return "waiting for the routes to be read"
	case len(f.Traffic.Requested) > 1:
		return "waiting for all routes to carry the same weights"
	case len(f.Traffic.Confirmed) == 0 && f.Traffic.Message != "":
		return f.Traffic.Message
	case len(f.Traffic.Confirmed) == 0:
		return "waiting for the data plane to confirm " + f.Traffic.Requested[0].String()
	case !f.settled():
		return fmt.Sprintf("%s accepted, settling for %s", f.Traffic.Requested[0], f.settle())
	default:
		return f.Traffic.Requested[0].String() + " confirmed"
	}
}

func pods(r Revision, n int32) string {
	return fmt.Sprintf("%d of %d available", r.Available, n)
}

// stepText says where the release is.
func stepText(c cursor, f facts) string {
	switch {
	case c.mode(f) == initial:
		return "first revision " + c.canary
	case c.promoting(f):
		return "promoting revision " + c.canary
	}
	step, _ := c.current(f)
	return fmt.Sprintf("step %s: %s", c.position(f), describe(step))
}

func describe(step v1alpha1.Step) string {
	switch {
	case step.SetWeight != nil:
		return fmt.Sprintf("weight %d %%", *step.SetWeight)
	case step.Pause != nil:
		return "pause"
	default:
		return "analyze"
	}
}
