// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// recorder builds every event of this controller. Events follow what has
// happened: a stored status, or an action carried out.
type recorder struct{ events events.EventRecorder }

func (r recorder) normal(ro runtime.Object, reason, action, message string) {
	r.events.Eventf(ro, nil, corev1.EventTypeNormal, reason, action, "%s", clip(message))
}

func (r recorder) warning(ro runtime.Object, reason, action, message string) {
	r.events.Eventf(ro, nil, corev1.EventTypeWarning, reason, action, "%s", clip(message))
}

// transition tells of what a new status changes: releases that begin, end, are
// aborted or held, and commands.
func (r recorder) transition(ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus) {
	old := ro.Status
	if now.Release > old.Release {
		r.normal(ro, "ReleaseStarted", "Release", fmt.Sprintf("revision %s is in flight, stable is %s", now.CanaryRevision, orNone(now.StableRevision)))
	}
	if now.Abort != nil && now.Abort.Reason != v1alpha1.ReasonRollingBack && (old.Abort == nil || old.Abort.Revision != now.Abort.Revision || !old.Abort.At.Equal(&now.Abort.At)) {
		r.warning(ro, now.Abort.Reason, "Abort", fmt.Sprintf("revision %s aborted: %s", now.Abort.Revision, now.Abort.Message))
	}
	if len(now.History) > 0 && (len(old.History) == 0 || old.History[0].EndedAt != now.History[0].EndedAt) && now.History[0].Cause != v1alpha1.CauseAborted {
		r.normal(ro, string(now.History[0].Cause), "Release", fmt.Sprintf("revision %s: %s", now.History[0].Revision, now.History[0].Cause))
	}
	if now.Phase != old.Phase && (now.Phase == v1alpha1.PhaseHolding || now.Phase == v1alpha1.PhasePending) {
		r.warning(ro, string(now.Phase), "Hold", now.Message)
	}
	if c := now.LastCommand; c != nil && (old.LastCommand == nil || old.LastCommand.ID != c.ID) {
		r.command(ro, c)
	}
}

func (r recorder) command(ro *v1alpha1.Rollout, c *v1alpha1.CommandStatus) {
	text := fmt.Sprintf("%s: %s", c.Verb, c.Message)
	if c.Result == v1alpha1.CommandRefused {
		r.warning(ro, "CommandRefused", "Command", text)
		return
	}
	r.normal(ro, "CommandAccepted", "Command", text)
}

// action tells of the effects that users look for; the others are in the log.
func (r recorder) action(ro *v1alpha1.Rollout, a plan.Action) {
	switch a := a.(type) {
	case plan.ShiftTraffic:
		r.normal(ro, "TrafficShifted", "ShiftTraffic", fmt.Sprintf("%s: %s", a, a.Why()))
	case plan.ScaleWorkload:
		r.normal(ro, "WorkloadScaled", "ScaleWorkload", fmt.Sprintf("%s: %s", a, a.Why()))
	}
}

func (r recorder) failure(ro *v1alpha1.Rollout, err error) {
	r.warning(ro, v1alpha1.ReasonApplyFailed, "Apply", err.Error())
}

// clip keeps within the API's limit for a note.
func clip(s string) string {
	const limit = 1024
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

func orNone(s string) string {
	if s == "" {
		return "none yet"
	}
	return s
}
