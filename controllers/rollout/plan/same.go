// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Same reports whether two statuses say the same. It is asked at every look, and most
// parts of a status are the very objects of the one before, so it compares them by hand
// and not by reflection. TestSame fails for a field that is forgotten here.
func Same(a, b *v1alpha1.RolloutStatus) bool {
	return a == b || a.Message == b.Message && a.Summary == b.Summary && sameEssence(a, b) && sameRest(a, b) && slices.EqualFunc(a.Conditions, b.Conditions, sameCondition)
}

// sameEssence compares what has to be told at once, see [Worth].
func sameEssence(a, b *v1alpha1.RolloutStatus) bool {
	return a.Phase == b.Phase && a.StableRevision == b.StableRevision && a.CanaryRevision == b.CanaryRevision && a.Release == b.Release &&
		sameStep(a.CurrentStep, b.CurrentStep) && sameVerdicts(a.Conditions, b.Conditions) && sameTold(a, b) &&
		sameSubject(a, b) && sameDeeds(a, b)
}

// sameSubject compares what the status is about.
func sameSubject(a, b *v1alpha1.RolloutStatus) bool {
	return a.ObservedGeneration == b.ObservedGeneration && a.ObservedTemplate == b.ObservedTemplate &&
		a.Strategy == b.Strategy && a.Image == b.Image && a.Selector == b.Selector
}

// sameDeeds compares what people did, and what was decided: who, what and when.
func sameDeeds(a, b *v1alpha1.RolloutStatus) bool {
	return sameTime(a.StartedAt, b.StartedAt) && sameTime(a.RestartAt, b.RestartAt) && sameTime(a.RestartedAt, b.RestartedAt) &&
		same(a.Abort, b.Abort) && same(a.Bindings, b.Bindings) && same(a.Paused, b.Paused) && same(a.Undo, b.Undo) &&
		same(a.AnalysisSkipped, b.AnalysisSkipped) && same(a.LastCommand, b.LastCommand) &&
		sameAll(a.Approvals, b.Approvals) && sameAll(a.History, b.History) && sameAll(a.OriginalWeights, b.OriginalWeights)
}

// sameRest compares numbers and times that a controller that starts anew would find out again.
func sameRest(a, b *v1alpha1.RolloutStatus) bool {
	return a.Replicas == b.Replicas && a.ReadyReplicas == b.ReadyReplicas && a.UpdatedReplicas == b.UpdatedReplicas &&
		ptr.Equal(a.AvailableSoFar, b.AvailableSoFar) && sameTime(a.WaitingSince, b.WaitingSince) && sameWait(a.CurrentStep, b.CurrentStep) &&
		(a.Analysis == b.Analysis || a.Analysis != nil && b.Analysis != nil && *a.Analysis == *b.Analysis) &&
		sameTraffic(a.Traffic, b.Traffic) && slices.EqualFunc(a.Revisions, b.Revisions, sameRevision)
}

// sameWait compares since when steps wait for the cluster.
func sameWait(a, b *v1alpha1.CurrentStep) bool {
	return a == nil || b == nil || sameTime(a.WaitingSince, b.WaitingSince)
}

// same compares what is nearly always the very same object.
func same[T any](a, b *T) bool { return a == b || equality.Semantic.DeepEqual(a, b) }

func sameAll[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || equality.Semantic.DeepEqual(a, b))
}

func sameTime(a, b *metav1.Time) bool { return a == b || a.Equal(b) }

// sameStep compares where the cursor is; since when it waits is told later.
func sameStep(a, b *v1alpha1.CurrentStep) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Since, y.Since, x.WaitingSince, y.WaitingSince = metav1.Time{}, metav1.Time{}, nil, nil
	return x == y && a.Since.Equal(&b.Since)
}

func sameCondition(a, b metav1.Condition) bool {
	at, other := a.LastTransitionTime, b.LastTransitionTime
	a.LastTransitionTime, b.LastTransitionTime = metav1.Time{}, metav1.Time{}
	return a == b && at.Equal(&other)
}

// sameVerdicts compares what conditions say, but not in which words. It leaves out
// whether the traffic has converged: that changes with every write to a route, and is
// written later.
func sameVerdicts(a, b []metav1.Condition) bool {
	var i, j int
	for {
		i, j = verdict(a, i), verdict(b, j)
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if x, y := &a[i], &b[j]; x.Type != y.Type || x.Status != y.Status || x.ObservedGeneration != y.ObservedGeneration {
			return false
		}
		i, j = i+1, j+1
	}
}

// verdict is the index of the next condition that has to be told at once.
func verdict(all []metav1.Condition, from int) int {
	for from < len(all) && all[from].Type == v1alpha1.ConditionTrafficConverged {
		from++
	}
	return from
}

// sameTold compares what has to be written of the traffic at once. That is what a
// controller that starts anew could not find out by looking: which pod was evicted
// last, and how many endpoints are ending. And it is what a selector moves, since that
// moves everything at once and no step or route tells of it.
func sameTold(a, b *v1alpha1.RolloutStatus) bool {
	x, y := a.Traffic, b.Traffic
	if x == nil || y == nil || x == y {
		return x == y
	}
	if !slices.Equal(ends(x), ends(y)) {
		return false
	}
	asked, known := selected(a)
	otherAsked, otherKnown := selected(b)
	return slices.Equal(asked, otherAsked) && slices.Equal(known, otherKnown)
}

// selected is what a selector moves all at once; nothing where it moves nothing.
func selected(s *v1alpha1.RolloutStatus) (asked, known []v1alpha1.RevisionWeight) {
	if s.Strategy != StrategyBlueGreen || s.Traffic.Since != nil {
		return nil, nil
	}
	return s.Traffic.Requested, s.Traffic.Confirmed
}

// end is what a slot lists beyond the pods that are to stay.
type end struct {
	service, revision, evicted string
	ending                     int32
}

func ends(t *v1alpha1.TrafficStatus) []end {
	var all []end
	for i := range t.Endpoints {
		if e := &t.Endpoints[i]; e.Ending > 0 || e.Evicted != "" {
			all = append(all, end{e.Service, e.Revision, e.Evicted, e.Ending})
		}
	}
	return all
}

func sameTraffic(a, b *v1alpha1.TrafficStatus) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.Message == b.Message && sameConfirmation(a, b) && a.Edition == b.Edition && a.Beside == b.Beside && a.CanaryWeight == b.CanaryWeight &&
		sameTime(a.Since, b.Since) && sameTime(a.AcceptedAt, b.AcceptedAt) && slices.EqualFunc(a.Endpoints, b.Endpoints, sameEndpoints)
}

// sameConfirmation compares what is known of the split, and by what.
func sameConfirmation(a, b *v1alpha1.TrafficStatus) bool {
	return a.ConfirmedBy == b.ConfirmedBy && a.Differ == b.Differ && slices.Equal(a.Requested, b.Requested) && slices.Equal(a.Confirmed, b.Confirmed) &&
		same(a.Observed, b.Observed)
}

func sameEndpoints(a, b v1alpha1.ServiceEndpoints) bool {
	since, other := a.Since, b.Since
	a.Since, b.Since = metav1.Time{}, metav1.Time{}
	return a == b && since.Equal(&other)
}

func sameRevision(a, b v1alpha1.RevisionStatus) bool {
	return a.Hash == b.Hash && a.Number == b.Number && a.Role == b.Role && a.Replicas == b.Replicas &&
		a.ReadyReplicas == b.ReadyReplicas && a.AvailableReplicas == b.AvailableReplicas && a.Shrunk == b.Shrunk && a.KeptSince.Equal(b.KeptSince) &&
		sameTime(a.ScaleDownAt, b.ScaleDownAt) && slices.Equal(a.Images, b.Images)
}
