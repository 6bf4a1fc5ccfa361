// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// deviations keeps the conditions that are not as they should be.
// Progressing, Paused and Reconciling only say what is going on, which the
// phase says already; so does a Ready that is False while a release proceeds.
func deviations(st v1alpha1.RolloutStatus) []metav1.Condition {
	var out []metav1.Condition
	for _, c := range st.Conditions {
		if deviates(c, st.Phase) {
			out = append(out, c)
		}
	}
	return out
}

func deviates(c metav1.Condition, phase v1alpha1.RolloutPhase) bool {
	switch c.Type {
	case v1alpha1.ConditionProgressing, v1alpha1.ConditionPaused, v1alpha1.ConditionReconciling:
		return false
	case v1alpha1.ConditionReady:
		return c.Status != metav1.ConditionTrue && !proceeds(phase)
	case v1alpha1.ConditionStalled:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionAnalysisHealthy:
		return c.Status != metav1.ConditionTrue && c.Reason != v1alpha1.ReasonAnalysisNotRunning
	}
	return c.Status != metav1.ConditionTrue
}

func proceeds(phase v1alpha1.RolloutPhase) bool {
	return slices.Contains([]v1alpha1.RolloutPhase{
		v1alpha1.PhaseProgressing, v1alpha1.PhasePaused, v1alpha1.PhaseRollingBack,
	}, phase)
}
