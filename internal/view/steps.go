// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
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

// Step is one entry of the plan that the user wrote, or that the strategy implies.
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
	var out []Step
	for i, s := range plan.Steps(r.Spec) {
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
	case index < st.CurrentStep.Index, plan.Done(r):
		return StepDone
	case index > st.CurrentStep.Index:
		return StepRemaining
	case st.Abort != nil && st.Abort.Revision == st.CanaryRevision:
		return StepStopped
	}
	return StepCurrent
}

func until(s plan.Step, since metav1.Time) *metav1.Time {
	if s.Pause == nil || s.Pause.For == nil {
		return nil
	}
	end := metav1.NewTime(since.Add(s.Pause.For.Duration))
	return &end
}

// DescribeStep says in words what a step does.
func DescribeStep(s plan.Step) string {
	words := describe(s.Step)
	if s.Name != "" {
		return s.Name + ": " + words
	}
	return words
}

func describe(s v1alpha1.Step) string {
	switch {
	case s.SetWeight != nil:
		return fmt.Sprintf("set weight %d %%", *s.SetWeight)
	case s.SetScale != nil:
		return describeScale(*s.SetScale)
	case s.Pause != nil && s.Pause.For != nil:
		return "pause " + span(s.Pause.For.Duration)
	case s.Pause != nil:
		return "pause until promoted" + patience(s.Pause.Timeout, s.Pause.OnTimeout)
	case s.Analyze != nil:
		return describeAnalyze(*s.Analyze)
	case s.Approve != nil:
		return "wait for approval" + patience(s.Approve.Timeout, s.Approve.OnTimeout)
	case s.Job != nil:
		return "run a job" + patience(s.Job.Timeout, v1alpha1.OnTimeoutAbort)
	}
	return describeRequests(s)
}

// describeRequests says what goes beside the weight, and who else is asked.
func describeRequests(s v1alpha1.Step) string {
	switch {
	case s.MatchRoute != nil && len(s.MatchRoute.Match) == 0:
		return "end match route " + s.MatchRoute.Name
	case s.MatchRoute != nil:
		return "match route " + s.MatchRoute.Name
	case s.Mirror != nil:
		return fmt.Sprintf("mirror %d %%", s.Mirror.Percent)
	case s.Baseline != nil && s.Baseline.Replicas == 0:
		return "end the baseline"
	case s.Baseline != nil:
		return fmt.Sprintf("baseline of %d pods at %d %%", s.Baseline.Replicas, s.Baseline.Weight)
	case s.Gate != nil:
		return "ask " + s.Gate.URL + patience(s.Gate.Timeout, s.Gate.OnTimeout)
	}
	return "unknown step: this version of the plugin does not know its kind"
}

func describeScale(s v1alpha1.SetScale) string {
	switch {
	case s.Replicas != nil:
		return fmt.Sprintf("scale to %d pods", *s.Replicas)
	case s.Percent != nil:
		return fmt.Sprintf("scale to %d %% of the replicas", *s.Percent)
	}
	return "scale to what the weight needs"
}

// patience says how long a step waits for somebody, and what happens then.
func patience(timeout *v1alpha1.Duration, then v1alpha1.OnTimeout) string {
	if timeout == nil {
		return ""
	}
	return fmt.Sprintf(" within %s, else %s", span(timeout.Duration), strings.ToLower(string(cmp.Or(then, v1alpha1.OnTimeoutHold))))
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
