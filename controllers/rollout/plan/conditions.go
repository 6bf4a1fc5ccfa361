// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// setter gives one condition; false means that it should be absent.
type setter func(cursor, facts, hold) (metav1.Condition, bool)

// setters lists every condition of a Rollout, one function each.
var setters = []setter{ready, reconciling, stalled, progressing, paused, available, converged, analysisHealthy, trafficSuffices, specValid, configurationKept}

// conditions brings the conditions of the pass before up to date. Times change only with the status of a condition.
func conditions(c cursor, f facts, h hold) []metav1.Condition {
	old := f.Rollout.Status.Conditions
	all := make([]metav1.Condition, 0, len(setters)+1)
	if applied := meta.FindStatusCondition(old, v1alpha1.ConditionApplied); applied != nil {
		all = append(all, *applied) // the shell's own
	}
	for _, set := range setters {
		condition, present := set(c, f, h)
		if !present {
			continue
		}
		condition.ObservedGeneration = f.Rollout.Generation
		condition.LastTransitionTime = stamped(f.Now)
		if before := meta.FindStatusCondition(old, condition.Type); before != nil && before.Status == condition.Status {
			condition.LastTransitionTime = before.LastTransitionTime
		}
		all = append(all, condition)
	}
	slices.SortFunc(all, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return all
}

func condition(kind string, is bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// ready is the summary: the wanted revision carries all traffic.
func ready(_ cursor, _ facts, h hold) (metav1.Condition, bool) {
	return condition(v1alpha1.ConditionReady, h.phase == v1alpha1.PhaseHealthy, h.reason, h.message), true
}

func reconciling(_ cursor, _ facts, h hold) (metav1.Condition, bool) {
	under := h.phase != v1alpha1.PhaseHealthy && h.phase != v1alpha1.PhaseDegraded && h.reason != v1alpha1.ReasonInvalid
	return condition(v1alpha1.ConditionReconciling, true, h.reason, h.message), under
}

func stalled(_ cursor, _ facts, h hold) (metav1.Condition, bool) {
	stuck := h.phase == v1alpha1.PhaseDegraded || h.reason == v1alpha1.ReasonInvalid
	return condition(v1alpha1.ConditionStalled, true, h.reason, h.message), stuck
}

func progressing(c cursor, f facts, h hold) (metav1.Condition, bool) {
	m := c.mode(f)
	return condition(v1alpha1.ConditionProgressing, (m == forward || m == initial) && h.phase != v1alpha1.PhaseDegraded, h.reason, h.message), true
}

func paused(_ cursor, _ facts, h hold) (metav1.Condition, bool) {
	if h.phase != v1alpha1.PhasePaused {
		return condition(v1alpha1.ConditionPaused, false, v1alpha1.ReasonProgressing, "no pause holds the release"), true
	}
	return condition(v1alpha1.ConditionPaused, true, h.reason, h.message), true
}

func available(c cursor, f facts, _ hold) (metav1.Condition, bool) {
	var carried []string
	ok := true
	for _, r := range allRevisions(f) {
		share, serving := servedShare(c, f, r.Hash)
		if !serving {
			continue
		}
		n := f.need(share)
		carried = append(carried, r.Hash+" "+digits(r.Available)+" available for "+digits(share)+" % (needs "+digits(n)+")")
		ok = ok && r.Available >= n
	}
	if len(carried) == 0 {
		return condition(v1alpha1.ConditionAvailable, false, v1alpha1.ReasonWaitingForPods, "no revision carries traffic yet"), true
	}
	reason := v1alpha1.ReasonAvailable
	if !ok {
		reason = v1alpha1.ReasonWaitingForPods
	}
	return condition(v1alpha1.ConditionAvailable, ok, reason, strings.Join(carried, "; ")), true
}

// digits is a number in words that are put together at every look.
func digits(n int32) string { return strconv.FormatInt(int64(n), 10) }

// servedShare is the share that a revision with a role carries now, in percent.
func servedShare(c cursor, f facts, hash string) (share int32, serving bool) {
	if role(c, hash) == v1alpha1.RoleRetired || f.means != byReplicas && !f.exposed(hash) {
		return 0, false
	}
	switch f.means {
	case bySelector:
		if f.StableService.Selects == hash {
			share = 100
		}
	case byReplicas:
		for _, w := range podWeights(c, f) {
			if w.Revision == hash {
				share = w.Weight
			}
		}
		return share, share > 0
	case byRoute:
		for _, s := range f.Traffic.Requested {
			share = max(share, shareOf(f, s, hash))
		}
	}
	return share, true
}

func converged(c cursor, f facts, _ hold) (metav1.Condition, bool) {
	ok := f.settled() && f.sight != contradicting && len(f.Traffic.Requested) == 1 && len(f.Traffic.Confirmed) == 1
	switch f.means {
	case byRoute:
	case bySelector:
		ok = f.serves(traffic.Stable, f.StableService.Selects, 1)
	case byReplicas:
		_, missing := podsMissing(c, f)
		ok = c.canary == "" || !missing
	}
	reason := v1alpha1.ReasonConverged
	if !ok {
		reason = v1alpha1.ReasonWaitingForTraffic
	}
	return condition(v1alpha1.ConditionTrafficConverged, ok, reason, trafficText(f)), true
}

func analysisHealthy(c cursor, f facts, _ hold) (metav1.Condition, bool) {
	if c.aborted() && (c.abort.Reason == v1alpha1.ReasonAnalysisFailed || c.abort.Reason == v1alpha1.ReasonAnalysisInconclusive) {
		return condition(v1alpha1.ConditionAnalysisHealthy, false, c.abort.Reason, c.abort.Message), true
	}
	if c.mode(f) != forward || runAt(c, f) == nil {
		return condition(v1alpha1.ConditionAnalysisHealthy, true, v1alpha1.ReasonAnalysisNotRunning, "no analysis is under way"), len(f.strategy.analyses) > 0
	}
	if h, held := analysisHold(c, f); held && h.reason != v1alpha1.ReasonAnalyzing {
		return condition(v1alpha1.ConditionAnalysisHealthy, false, h.reason, h.message), true
	}
	return condition(v1alpha1.ConditionAnalysisHealthy, true, v1alpha1.ReasonAnalysisPassing, "no metric is out of bounds"+unfollowed(c, f)), true
}

// trafficSuffices is a warning: the current question can't be answered in time.
func trafficSuffices(c cursor, f facts, _ hold) (metav1.Condition, bool) {
	if c.mode(f) != forward || c.skipped != nil {
		return metav1.Condition{}, false
	}
	a, ok := answer(c, f)
	step, walking := c.current(f)
	return condition(v1alpha1.ConditionTrafficSuffices, false, v1alpha1.ReasonTooLittleTraffic, a.Warning),
		ok && walking && step.Analyze != nil && a.Warning != ""
}

func specValid(_ cursor, f facts, _ hold) (metav1.Condition, bool) {
	if len(f.Problems) == 0 {
		return condition(v1alpha1.ConditionSpecValid, true, v1alpha1.ReasonValid, "the spec and all objects it refers to are in order"), true
	}
	texts := make([]string, len(f.Problems))
	for i, p := range f.Problems {
		texts[i] = fmt.Sprintf("%s: %s", p.Field, p.Message)
	}
	return condition(v1alpha1.ConditionSpecValid, false, v1alpha1.ReasonInvalid, strings.Join(texts, "; ")), true
}
