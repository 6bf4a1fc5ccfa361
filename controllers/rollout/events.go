// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// recorder builds every event of this controller. Events follow what has
// happened: a stored status, or an action carried out.
type recorder struct{ events events.EventRecorder }

// about names the Rollout without its version, which would keep the API
// server's client from counting equal events in one.
func about(ro *v1alpha1.Rollout) runtime.Object {
	return &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: ro.Namespace, Name: ro.Name, UID: ro.UID}}
}

func (r recorder) normal(ro *v1alpha1.Rollout, reason, action, message string) {
	r.events.Eventf(about(ro), nil, corev1.EventTypeNormal, reason, action, "%s", clip(message))
}

func (r recorder) warning(ro *v1alpha1.Rollout, reason, action, message string) {
	r.events.Eventf(about(ro), nil, corev1.EventTypeWarning, reason, action, "%s", clip(message))
}

// transition tells of what a new status changes: releases that begin, end, are
// aborted or held, and commands.
func (r recorder) transition(ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus) {
	old := ro.Status
	if now.Release > old.Release {
		r.normal(ro, "ReleaseStarted", "Release", fmt.Sprintf("revision %s is in flight, stable is %s", now.CanaryRevision, orNone(now.StableRevision)))
	}
	if o, ended := latestOutcome(old, now); ended {
		r.outcome(ro, o, now.Abort)
	}
	if now.Phase != old.Phase && (now.Phase == v1alpha1.PhaseHolding || now.Phase == v1alpha1.PhasePending) {
		r.warning(ro, string(now.Phase), "Hold", now.Message)
	}
	if c := now.LastCommand; c != nil && (old.LastCommand == nil || old.LastCommand.ID != c.ID) {
		r.command(ro, c)
	}
}

// latestOutcome gives the outcome that the new status adds, if it does.
func latestOutcome(old, now v1alpha1.RolloutStatus) (v1alpha1.Outcome, bool) {
	if len(now.History) == 0 {
		return v1alpha1.Outcome{}, false
	}
	latest := now.History[0]
	same := len(old.History) > 0 && old.History[0].Revision == latest.Revision && old.History[0].EndedAt.Equal(&latest.EndedAt)
	return latest, !same
}

func (r recorder) outcome(ro *v1alpha1.Rollout, o v1alpha1.Outcome, abort *v1alpha1.AbortStatus) {
	if o.Cause == v1alpha1.CauseAborted && abort != nil {
		r.warning(ro, abort.Reason, "Abort", fmt.Sprintf("revision %s aborted: %s", o.Revision, abort.Message))
		return
	}
	r.normal(ro, string(o.Cause), "Release", fmt.Sprintf("revision %s: %s", o.Revision, o.Cause))
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
		if a.Drift { // always the same words, so that the API server counts one event instead of storing many
			r.warning(ro, "RouteDrift", "ShiftTraffic", "somebody else changed the split of the routes; it was put right. If a GitOps tool did, give it the ignore rules of docs/guide/gitops.md")
			return
		}
		r.normal(ro, "TrafficShifted", "ShiftTraffic", fmt.Sprintf("%s: %s", a, a.Why()))
	case plan.RedirectRun:
		r.normal(ro, "AnalysisRedirected", "RedirectRun", fmt.Sprintf("%s: %s", a, a.Why()))
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
