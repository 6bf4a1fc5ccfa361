// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AnalysisRun is one execution of an analysis. A Rollout creates one for each
// revision, from its first traffic to its promotion.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=delivery,shortName=ar
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AnalysisRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what to measure and how to judge it.
	// +required
	Spec AnalysisRunSpec `json:"spec"`
	// status is what was measured and judged so far.
	// +optional
	Status AnalysisRunStatus `json:"status,omitempty"`
}

// AnalysisRunList is a list of AnalysisRuns.
//
// +kubebuilder:object:root=true
type AnalysisRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AnalysisRun `json:"items"`
}

// AnalysisRunSpec is complete: a run needs no other object to be judged. What
// is judged can't be changed under way, only what is asked of it.
//
// +kubebuilder:validation:XValidation:rule="(has(self.metrics) && self.metrics.size() > 0) || has(self.objectives) || (has(self.compareLatency) && self.compareLatency)",message="spec: needs objectives with a preset, or at least one entry in metrics"
// +kubebuilder:validation:XValidation:rule="has(self.metrics) == has(oldSelf.metrics) && (!has(self.metrics) || self.metrics == oldSelf.metrics)",message="spec.metrics: immutable, since evidence for one query is none for another; create another AnalysisRun"
// +kubebuilder:validation:XValidation:rule="has(self.objectives) == has(oldSelf.objectives) && (!has(self.objectives) || self.objectives == oldSelf.objectives)",message="spec.objectives: immutable, since evidence for one objective is none for another; create another AnalysisRun"
// +kubebuilder:validation:XValidation:rule="has(self.subject) == has(oldSelf.subject) && (!has(self.subject) || self.subject == oldSelf.subject)",message="spec.subject: immutable, since evidence about one revision is none about another; create another AnalysisRun"
// +kubebuilder:validation:XValidation:rule="has(self.preset) == has(oldSelf.preset) && (!has(self.preset) || self.preset == oldSelf.preset) && has(self.falseAbortRate) == has(oldSelf.falseAbortRate) && (!has(self.falseAbortRate) || self.falseAbortRate == oldSelf.falseAbortRate) && has(self.tolerance) == has(oldSelf.tolerance) && (!has(self.tolerance) || self.tolerance == oldSelf.tolerance) && has(self.maxBurnRate) == has(oldSelf.maxBurnRate) && (!has(self.maxBurnRate) || self.maxBurnRate == oldSelf.maxBurnRate) && has(self.compareLatency) == has(oldSelf.compareLatency) && (!has(self.compareLatency) || self.compareLatency == oldSelf.compareLatency) && has(self.noise) == has(oldSelf.noise) && (!has(self.noise) || self.noise == oldSelf.noise)",message="spec: preset, falseAbortRate, tolerance, maxBurnRate, compareLatency and noise are immutable, since evidence was collected by them; create another AnalysisRun"
// +kubebuilder:validation:XValidation:rule="!has(self.preset) || has(self.subject)",message="spec.subject: required with preset; name the canary's Service, ReplicaSet or revision, and stable's to compare with"
// +kubebuilder:validation:XValidation:rule="has(self.preset) || !(has(self.objectives) || has(self.compareLatency) && self.compareLatency)",message="spec.preset: required with objectives and compareLatency, since it knows which series count requests; set it to your data plane's, or write a proportion into metrics"
type AnalysisRunSpec struct {
	Judgement `json:",inline"`

	// subject is what is measured. A Rollout fills it in.
	// +optional
	Subject *Subject `json:"subject,omitempty"`
	// end has the run end by itself. Default for a run without a Rollout:
	// when it has passed, or after 15m.
	// +optional
	End *RunEnd `json:"end,omitempty"`
	// ttlSecondsAfterFinished deletes the run that long after its end. Default: never.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`
	// prometheus is the server to ask. Default: the controller's --prometheus-address.
	// +optional
	Prometheus *Prometheus `json:"prometheus,omitempty"`
	// loki is the server to ask for metrics of provider Loki.
	// +optional
	Loki *Loki `json:"loki,omitempty"`
	// metrics to measure.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Metrics []Metric `json:"metrics,omitempty"`
	// args fill $(name) in queries.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Args []ResolvedArg `json:"args,omitempty"`
	// block is the unit of evidence: requests are counted, and values taken, once
	// for each. It is raised to the scrape interval. Default 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="spec.block: must be at least 1s"
	Block Duration `json:"block,omitempty"`
	// warmUp is not judged, counted from the start. Default 0.
	// +optional
	WarmUp Duration `json:"warmUp,omitempty"`
	// onNoData is what happens when a metric can't be measured for noDataTimeout. Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnNoData OnNoData `json:"onNoData,omitempty"`
	// noDataTimeout is how long a metric may be without a usable measurement. Default 5m.
	// +optional
	// +kubebuilder:default="5m"
	NoDataTimeout Duration `json:"noDataTimeout,omitempty"`
	// dryRun names metrics that decide nothing. A trailing * matches any rest.
	// Each entry must match a metric, of the templates and objectives too.
	// +optional
	// +listType=set
	DryRun []string `json:"dryRun,omitempty"`
	// question is the analyze step that waits for an answer, if any.
	// +optional
	Question *Question `json:"question,omitempty"`
	// stop ends the run. A stopped run is Terminated, which never counts as a pass.
	// +optional
	Stop bool `json:"stop,omitempty"`
}

// ResolvedArg is an argument with its value, or with the Secret that has it.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.secretKeyRef))",message="args: set value or secretKeyRef, not both"
type ResolvedArg struct {
	// name as in $(name).
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_-]*$`
	Name string `json:"name"`
	// value to fill in.
	// +optional
	Value string `json:"value,omitempty"`
	// secretKeyRef is where the value is read when a measurement is taken.
	// +optional
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`
}

// RunEnd bounds a run in time.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minDuration) || duration(self.minDuration) <= (has(self.maxDuration) && duration(self.maxDuration) > duration('0s') ? duration(self.maxDuration) : duration('15m'))",message="end.minDuration: must not be above maxDuration, which is 15m unless set; raise maxDuration"
type RunEnd struct {
	// minDuration before the run may pass.
	// +optional
	MinDuration Duration `json:"minDuration,omitempty"`
	// maxDuration after which the run ends Inconclusive. Default 15m.
	// +optional
	// +kubebuilder:default="15m"
	MaxDuration Duration `json:"maxDuration,omitempty"`
}

// Question asks whether the evidence since a time suffices for the next step.
type Question struct {
	// step that asks, from 0.
	Step int32 `json:"step"`
	// since is when it was asked. Earlier measurements do not count towards passing.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	Since metav1.Time `json:"since"`
	// nextWeight is the canary's share of traffic, in percent, that passing
	// leads to. Default 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	NextWeight int32 `json:"nextWeight,omitempty"`
	// minDuration before the answer may be Passed.
	// +optional
	MinDuration Duration `json:"minDuration,omitempty"`
	// maxDuration after which the answer is Inconclusive, until it is Passed after all.
	// +optional
	MaxDuration Duration `json:"maxDuration,omitempty"`
}

// AnalysisPhase is the verdict of a run so far.
type AnalysisPhase string

const (
	// AnalysisPending means that nothing has been measured.
	AnalysisPending AnalysisPhase = "Pending"
	// AnalysisRunning means that measurements are being taken.
	AnalysisRunning AnalysisPhase = "Running"
	// AnalysisPassed means that the run ended with every metric passed.
	AnalysisPassed AnalysisPhase = "Passed"
	// AnalysisFailed means that a metric breached its bounds. It is final.
	AnalysisFailed AnalysisPhase = "Failed"
	// AnalysisInconclusive means that the evidence does not suffice.
	AnalysisInconclusive AnalysisPhase = "Inconclusive"
	// AnalysisError means that the run can't be carried out as it is written.
	AnalysisError AnalysisPhase = "Error"
	// AnalysisTerminated means that the run was stopped. It never counts as a pass.
	AnalysisTerminated AnalysisPhase = "Terminated"
)

// AnalysisRunStatus is what was measured and judged so far. Its size is
// bounded: eight blocks or ten measurements for each metric, and sums of the rest.
type AnalysisRunStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// phase is the verdict so far.
	// +optional
	Phase AnalysisPhase `json:"phase,omitempty"`
	// message says why, with the numbers.
	// +optional
	Message string `json:"message,omitempty"`
	// startedAt is when the run was first seen.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// completedAt is when the phase became final.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`
	// answer to spec.question.
	// +optional
	Answer *Answer `json:"answer,omitempty"`
	// evidence that the canary is worse than tolerated, of all metrics
	// together, such as "161". It fails the run at 1/falseAbortRate.
	// +optional
	Evidence string `json:"evidence,omitempty"`
	// metrics measured, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Metrics []MetricStatus `json:"metrics,omitempty"`
}

// Answer to a Question.
type Answer struct {
	// step that asked.
	Step int32 `json:"step"`
	// verdict is Running, Passed or Inconclusive.
	Verdict AnalysisPhase `json:"verdict"`
	// message says why, with the numbers.
	// +optional
	Message string `json:"message,omitempty"`
	// warning says that the traffic seen can't bring the evidence in time, and what helps.
	// +optional
	Warning string `json:"warning,omitempty"`
}

// MetricVerdict is the judgement of one metric so far.
type MetricVerdict string

const (
	// MetricPending means that nothing has been judged: warm-up, or the first measurement is due.
	MetricPending MetricVerdict = "Pending"
	// MetricPassing means that enough measurements in a row are within bounds.
	MetricPassing MetricVerdict = "Passing"
	// MetricUndecided means that neither passing nor failing is certain.
	MetricUndecided MetricVerdict = "Undecided"
	// MetricFailed means that the metric breached its bounds. It is final.
	MetricFailed MetricVerdict = "Failed"
	// MetricNoData means that there is no usable measurement.
	MetricNoData MetricVerdict = "NoData"
	// MetricHolding means that something holds the release which is no ground for
	// an abort: stable is unhealthy too, or a scalar is off.
	MetricHolding MetricVerdict = "Holding"
)

// MetricStatus is what was measured of one metric, and its judgement.
type MetricStatus struct {
	// name of the metric.
	Name string `json:"name"`
	// verdict so far.
	Verdict MetricVerdict `json:"verdict"`
	// message says why, with the numbers.
	// +optional
	Message string `json:"message,omitempty"`
	// dryRun is true for a metric that decides nothing.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
	// inBounds counts measurements within bounds since the start.
	// +optional
	InBounds int32 `json:"inBounds,omitempty"`
	// outOfBounds counts measurements out of bounds since the start.
	// +optional
	OutOfBounds int32 `json:"outOfBounds,omitempty"`
	// noData counts attempts that gave no usable value since the start.
	// +optional
	NoData int32 `json:"noData,omitempty"`
	// consecutiveIn counts the latest measurements in a row within bounds.
	// +optional
	ConsecutiveIn int32 `json:"consecutiveIn,omitempty"`
	// consecutiveInSince is the time of the first of them.
	// +optional
	ConsecutiveInSince *metav1.Time `json:"consecutiveInSince,omitempty"`
	// consecutiveOut counts the latest measurements in a row out of bounds.
	// +optional
	ConsecutiveOut int32 `json:"consecutiveOut,omitempty"`
	// noDataSince is when measurements stopped giving a usable value.
	// +optional
	NoDataSince *metav1.Time `json:"noDataSince,omitempty"`
	// delayed says why blocks that are over wait to be counted. They are counted
	// later, in order, and none is lost.
	// +optional
	Delayed string `json:"delayed,omitempty"`
	// job is the Job of the metric, once it has been started.
	// +optional
	Job string `json:"job,omitempty"`
	// evidence is what was counted and compared. Absent for thresholds.
	// +optional
	Evidence *MetricEvidence `json:"evidence,omitempty"`
	// measurements are the latest ten, oldest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Measurements []Measurement `json:"measurements,omitempty"`
}

// MeasurementOutcome is the judgement of one measurement.
type MeasurementOutcome string

const (
	// OutcomeInBounds means that the value is within bounds.
	OutcomeInBounds MeasurementOutcome = "InBounds"
	// OutcomeOutOfBounds means that the value is out of bounds.
	OutcomeOutOfBounds MeasurementOutcome = "OutOfBounds"
	// OutcomeNoData means that there is no usable value: an error, nothing, NaN or several values.
	OutcomeNoData MeasurementOutcome = "NoData"
)

// Measurement is one value taken.
type Measurement struct {
	// at is the time that the value speaks of.
	At metav1.Time `json:"at"`
	// value as a decimal number; empty when there is none.
	// +optional
	Value string `json:"value,omitempty"`
	// outcome is the judgement of the value.
	// +optional
	Outcome MeasurementOutcome `json:"outcome,omitempty"`
	// message says why there is no value, of the latest measurement only.
	// +optional
	Message string `json:"message,omitempty"`
}
