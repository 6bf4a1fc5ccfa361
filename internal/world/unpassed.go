// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// unpassedLaw is the part of law 9 that edits of the steps could break: a step that waits
// for a person is left, or given more than it was reached with, only by a person's word.
// The law remembers what the step was when the cursor came to it, whatever the spec
// says of it by now.
type unpassedLaw struct {
	*court
	release int64
	step    int32
	since   time.Time
	// agreed is the promote that was accepted last, in full or by a step: it may stand for an edit.
	agreed string
	// person: it waits for one, and nothing but one ends it.
	person bool
	// weight is the share that the steps as far as this one asked for.
	weight int32
}

// left judges a stored status against the one before, and remembers where it is.
func (l *unpassedLaw) left(p *pass, old, now *v1alpha1.RolloutStatus) {
	if l.waits(old) && old.Release == now.Release && byItself(old, now) {
		l.checked[9]++
		l.breaks(9, "step %d, which waits for a person, is left without one", l.step+1)
	}
	at, agreed := now.CurrentStep, agreedBy(now, l.agreed)
	if at == nil || l.release == now.Release && l.step == at.Index && l.since.Equal(at.Since.Time) && l.agreed == agreed {
		return
	}
	l.release, l.step, l.since, l.agreed, l.person, l.weight = now.Release, at.Index, at.Since.Time, agreed, false, 0
	steps := plan.Steps(p.read.rollout.Spec)
	if int(at.Index) >= len(steps) {
		return
	}
	l.person = needsPerson(steps[at.Index])
	if canary, _ := asked(steps[:at.Index+1]); canary != nil {
		l.weight = *canary
	}
}

// agreedBy is the promote that was accepted last, as far as a status tells of another than before.
func agreedBy(s *v1alpha1.RolloutStatus, before string) string {
	cmd := s.LastCommand
	if cmd != nil && (cmd.Verb == v1alpha1.VerbPromote || cmd.Verb == v1alpha1.VerbPromoteFull) && cmd.Result == v1alpha1.CommandAccepted {
		return cmd.ID
	}
	return before
}

// waits reports whether a status is at a step that waits for a person and nobody else.
func (l *unpassedLaw) waits(s *v1alpha1.RolloutStatus) bool {
	return l.person && s.CurrentStep != nil && s.Release == l.release && s.CurrentStep.Index == l.step && s.Abort == nil
}

// rises judges a share that the canary is about to be given while a person is waited
// for: not more than the steps had asked for when that began, as long as stable can serve
// the rest.
func (l *unpassedLaw) rises(p *pass, share int32) {
	status := &p.plan.Status
	if !l.waits(status) || !l.since.Equal(status.CurrentStep.Since.Time) || share <= l.weight || share <= l.w.laws.writing.least(canaryService) {
		return
	}
	if svc := p.read.services[canaryService]; svc == nil || !sendsTo(svc, status.CanaryRevision) {
		return // whoever that share reaches, it is not the revision that waits
	}
	l.checked[9]++
	r, _ := p.read.set(status.StableRevision)
	if serves := min(r.Ready, noticed(p, stableService)); serves > 0 && serves >= p.read.need(100-l.weight) {
		l.breaks(9, "gives the canary %d %% at step %d, which waits for a person since %d %%", share, l.step+1, l.weight)
	}
}

// needsPerson: nothing but a person's word ends the step.
func needsPerson(s plan.Step) bool {
	switch {
	case s.Pause != nil:
		return s.Pause.For == nil && (s.Pause.Timeout == nil || s.Pause.OnTimeout != v1alpha1.OnTimeoutPromote)
	case s.Approve != nil:
		return s.Approve.Timeout == nil || s.Approve.OnTimeout != v1alpha1.OnTimeoutPromote
	}
	return false
}

// sendsTo reports whether a Service stands for a revision, or lists a ready endpoint of it.
func sendsTo(svc *plan.Service, hash string) bool { return svc.Selects == hash || svc.Ready[hash] > 0 }
