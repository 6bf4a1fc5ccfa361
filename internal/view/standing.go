// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Standing says how far the wanted revision has come, for a pipeline.
type Standing string

const (
	// StandingUnderway means that the end is open.
	StandingUnderway Standing = "Underway"
	// StandingPromoted means that the wanted revision carries all traffic. It is final.
	StandingPromoted Standing = "Promoted"
	// StandingAborting means that the wanted revision was aborted and still gets traffic.
	StandingAborting Standing = "Aborting"
	// StandingFailed means that the wanted revision was aborted or can't be brought up.
	StandingFailed Standing = "Failed"
)

// Progress is a Standing and its reason.
type Progress struct {
	// Standing of the wanted revision.
	Standing Standing `json:"standing"`
	// Phase of the Rollout, as reported.
	Phase v1alpha1.RolloutPhase `json:"phase,omitempty"`
	// Message says in words what is waited for, or how it ended.
	Message string `json:"message"`
}

// ProgressOf says how far a Rollout has come. A status that speaks of an older
// spec proves nothing, so it is never Promoted or Failed. Wanted is the hash
// of a referenced workload's template, whose changes do not show in the
// Rollout's generation; empty when the template is inline.
func ProgressOf(r *v1alpha1.Rollout, wanted string) Progress {
	p := Progress{Standing: StandingUnderway, Phase: r.Status.Phase, Message: r.Status.Message}
	if why := stale(r); why != "" {
		p.Message = why
		return p
	}
	switch r.Status.Phase {
	case v1alpha1.PhaseHealthy:
		p.Standing = StandingPromoted
	case v1alpha1.PhaseDegraded:
		p.Standing = StandingFailed
	case v1alpha1.PhaseAborting:
		p.Standing = StandingAborting
	default:
		return p
	}
	if wanted != "" && wanted != r.Status.ObservedTemplate {
		p.Standing = StandingUnderway
		p.Message = fmt.Sprintf("the controller has not seen the newest template of %s/%s yet (template %s)",
			r.Spec.WorkloadRef.Kind, r.Spec.WorkloadRef.Name, wanted)
	}
	return p
}

// stale says why a status does not speak of the spec; empty when it does.
func stale(r *v1alpha1.Rollout) string {
	switch seen := r.Status.ObservedGeneration; {
	case seen == 0:
		return "the controller has not seen this Rollout yet; if that lasts, check that it runs: " +
			"kubectl -n sluice-system get deployment sluice"
	case seen < r.Generation:
		return fmt.Sprintf("the controller has not seen the newest spec yet (generation %d, status of %d)", r.Generation, seen)
	}
	return ""
}
