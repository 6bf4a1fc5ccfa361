// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Step is one entry of the plan the user wrote. Exactly one field is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.setWeight), has(self.setScale), has(self.pause), has(self.analyze), has(self.matchRoute), has(self.mirror), has(self.baseline), has(self.job), has(self.gate), has(self.approve)].filter(x, x).size() == 1",message="a step holds exactly one of setWeight, setScale, pause, analyze, matchRoute, mirror, baseline, job, gate and approve; split it into several steps, and remove what this version does not know"
type Step struct {
	// setWeight is the canary's share of traffic in percent, 0 to 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	SetWeight *int32 `json:"setWeight,omitempty"`
	// setScale sets the canary's number of pods apart from its weight. It never
	// has fewer than its weight needs.
	// +optional
	SetScale *SetScale `json:"setScale,omitempty"`
	// pause waits for a time, or until promoted.
	// +optional
	Pause *Pause `json:"pause,omitempty"`
	// analyze waits until the analysis passes.
	// +optional
	Analyze *Analyze `json:"analyze,omitempty"`
	// matchRoute sends some requests to the canary whatever its weight is.
	// +optional
	MatchRoute *MatchRoute `json:"matchRoute,omitempty"`
	// mirror copies requests to the canary; its answers are thrown away.
	// +optional
	Mirror *Mirror `json:"mirror,omitempty"`
	// baseline starts fresh pods of the stable revision, with a share of their
	// own that stable gives up: the canary is compared with them from then on.
	// They go with the release, or by baseline: {replicas: 0}.
	// +optional
	Baseline *Baseline `json:"baseline,omitempty"`
	// job runs a Job to its end, such as a database migration or a smoke test. Failure aborts.
	// +optional
	Job *JobStep `json:"job,omitempty"`
	// gate asks a URL whether to go on.
	// +optional
	Gate *Gate `json:"gate,omitempty"`
	// approve waits for a named person to promote.
	// +optional
	Approve *Approve `json:"approve,omitempty"`
}

// SetScale is a number of canary pods. Exactly one field is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.replicas), has(self.percent), has(self.matchWeight)].filter(x, x).size() == 1",message="setScale: set exactly one of replicas, percent and matchWeight"
type SetScale struct {
	// replicas is a number of pods.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`
	// percent of spec.replicas, rounded up.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent *int32 `json:"percent,omitempty"`
	// matchWeight returns to what the weight needs.
	// +optional
	// +kubebuilder:validation:Enum=true
	MatchWeight bool `json:"matchWeight,omitempty"`
}

// Pause is a wait.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.for) && has(self.timeout))",message="pause: set at most one of for and timeout; a pause with for ends by itself"
// +kubebuilder:validation:XValidation:rule="has(self.timeout) || !has(self.onTimeout)",message="pause.onTimeout: needs timeout"
type Pause struct {
	// for is how long to wait. Without it the pause lasts until somebody promotes.
	// +optional
	For *Duration `json:"for,omitempty"`
	// timeout bounds the wait for somebody. Default: none.
	// +optional
	Timeout *Duration `json:"timeout,omitempty"`
	// onTimeout is what happens then. Default Hold.
	// +optional
	OnTimeout OnTimeout `json:"onTimeout,omitempty"`
}

// OnTimeout says what a wait for somebody leads to when nobody came.
//
// +kubebuilder:validation:Enum=Abort;Promote;Hold
type OnTimeout string

const (
	// OnTimeoutAbort returns all traffic to stable.
	OnTimeoutAbort OnTimeout = "Abort"
	// OnTimeoutPromote goes on to the next step.
	OnTimeoutPromote OnTimeout = "Promote"
	// OnTimeoutHold goes on waiting and says so.
	OnTimeoutHold OnTimeout = "Hold"
)

// Analyze asks the running analysis whether the next step is affordable.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxDuration) || duration(self.maxDuration) > duration('0s')",message="analyze.maxDuration: must be above 0s; leave it out for 15m"
// +kubebuilder:validation:XValidation:rule="!has(self.minDuration) || !has(self.maxDuration) || duration(self.minDuration) <= duration(self.maxDuration)",message="analyze.minDuration: must not be above maxDuration, which is 15m unless set; raise maxDuration"
type Analyze struct {
	// minDuration is the least time to watch even when everything passes. Default 0.
	// +optional
	MinDuration *Duration `json:"minDuration,omitempty"`
	// maxDuration after which the question is Inconclusive. Default 15m.
	// +optional
	// +kubebuilder:default="15m"
	MaxDuration *Duration `json:"maxDuration,omitempty"`
	// onInconclusive is what happens after maxDuration. Hold waits for a
	// person, or for the analysis to pass after all; Abort returns to stable;
	// Promote goes on and records the bound it went on with. Default: the analysis' own onInconclusive.
	// +optional
	OnInconclusive OnInconclusive `json:"onInconclusive,omitempty"`
}

// OnInconclusive says what an unanswered question leads to.
//
// +kubebuilder:validation:Enum=Hold;Abort;Promote
type OnInconclusive string

const (
	// OnInconclusiveHold waits for a person, or for the analysis to pass after all.
	OnInconclusiveHold OnInconclusive = "Hold"
	// OnInconclusiveAbort returns all traffic to stable.
	OnInconclusiveAbort OnInconclusive = "Abort"
	// OnInconclusivePromote goes on to the next step, unless a metric can't be measured.
	OnInconclusivePromote OnInconclusive = "Promote"
)

// Mirror copies requests to the canary.
type Mirror struct {
	// percent of all requests; 0 ends mirroring.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent"`
}

// Baseline is the fair control: pods of the stable revision that are as new, as
// many and as busy as the canary's.
//
// +kubebuilder:validation:XValidation:rule="self.replicas == 0 ? !has(self.weight) : has(self.weight)",message="baseline.weight: set it together with replicas, to what the canary gets; replicas: 0 ends the baseline and goes without weight"
type Baseline struct {
	// replicas to start; never fewer than the weight needs. 0 ends the baseline.
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`
	// weight is the share of traffic in percent that these pods take over from
	// the stable ones. With the canary's it is at most 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Weight int32 `json:"weight,omitempty"`
}

// JobStep runs a Job to its end.
type JobStep struct {
	// template of the Job, a batch/v1 JobTemplateSpec. Its ttlSecondsAfterFinished
	// is left out: the Job is deleted when the next release has begun, not before its end was read.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Template JobTemplate `json:"template"`
	// timeout after which the Job counts as failed. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	Timeout *Duration `json:"timeout,omitempty"`
}

// Gate asks a URL, by POST, whether to go on. A 2xx answer with the JSON
// {"allow": true} goes on; anything else is asked again with growing pauses.
type Gate struct {
	// url to ask.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https']",message="gate.url: must be an http or https URL such as https://releases.example.com/may-i"
	URL string `json:"url"`
	// timeout bounds the wait for permission. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	Timeout *Duration `json:"timeout,omitempty"`
	// onTimeout is what happens then. Default Abort.
	// +optional
	// +kubebuilder:default=Abort
	OnTimeout OnTimeout `json:"onTimeout,omitempty"`
}

// Approve waits for a named person, whose name and reason are recorded.
type Approve struct {
	// timeout bounds the wait. Default: none.
	// +optional
	Timeout *Duration `json:"timeout,omitempty"`
	// onTimeout is what happens then. Default Hold.
	// +optional
	OnTimeout OnTimeout `json:"onTimeout,omitempty"`
}
