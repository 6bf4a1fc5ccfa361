// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// statusLaws are laws 5, 8 and 9, judged by each status that is stored, against the one before:
//   - 5: within a release the cursor never goes back (cursor, within), and a weight is
//     left behind only when every proxy serves it (served; where no proxy reports, see
//     heeded.go).
//   - 8: what is waited for is said (reasons).
//   - 9: no step is left without the evidence that it asks for (evidence, left).
type statusLaws struct{ *court }

// cursor judges law 5: a release begins at its first step, unless its first steps ask
// for nothing that is not there already.
func (l *statusLaws) cursor(p *pass, old, now *v1alpha1.RolloutStatus) {
	l.checked[5]++
	index := stepOf(*now)
	switch {
	case now.CanaryRevision != "" && now.CanaryRevision == now.StableRevision:
		l.breaks(5, "%s is stable and walks steps", l.w.name(now.StableRevision))
	case old.Release == now.Release:
		l.within(p, old, now)
	case index > 0 && p.read.replicas() > 0 && asks(p.read.rollout, index, l.carried(p, now)):
		l.breaks(5, "a new release begins at step %d", index+1)
	}
}

// within judges law 5 within one release.
func (l *statusLaws) within(p *pass, old, now *v1alpha1.RolloutStatus) {
	from, to := stepOf(*old), stepOf(*now)
	switch {
	case old.CanaryRevision != "" && old.CanaryRevision != now.CanaryRevision && now.CanaryRevision != "":
		l.breaks(5, "%s takes the place of %s within one release", l.w.name(now.CanaryRevision), l.w.name(old.CanaryRevision))
	case to >= 0 && to < from:
		l.breaks(5, "the cursor goes back from step %d to %d within a release", from+1, to+1)
	case from >= 0 && to > from && command(old) == command(now):
		l.served(p, from, to)
	}
}

// served judges the other half of law 5, the cursor moves on facts: a weight is left
// behind only when every proxy serves it.
func (l *statusLaws) served(p *pass, from, to int32) {
	if l.harmed || meansOf(p.read.rollout) != byRoute || dynamic(p.read.rollout) || p.read.replicas() == 0 || plan.Rebinding(p.read.rollout) {
		return
	}
	steps := plan.Steps(p.read.rollout.Spec)
	canary, baseline := asked(steps[min(int(from), len(steps)):min(int(to), len(steps))])
	for n := range l.w.plane.proxies {
		for _, s := range l.w.plane.proxies[n].split {
			if canary != nil && s.Canary != *canary {
				l.breaks(5, "step %d asks for %d %% and is left although proxy %d sends %d %%", from+1, *canary, n, s.Canary)
			}
			if baseline != nil && s.Baseline != baseline.Weight {
				l.breaks(5, "step %d asks for a baseline at %d %% and is left although proxy %d sends it %d %%", from+1, baseline.Weight, n, s.Baseline)
			}
		}
	}
}

// asked is what some steps leave behind; nil for what none of them is about.
func asked(steps []plan.Step) (canary *int32, baseline *v1alpha1.Baseline) {
	for _, s := range steps {
		switch {
		case s.SetWeight != nil:
			canary = s.SetWeight
		case s.Baseline != nil:
			baseline = s.Baseline
		}
	}
	return canary, baseline
}

// carried reports whether a new canary gets traffic already, as one that was wanted a
// moment ago: by the routes, by the active Service, or by its pods where these are the
// split. Then the weights of its first steps are reached at once.
func (l *statusLaws) carried(p *pass, now *v1alpha1.RolloutStatus) bool {
	switch meansOf(p.read.rollout) {
	case byReplicas:
		r, _ := p.read.set(now.CanaryRevision)
		return r.Available > 0
	case bySelector:
		svc := p.read.services[stableService]
		return svc != nil && svc.Selects == now.CanaryRevision && svc.Ready[now.CanaryRevision] > 0
	case byRoute:
	}
	svc := p.read.services[canaryService]
	return svc != nil && svc.Selects == now.CanaryRevision && requested(l.w, canaryService) > 0
}

// asks reports whether any step before index asks for anything.
func asks(ro *v1alpha1.Rollout, index int32, carried bool) bool {
	steps := plan.Steps(ro.Spec)
	if int(index) == len(steps) && ro.Spec.RollbackWindow != nil {
		return false
	}
	for _, s := range steps[:min(int(index), len(steps))] {
		if waits(s) || !carried && moves(s) {
			return true
		}
	}
	return false
}

// waits reports whether a step takes time whatever the cluster looks like.
func waits(s plan.Step) bool {
	return s.SetWeight == nil && s.SetScale == nil && s.Mirror == nil && s.MatchRoute == nil && s.Baseline == nil
}

// moves reports whether a step asks for a share. A baseline is not asked for
// while the canary carries everything for a stable revision that has no pods.
func moves(s plan.Step) bool {
	return s.SetWeight != nil && *s.SetWeight > 0 || s.Baseline != nil && s.Baseline.Replicas > 0
}

// reasons judges law 8: whatever is waited for is said.
func (l *statusLaws) reasons(now *v1alpha1.RolloutStatus) {
	l.checked[8]++
	ready := apimeta.FindStatusCondition(now.Conditions, v1alpha1.ConditionReady)
	switch {
	case now.Message == "":
		l.breaks(8, "phase %s without a message", now.Phase)
	case ready != nil && ready.Reason == "":
		l.breaks(8, "condition Ready without a reason")
	}
}

// evidence judges law 9: each step that a pass has left had the evidence that it asks for.
func (l *statusLaws) evidence(p *pass, old, now *v1alpha1.RolloutStatus) {
	from, to := stepOf(*old), stepOf(*now)
	if old.Release != now.Release || from < 0 || to <= from || p.read.replicas() == 0 || command(old) != command(now) || now.AnalysisSkipped != nil ||
		len(plan.Analyses(p.read.rollout.Spec)) == 0 {
		return
	}
	l.checked[9]++
	steps := plan.Steps(p.read.rollout.Spec)
	for step := from; step < to && int(step) < len(steps); step++ {
		l.left(p, step, steps[step])
	}
}

// left judges one step that the cursor has left, by the run that speaks at it.
// The run that spoke before need not be that one: a person who edits a
// blue-green strategy under way may put the cursor at a step before the switch
// again, of which the post-promotion run says nothing.
func (l *statusLaws) left(p *pass, index int32, step plan.Step) {
	i := p.read.run(step.Run(p.read.rollout.Name, p.plan.Status.Release))
	if step.Analyze != nil && (i < 0 || !answered(&p.read.runs[i], index) && !promotesUnproven(step, &p.read.runs[i])) {
		l.breaks(9, "the analyze step %d is left without a passed answer to it", index+1)
	}
	if i < 0 || !step.Judged(p.read.rollout.Spec) {
		return // a person took the analysis out of the spec: its run was stopped, and nothing is asked any more
	}
	run := p.read.runs[i]
	if phase := run.Status.Phase; phase == v1alpha1.AnalysisError || phase == v1alpha1.AnalysisTerminated || phase == v1alpha1.AnalysisFailed {
		l.breaks(9, "the cursor moves on although the AnalysisRun is %s", phase)
	}
	for _, m := range run.Status.Metrics {
		if m.Verdict == v1alpha1.MetricNoData {
			l.breaks(9, "the cursor moves on although metric %s has no data", m.Name)
		}
	}
}

func answered(run *v1alpha1.AnalysisRun, step int32) bool {
	a := run.Status.Answer
	return a != nil && a.Step == step && a.Verdict == v1alpha1.AnalysisPassed && !run.Spec.Stop &&
		run.Status.ObservedGeneration == run.Generation
}

func promotesUnproven(s plan.Step, run *v1alpha1.AnalysisRun) bool {
	return s.Analyze.OnInconclusive == v1alpha1.OnInconclusivePromote && run.Status.Answer != nil &&
		run.Status.Answer.Verdict == v1alpha1.AnalysisInconclusive
}

func command(s *v1alpha1.RolloutStatus) string {
	if s.LastCommand == nil {
		return ""
	}
	return s.LastCommand.ID
}
