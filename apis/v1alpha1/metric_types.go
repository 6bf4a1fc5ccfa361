// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Analysis says how a canary is judged.
//
// +kubebuilder:validation:XValidation:rule="(has(self.metrics) && self.metrics.size() > 0) || (has(self.templates) && self.templates.size() > 0)",message="analysis: needs at least one entry in metrics or templates"
type Analysis struct {
	// prometheus is the server to ask. Default: the controller's --prometheus-address.
	// +optional
	Prometheus *Prometheus `json:"prometheus,omitempty"`
	// metrics to measure.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Metrics []Metric `json:"metrics,omitempty"`
	// templates add the metrics of AnalysisTemplates in the Rollout's namespace.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Templates []TemplateRef `json:"templates,omitempty"`
	// args fill $(name) in queries. They are data: quotes in them can't end a PromQL string.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Args []Arg `json:"args,omitempty"`
	// block is the time between two measurements. Default 10s, at least 1s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="analysis.block: must be at least 1s"
	Block *metav1.Duration `json:"block,omitempty"`
	// warmUp is not judged, counted from the canary's first traffic. Default 30s.
	// +optional
	// +kubebuilder:default="30s"
	WarmUp *metav1.Duration `json:"warmUp,omitempty"`
	// onNoData is what happens when a metric can't be measured for noDataTimeout.
	// Until then, and always with Hold, the release waits. Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnNoData OnNoData `json:"onNoData,omitempty"`
	// noDataTimeout bounds that wait for Abort. Default 5m.
	// +optional
	// +kubebuilder:default="5m"
	NoDataTimeout *metav1.Duration `json:"noDataTimeout,omitempty"`
	// dryRun names metrics that are measured and shown but decide nothing. A trailing * matches any rest.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	DryRun []string `json:"dryRun,omitempty"`
}

// OnNoData says what a lasting lack of measurements leads to.
//
// +kubebuilder:validation:Enum=Hold;Abort
type OnNoData string

const (
	// OnNoDataHold waits until measurements return or somebody decides.
	OnNoDataHold OnNoData = "Hold"
	// OnNoDataAbort fails the analysis, which aborts the release.
	OnNoDataAbort OnNoData = "Abort"
)

// Prometheus is a server that speaks the Prometheus HTTP API.
type Prometheus struct {
	// address is its base URL, such as http://prometheus.monitoring:9090.
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https']",message="prometheus.address: must be an http or https URL such as http://prometheus.monitoring:9090"
	// +kubebuilder:validation:MaxLength=2048
	Address string `json:"address"`
}

// TemplateRef names an AnalysisTemplate.
type TemplateRef struct {
	// name of the AnalysisTemplate, in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// Arg is a named value for queries.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="args: set exactly one of value and valueFrom"
type Arg struct {
	// name as in $(name).
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_-]*$`
	Name string `json:"name"`
	// value given as it is.
	// +optional
	Value *string `json:"value,omitempty"`
	// valueFrom takes the value from elsewhere.
	// +optional
	ValueFrom *ArgSource `json:"valueFrom,omitempty"`
}

// ArgSource is where an argument's value comes from.
//
// +kubebuilder:validation:XValidation:rule="has(self.revision) != has(self.fieldRef)",message="valueFrom: set exactly one of revision and fieldRef"
type ArgSource struct {
	// revision gives the hash of the revision in that role.
	// +optional
	// +kubebuilder:validation:Enum=Stable;Canary
	Revision RevisionRole `json:"revision,omitempty"`
	// fieldRef gives a field of the Rollout: metadata.name, metadata.namespace,
	// metadata.labels['key'] or metadata.annotations['key'].
	// +optional
	FieldRef *FieldRef `json:"fieldRef,omitempty"`
}

// FieldRef names a field of the Rollout.
type FieldRef struct {
	// fieldPath such as metadata.labels['team'].
	// +kubebuilder:validation:Pattern=`^metadata\.(name|namespace|(labels|annotations)\['[^']+'\])$`
	FieldPath string `json:"fieldPath"`
}

// Metric is one thing measured. Exactly one kind is set.
type Metric struct {
	// name of the metric, unique within the analysis.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// threshold compares one number with fixed bounds: the kind that other
	// tools know. It is a heuristic without a bound on false alarms.
	// +required
	Threshold *Threshold `json:"threshold"`
}

// Threshold compares the one value of a query with fixed bounds.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="threshold: set min, max or both"
type Threshold struct {
	// query is PromQL that gives one number. $(canary), $(stable),
	// $(canaryService), $(stableService), $(namespace), $(rollout) and the
	// args are filled in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// min is the least value in bounds, a decimal number such as "0.99".
	// +optional
	// +kubebuilder:validation:Pattern=`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`
	Min *string `json:"min,omitempty"`
	// max is the greatest value in bounds, a decimal number such as "0.01".
	// +optional
	// +kubebuilder:validation:Pattern=`^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`
	Max *string `json:"max,omitempty"`
	// consecutive is how many measurements in a row out of bounds fail, and
	// how many in a row within bounds pass. Default 3.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Consecutive int32 `json:"consecutive,omitempty"`
}
