// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// StepState says where a step is.
type StepState string

const (
	// StepDone lies behind the cursor.
	StepDone StepState = "Done"
	// StepCurrent is under the cursor.
	StepCurrent StepState = "Current"
	// StepStopped is where an abort stopped the release.
	StepStopped StepState = "Stopped"
	// StepRemaining lies ahead of the cursor.
	StepRemaining StepState = "Remaining"
	// StepIdle is a step while no release is under way.
	StepIdle StepState = "Idle"
)

// Step is one entry of the plan that the user wrote.
type Step struct {
	// Index of the step, from 0.
	Index int32 `json:"index"`
	// Words describe the step, such as "set weight 25 %".
	Words string `json:"words"`
	// State says where the step is.
	State StepState `json:"state"`
	// Since is when the cursor reached the step; nil unless it is the current one.
	Since *metav1.Time `json:"since,omitempty"`
	// Until is when a timed pause ends; nil for any other step.
	Until *metav1.Time `json:"until,omitempty"`
}

func steps(r *v1alpha1.Rollout) []Step {
	canary := r.Spec.Strategy.Canary
	if canary == nil {
		return nil
	}
	var out []Step
	for i, s := range canary.Steps {
		index := int32(i)
		step := Step{Index: index, Words: DescribeStep(s), State: stepState(index, r)}
		if step.State == StepCurrent {
			step.Since = r.Status.CurrentStep.Since.DeepCopy()
			step.Until = until(s, r.Status.CurrentStep.Since)
		}
		out = append(out, step)
	}
	return out
}

func stepState(index int32, r *v1alpha1.Rollout) StepState {
	st := r.Status
	switch {
	case st.CurrentStep == nil:
		return StepIdle
	case index < st.CurrentStep.Index:
		return StepDone
	case index > st.CurrentStep.Index:
		return StepRemaining
	case st.Abort != nil && st.Abort.Revision == st.CanaryRevision:
		return StepStopped
	}
	return StepCurrent
}

func until(s v1alpha1.Step, since metav1.Time) *metav1.Time {
	if s.Pause == nil || s.Pause.For == nil {
		return nil
	}
	end := metav1.NewTime(since.Add(s.Pause.For.Duration))
	return &end
}

// DescribeStep says in words what a step does.
func DescribeStep(s v1alpha1.Step) string {
	switch {
	case s.SetWeight != nil:
		return fmt.Sprintf("set weight %d %%", *s.SetWeight)
	case s.Pause != nil && s.Pause.For != nil:
		return "pause " + span(s.Pause.For.Duration)
	case s.Pause != nil:
		return "pause until promoted"
	case s.Analyze != nil:
		return describeAnalyze(*s.Analyze)
	}
	return "unknown step: this version of the plugin does not know its kind"
}

// defaultMaxDuration is the schema's default of analyze.maxDuration.
const defaultMaxDuration = 15 * time.Minute

func describeAnalyze(a v1alpha1.Analyze) string {
	most := defaultMaxDuration
	if a.MaxDuration != nil {
		most = a.MaxDuration.Duration
	}
	words := "analyze up to " + span(most)
	if a.MinDuration != nil && a.MinDuration.Duration > 0 {
		words = fmt.Sprintf("analyze %s to %s", span(a.MinDuration.Duration), span(most))
	}
	if a.OnInconclusive == v1alpha1.OnInconclusiveAbort {
		words += ", abort if inconclusive"
	}
	return words
}

// span writes a duration as people do: 10m instead of 10m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
