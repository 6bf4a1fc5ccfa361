// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// wordsUnderWay is how long words wait while a release moves by itself: its next step takes them along, and
	// its last one, which takes three settle times and the pods' start, the most of them.
	wordsUnderWay = 15 * time.Second
	// wordsAtRest is how long they wait otherwise, so that what changes together is told together.
	wordsAtRest = 2 * time.Second
	// wordsOfProgress is how long they wait when all they say is how far an
	// analysis is, which changes with every block: its run has them at once, and
	// whatever else is written takes them along.
	wordsOfProgress = time.Minute
)

// Worth is how long the difference between the stored status and a newer one may
// stay unwritten: not at all when it says where the release is, what holds it
// or who did what; for a while when it is words, numbers and times, which a
// controller that starts anew would find out again.
func Worth(stored, now v1alpha1.RolloutStatus) time.Duration {
	if !equality.Semantic.DeepEqual(essence(stored), essence(now)) {
		return 0
	}
	if equality.Semantic.DeepEqual(withoutProgress(stored), withoutProgress(now)) {
		return wordsOfProgress
	}
	if now.Phase == v1alpha1.PhaseProgressing && now.CanaryRevision != "" && now.StableRevision != "" {
		return wordsUnderWay
	}
	return wordsAtRest
}

// withoutProgress is a status that does not say how far an analysis is.
func withoutProgress(s v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	s.Message, s.Summary = untold(s.Message), ""
	s.Conditions = slices.Clone(s.Conditions)
	for i := range s.Conditions {
		s.Conditions[i].Message = untold(s.Conditions[i].Message)
	}
	return s
}

// untold cuts off how far an analysis is.
func untold(message string) string {
	for _, end := range []string{awaited, beforeNext} {
		if i := strings.Index(message, end+":"); i >= 0 {
			return message[:i+len(end)]
		}
	}
	return message
}

// essence is a status without what may be told later.
func essence(s v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	s.Message, s.Summary, s.Traffic, s.Revisions, s.Analysis = "", "", told(s), nil, nil
	s.Replicas, s.ReadyReplicas, s.UpdatedReplicas = 0, 0, 0
	if s.CurrentStep != nil {
		step := *s.CurrentStep
		step.WaitingSince = nil
		s.CurrentStep = &step
	}
	var verdicts []metav1.Condition
	for _, c := range s.Conditions {
		if c.Type != v1alpha1.ConditionTrafficConverged {
			verdicts = append(verdicts, metav1.Condition{Type: c.Type, Status: c.Status, ObservedGeneration: c.ObservedGeneration})
		}
	}
	s.Conditions = verdicts
	return s
}

// told is what of the traffic has to be told at once: what no other look would
// find out again, which pods were evicted last, and what a selector moves all at
// once, of which neither a step nor a route tells.
func told(s v1alpha1.RolloutStatus) *v1alpha1.TrafficStatus {
	if s.Traffic == nil {
		return nil
	}
	var kept v1alpha1.TrafficStatus
	for _, e := range s.Traffic.Endpoints {
		if e.Evicted != "" {
			kept.Endpoints = append(kept.Endpoints, v1alpha1.ServiceEndpoints{Evicted: e.Evicted})
		}
	}
	if s.Strategy == StrategyBlueGreen && s.Traffic.Since == nil {
		kept.Requested, kept.Confirmed = s.Traffic.Requested, s.Traffic.Confirmed
	}
	return &kept
}
