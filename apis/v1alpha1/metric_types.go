// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Analysis says how a canary is judged.
//
// +kubebuilder:validation:XValidation:rule="(has(self.metrics) && self.metrics.size() > 0) || (has(self.templates) && self.templates.size() > 0) || has(self.objectives) || (has(self.compareLatency) && self.compareLatency)",message="analysis: needs objectives with a preset, or at least one entry in metrics or templates"
// +kubebuilder:validation:XValidation:rule="has(self.preset) || !(has(self.objectives) || has(self.compareLatency) && self.compareLatency) || has(self.templates) && self.templates.size() > 0",message="analysis.preset: required with objectives and compareLatency, since it knows which series count requests; set it to your data plane's, or write a proportion into metrics"
type Analysis struct {
	Judgement `json:",inline"`

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
	// templates add what AnalysisTemplates and ClusterAnalysisTemplates hold.
	// +optional
	// +listType=atomic
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
	Block *Duration `json:"block,omitempty"`
	// warmUp is not judged, counted from the canary's first traffic. Default 30s.
	// +optional
	// +kubebuilder:default="30s"
	WarmUp *Duration `json:"warmUp,omitempty"`
	// onInconclusive is what happens when an analyze step ends without evidence
	// that suffices, unless the step says otherwise. Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnInconclusive OnInconclusive `json:"onInconclusive,omitempty"`
	// onNoData is what happens when a metric can't be measured for noDataTimeout.
	// Until then, and always with Hold, the release waits. Ignore lets the other
	// metrics decide; without any that was measured nothing passes. Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnNoData OnNoData `json:"onNoData,omitempty"`
	// noDataTimeout is how long a metric may be without a usable measurement. Default 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="analysis.noDataTimeout: must be at least 1s; leave it out for 5m"
	NoDataTimeout *Duration `json:"noDataTimeout,omitempty"`
	// dryRun names metrics that are measured and shown but decide nothing. A trailing * matches any rest.
	// Each entry must match a metric, of the templates and objectives too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	DryRun []string `json:"dryRun,omitempty"`
}

// OnNoData says what a lasting lack of measurements leads to.
//
// +kubebuilder:validation:Enum=Hold;Abort;Ignore
type OnNoData string

const (
	// OnNoDataHold waits until measurements return or somebody decides.
	OnNoDataHold OnNoData = "Hold"
	// OnNoDataAbort fails the analysis, which aborts the release.
	OnNoDataAbort OnNoData = "Abort"
	// OnNoDataIgnore lets the other metrics decide.
	OnNoDataIgnore OnNoData = "Ignore"
)

// Prometheus is a server that speaks the Prometheus HTTP API.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.bearer) && has(self.basic))",message="prometheus: bearer and basic exclude each other; keep one"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.address.startsWith('https:')",message="prometheus.tls: belongs to an https address; write https, or leave tls out"
type Prometheus struct {
	Access `json:",inline"`

	// address is its base URL, such as http://prometheus.monitoring:9090.
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https']",message="prometheus.address: must be an http or https URL such as http://prometheus.monitoring:9090"
	// +kubebuilder:validation:MaxLength=2048
	Address string `json:"address"`
}

// TemplateRef names an AnalysisTemplate or a ClusterAnalysisTemplate.
type TemplateRef struct {
	// name of the template; of an AnalysisTemplate in the Rollout's namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// kind of the template. Default AnalysisTemplate.
	// +optional
	// +kubebuilder:default=AnalysisTemplate
	Kind TemplateKind `json:"kind,omitempty"`
}

// TemplateKind is a kind of template.
//
// +kubebuilder:validation:Enum=AnalysisTemplate;ClusterAnalysisTemplate
type TemplateKind string

const (
	// KindAnalysisTemplate is a template of one namespace.
	KindAnalysisTemplate TemplateKind = "AnalysisTemplate"
	// KindClusterAnalysisTemplate is a template for all namespaces.
	KindClusterAnalysisTemplate TemplateKind = "ClusterAnalysisTemplate"
)

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
// +kubebuilder:validation:XValidation:rule="[has(self.revision), has(self.fieldRef), has(self.secretKeyRef)].filter(x, x).size() == 1",message="valueFrom: set exactly one of revision, fieldRef and secretKeyRef"
type ArgSource struct {
	// revision gives the hash of the revision in that role.
	// +optional
	// +kubebuilder:validation:Enum=Stable;Canary
	Revision RevisionRole `json:"revision,omitempty"`
	// fieldRef gives a field of the Rollout: metadata.name, metadata.namespace,
	// metadata.labels['key'] or metadata.annotations['key'].
	// +optional
	FieldRef *FieldRef `json:"fieldRef,omitempty"`
	// secretKeyRef gives a key of a Secret in the namespace of the run. It is
	// read when a measurement is taken and written nowhere.
	// +optional
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`
}

// SecretKeyRef names a key of a Secret.
type SecretKeyRef struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key within the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// FieldRef names a field of the Rollout.
type FieldRef struct {
	// fieldPath such as metadata.labels['team'].
	// +kubebuilder:validation:Pattern=`^metadata\.(name|namespace|(labels|annotations)\['[^']+'\])$`
	FieldPath string `json:"fieldPath"`
}

// Metric is one thing measured. Exactly one kind is set.
//
// +kubebuilder:validation:XValidation:rule="[has(self.proportion), has(self.scalar), has(self.threshold), has(self.job)].filter(x, x).size() == 1",message="metrics: set exactly one of proportion, scalar, threshold and job; split what is two metrics into two"
// +kubebuilder:validation:XValidation:rule="!has(self.objective) || has(self.proportion)",message="metrics.objective: belongs to a proportion; a threshold has min and max, a scalar has tolerance"
// +kubebuilder:validation:XValidation:rule="!has(self.web) || has(self.threshold)",message="metrics.web: gives one number, which a threshold judges; add threshold with min, max or both"
// +kubebuilder:validation:XValidation:rule="!has(self.threshold) || has(self.web) != has(self.threshold.query)",message="threshold.query: set it, or web beside threshold, but not both"
// +kubebuilder:validation:XValidation:rule="!(has(self.web) && has(self.threshold) && has(self.threshold.provider))",message="threshold.provider: answers a query, and web asks none; leave provider out"
type Metric struct {
	// name of the metric, unique within the analysis. Those of the objectives
	// are availability, latency-p99 and the like, and latency-comparison.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// proportion counts events of which some are bad, and compares canary with stable.
	// +optional
	Proportion *Proportion `json:"proportion,omitempty"`
	// objective is the share of a proportion that must be good, such as "99%".
	// Without one the canary is only compared with stable.
	// +optional
	Objective Objective `json:"objective,omitempty"`
	// scalar compares one number of the canary with that of stable.
	// +optional
	Scalar *Scalar `json:"scalar,omitempty"`
	// threshold compares one number with fixed bounds: the kind that other
	// tools know. It is a heuristic without a bound on false alarms.
	// +optional
	Threshold *Threshold `json:"threshold,omitempty"`
	// web is where the number of a threshold comes from instead of a query.
	// +optional
	Web *Web `json:"web,omitempty"`
	// job runs to its end; its success passes.
	// +optional
	Job *JobMetric `json:"job,omitempty"`
}

// Threshold compares the one value of a query with fixed bounds.
//
// +kubebuilder:validation:XValidation:rule="has(self.min) || has(self.max)",message="threshold: set min, max or both"
type Threshold struct {
	// provider answers the query. Default Prometheus.
	// +optional
	Provider QueryProvider `json:"provider,omitempty"`
	// query is PromQL, or LogQL of provider Loki, that gives one number.
	// $(canary), $(stable), $(canaryService), $(stableService), $(namespace),
	// $(rollout) and the args are filled in. Required unless the metric has web.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query,omitempty"`
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
