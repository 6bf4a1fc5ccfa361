// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Refused is a status after writes have failed. Condition Applied says which and why
// until a pass has carried out all that it wanted, and so do the words that people
// read first: what they wait for does not come as long as that is so.
func Refused(s v1alpha1.RolloutStatus, generation int64, failure string, now time.Time) v1alpha1.RolloutStatus {
	s.Message = strings.TrimSuffix(s.Message, refusal(s.Conditions))
	s.Conditions = slices.Clone(s.Conditions)
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionApplied, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonApplyFailed,
		Message: failure, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
	})
	s.Message += refusal(s.Conditions)
	s.Summary = summary(s)
	return s
}

// Granted is a status after a pass that carried out all it wanted.
func Granted(s v1alpha1.RolloutStatus) v1alpha1.RolloutStatus {
	s.Message = strings.TrimSuffix(s.Message, refusal(s.Conditions))
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionApplied })
	s.Summary = summary(s)
	return s
}

// notDone begins what the words say of writes that failed.
const notDone = "not carried out: "

// refusal is the end of a message while writes fail; empty as a rule.
func refusal(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionApplied); c != nil && c.Status == metav1.ConditionFalse {
		return "; " + notDone + c.Message
	}
	return ""
}
