// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// recorder builds every event of this controller. Events follow what has
// happened: a stored status, or an action carried out.
type recorder struct{ events events.EventRecorder }

// about names the Rollout twice: as people look for it, and with what of it an
// event tells. The client counts events in one whose reason and objects are the
// same, whatever their words are: so the related object is one for each thing to
// tell. It must not be the other one, whose field path people are shown. Neither
// has the Rollout's version, which would tell apart what is the same.
func about(ro *v1alpha1.Rollout, told ...string) (regarding, related runtime.Object) {
	sum := fnv.New32a()
	for _, t := range told {
		_, _ = sum.Write([]byte(t + "\x00"))
	}
	shown := corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Rollout", Namespace: ro.Namespace, Name: ro.Name, UID: ro.UID}
	part := shown
	part.FieldPath = fmt.Sprintf("status{%08x}", sum.Sum32())
	return &shown, &part
}

// news is something to tell.
type news struct {
	kind, reason, action, words string
	// same is what it has in common with what is counted as the same. Default: the words.
	same string
}

// tell sends an event. The release tells those of one from those of the next.
func (r recorder) tell(ro *v1alpha1.Rollout, release int64, n news) {
	regarding, related := about(ro, strconv.FormatInt(release, 10), cmp.Or(n.same, n.words))
	r.events.Eventf(regarding, related, n.kind, n.reason, n.action, "%s", clip(n.words))
}

// transition tells of what a new status changes: releases that begin, end, are
// aborted or held, and commands.
func (r recorder) transition(ro *v1alpha1.Rollout, now v1alpha1.RolloutStatus) {
	old := ro.Status
	if now.Release > old.Release {
		r.tell(ro, now.Release, news{
			kind: corev1.EventTypeNormal, reason: "ReleaseStarted", action: "Release",
			words: fmt.Sprintf("revision %s is in flight, stable is %s", now.CanaryRevision, orNone(now.StableRevision)),
		})
	}
	if o, ended := latestOutcome(old, now); ended {
		r.tell(ro, now.Release, outcome(o, now.Abort))
	}
	if n, held := holding(old, now); held {
		r.tell(ro, now.Release, n)
	}
	if c := now.LastCommand; c != nil && (old.LastCommand == nil || old.LastCommand.ID != c.ID) {
		r.tell(ro, now.Release, command(c))
	}
}

// holding tells of what begins to hold a release, once for each step and reason:
// the numbers in the words of an analysis change with every block.
func holding(old, now v1alpha1.RolloutStatus) (news, bool) {
	reason := readyReason(now)
	held := now.Phase == v1alpha1.PhaseHolding || now.Phase == v1alpha1.PhasePending && reason == v1alpha1.ReasonInvalid
	if !held || old.Phase == now.Phase && readyReason(old) == reason {
		return news{}, false
	}
	n := news{kind: corev1.EventTypeWarning, reason: string(now.Phase), action: "Hold", words: now.Message}
	if now.CurrentStep != nil && reason != v1alpha1.ReasonInvalid {
		n.same = now.CurrentStep.Position + " " + reason
	}
	if reason == v1alpha1.ReasonGateClosed { // whoever is asked takes the time that it takes
		n.kind = corev1.EventTypeNormal
	}
	return n, true
}

// readyReason is the reason that a status gives for where it is.
func readyReason(s v1alpha1.RolloutStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
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

func outcome(o v1alpha1.Outcome, abort *v1alpha1.AbortStatus) news {
	if o.Cause == v1alpha1.CauseAborted && abort != nil {
		return news{kind: corev1.EventTypeWarning, reason: abort.Reason, action: "Abort", words: fmt.Sprintf("revision %s aborted: %s", o.Revision, abort.Message)}
	}
	return news{kind: corev1.EventTypeNormal, reason: string(o.Cause), action: "Release", words: fmt.Sprintf("revision %s: %s", o.Revision, o.Cause)}
}

func command(c *v1alpha1.CommandStatus) news {
	n := news{kind: corev1.EventTypeNormal, reason: "CommandAccepted", action: "Command", words: fmt.Sprintf("%s: %s", c.Verb, c.Message), same: c.ID}
	if c.Verb == "" {
		n.words = c.Message
	}
	if c.Result == v1alpha1.CommandRefused {
		n.kind, n.reason = corev1.EventTypeWarning, "CommandRefused"
	}
	return n
}

// action tells of the effects that users look for; the others are in the log.
func (r recorder) action(ro *v1alpha1.Rollout, a plan.Action) {
	if n, told := effect(a); told {
		r.tell(ro, ro.Status.Release, n)
	}
}

func effect(a plan.Action) (news, bool) {
	n := news{kind: corev1.EventTypeNormal, words: fmt.Sprintf("%s: %s", a, a.Why())}
	switch a := a.(type) {
	case plan.ShiftTraffic:
		n.reason, n.action = "TrafficShifted", "ShiftTraffic"
		if a.Drift { // always the same words, so that the API server counts one event instead of storing many
			n.kind, n.reason = corev1.EventTypeWarning, "RouteDrift"
			n.words = "somebody else changed the split of the routes; it was put right. If a GitOps tool did, give it the ignore rules of docs/guide/gitops.md"
		}
		return n, a.Drift || !a.Unseen
	case plan.RedirectRun:
		n.reason, n.action = "AnalysisRedirected", "RedirectRun"
		return n, true
	case plan.SelectRevision:
		n.kind, n.reason, n.action = corev1.EventTypeWarning, "ServiceDrift", "SelectRevision"
		n.words = fmt.Sprintf("somebody else changed the selector of Service %s; it was put right. Its %s says which revision gets its traffic: leave that to the Rollout, and if a GitOps tool changed it, see docs/guide/gitops.md",
			a.Service, v1alpha1.RevisionLabel)
		return n, a.Drift
	case plan.ScaleRevision:
		n.kind, n.reason, n.action = corev1.EventTypeWarning, "RevisionDrift", "ScaleRevision"
		n.words = fmt.Sprintf("somebody else scaled ReplicaSet %s; it was scaled back to %d. Scale the Rollout instead", a.Name, a.Replicas)
		return n, a.Drift
	case plan.CopyConfig:
		n.kind, n.reason, n.action = corev1.EventTypeWarning, "ConfigDrift", "CopyConfig"
		n.words = fmt.Sprintf("somebody else deleted %s %s, from which pods read their configuration; it was made again", a.Copy.From.Kind, a.Copy.Name)
		return n, true
	case plan.ScaleWorkload:
		n.reason, n.action = "WorkloadScaled", "ScaleWorkload"
		n.words, n.same = scaledWorkload(a), a.Name+strconv.FormatBool(a.Replicas < a.From)
		if a.Drift {
			n.kind, n.reason = corev1.EventTypeWarning, "WorkloadDrift"
			n.words = fmt.Sprintf("somebody else scaled Deployment %s up, whose traffic the Rollout's own pods carry; it was scaled back. Scale the Rollout instead, have autoscalers name it, and leave replicas out of the Deployment's manifest", a.Name)
		}
		return n, a.Replicas != a.From
	}
	return news{}, false
}

// scaledWorkload says why the referenced workload is scaled. A large one is
// scaled in many steps, which one event counts.
func scaledWorkload(a plan.ScaleWorkload) string {
	if a.Replicas < a.From {
		return fmt.Sprintf("Deployment %s is scaled down as pods of the Rollout take its traffic over; from now on scale the Rollout", a.Name)
	}
	return fmt.Sprintf("Deployment %s is scaled up to %d replicas: %s", a.Name, a.Replicas, a.Why())
}

func (r recorder) failure(ro *v1alpha1.Rollout, err error) {
	what, _, _ := strings.Cut(err.Error(), ": ")
	r.tell(ro, ro.Status.Release, news{kind: corev1.EventTypeWarning, reason: v1alpha1.ReasonApplyFailed, action: "Apply", words: err.Error(), same: what})
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
