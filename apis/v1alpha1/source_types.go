// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// QueryProvider names who answers the queries of a metric.
//
// +kubebuilder:validation:Enum=Prometheus;Loki
type QueryProvider string

const (
	// ProviderPrometheus answers PromQL.
	ProviderPrometheus QueryProvider = "Prometheus"
	// ProviderLoki answers LogQL.
	ProviderLoki QueryProvider = "Loki"
)

// Loki is a server that speaks the HTTP API of Loki.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.bearer) && has(self.basic))",message="loki: bearer and basic exclude each other; keep one"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.address.startsWith('https:')",message="loki.tls: belongs to an https address; write https, or leave tls out"
type Loki struct {
	Access `json:",inline"`

	// address is its base URL, such as http://loki.monitoring:3100.
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https']",message="loki.address: must be an http or https URL such as http://loki.monitoring:3100"
	// +kubebuilder:validation:MaxLength=2048
	Address string `json:"address"`
}

// WebMethod is how a [Web] asks.
//
// +kubebuilder:validation:Enum=GET;POST;PUT
type WebMethod string

// Web asks an API over HTTP, once for each block, for one number in a JSON
// answer. $(name) is filled in and escaped for where it stands. Arguments from
// Secrets may stand in headers and in the body, which are shown nowhere.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.bearer) && has(self.basic))",message="web: bearer and basic exclude each other; keep one"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.url.startsWith('https:')",message="web.tls: belongs to an https URL; write https, or leave tls out"
// +kubebuilder:validation:XValidation:rule="!has(self.body) || has(self.method) && self.method != 'GET'",message="web.body: a GET has none; set method to POST or PUT, or leave body out"
type Web struct {
	Access `json:",inline"`

	// url to ask, such as https://quality.example.com/v1/score?service=$(rollout).
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.startsWith('http://') || self.startsWith('https://')",message="web.url: must be an http or https URL such as https://quality.example.com/v1/score"
	URL string `json:"url"`
	// method of the request. One that is sent twice, as after a restart of the
	// controller, must do no harm. Default GET.
	// +optional
	// +kubebuilder:default=GET
	Method WebMethod `json:"method,omitempty"`
	// body to send, as application/json unless a header says otherwise.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Body string `json:"body,omitempty"`
	// jsonPath of the number within the answer, such as {.data.score}: one path of
	// fields, indexes and filters. true counts as 1, false as 0.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('{') && self.endsWith('}')",message="web.jsonPath: must be a path in braces such as {.data.score}"
	JSONPath string `json:"jsonPath"`
	// timeout of the request. Default 10s, at most 15s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('15s')",message="web.timeout: must be above 0s and at most 15s"
	Timeout *Duration `json:"timeout,omitempty"`
}

// JobMetric runs a Job, once for each analysis. Its success passes, its failure
// fails the analysis. Its containers get the arguments as variables of their
// environment, by name; in command and args they are $(name).
type JobMetric struct {
	// template of the Job, a batch/v1 JobTemplateSpec. Its ttlSecondsAfterFinished
	// is left out: the Job is deleted with its run, not before its end was read.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Template JobTemplate `json:"template"`
	// timeout after which the Job is ended and has failed. Default 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="job.timeout: must be at least 1s"
	Timeout *Duration `json:"timeout,omitempty"`
}
