// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Judgement says what a service promises and how sure a verdict must be.
// Everything in it but the objectives has a default that fits most services.
type Judgement struct {
	// preset names the data plane whose metrics the objectives are judged by.
	// The labels that tell stable from canary follow from the Rollout's own objects.
	// +optional
	Preset Preset `json:"preset,omitempty"`
	// objectives of the service: all that has to be written.
	// +optional
	Objectives *Objectives `json:"objectives,omitempty"`
	// falseAbortRate is how often a canary within tolerance may be aborted, of
	// all releases, over all metrics and however often one looks. Default 1%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]+([.][0-9]+)?%$') || double(self.substring(0, self.size() - 1)) > 0.0 && double(self.substring(0, self.size() - 1)) <= 50.0",message="falseAbortRate: must be above 0% and at most 50%, such as \"1%\""
	FalseAbortRate Percentage `json:"falseAbortRate,omitempty"`
	// tolerance is how much worse than stable the canary may be.
	// +optional
	Tolerance *Tolerance `json:"tolerance,omitempty"`
	// maxBurnRate is how many times its error budget the service may burn after
	// the next step; passing proves that it stays below. Default "2".
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]+([.][0-9]+)?$') || double(self) > 0.0 && double(self) <= 1000.0",message="maxBurnRate: must be above 0 and at most 1000, such as \"2\""
	MaxBurnRate Decimal `json:"maxBurnRate,omitempty"`
	// compareLatency compares the distributions of durations as well, which
	// finds slow-downs that stay within the objectives. It needs a stable revision.
	// +optional
	CompareLatency bool `json:"compareLatency,omitempty"`
	// noise is how many bad events one cause brings on average, 1 to 20: Auto
	// learns it from stable's last hour. Default Auto.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self == 'Auto' || (self.matches('^[0-9]{1,2}([.][0-9]{1,6})?$') && double(self) >= 1.0 && double(self) <= 20.0)",message="noise: must be Auto, or a number from 1 to 20 such as \"1.5\""
	Noise string `json:"noise,omitempty"`
	// settle is how long after the end of a block its samples may still arrive.
	// Default 15s, or the scrape interval if that is longer; servers that are
	// written to remotely, such as Thanos and Mimir, want 60s.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="settle: must be above 0s; leave it out for 15s, or the scrape interval"
	Settle *Duration `json:"settle,omitempty"`
}

// Preset names a data plane whose metrics are known.
//
// +kubebuilder:validation:Enum=Istio;TraefikGateway;EnvoyGateway;Linkerd;LinkerdRoutes;IngressNginx;OpenTelemetryHTTP
type Preset string

// PresetEnvoyGateway counts by the places at which routes name Services.
const PresetEnvoyGateway Preset = "EnvoyGateway"

// Percentage is a share written with a percent sign, such as "99.9%".
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,3}([.][0-9]{1,8})?%$')",message="must be a percentage such as \"99.9%\""
type Percentage string

// Objective is the share of requests that must be good.
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{2}([.][0-9]{1,8})?%$') && double(self.substring(0, self.size() - 1)) >= 50.0",message="must be a percentage from 50% to below 100%, such as \"99.9%\""
type Objective string

// Decimal is a number that is not negative, such as "1.5".
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,6}([.][0-9]{1,8})?$')",message="must be a decimal number such as \"1.5\""
type Decimal string

// Objectives are what a service promises to its users.
//
// +kubebuilder:validation:XValidation:rule="has(self.availability) || has(self.latency)",message="objectives: set availability, latency or both, such as availability: \"99.9%\""
type Objectives struct {
	// availability is the share of requests that must not fail, such as "99.9%".
	// +optional
	Availability Objective `json:"availability,omitempty"`
	// latency bounds durations by the share of requests that must be faster.
	// +optional
	Latency *LatencyObjectives `json:"latency,omitempty"`
}

// LatencyObjectives bound durations: p99: 300ms says that 99 % of all requests
// take at most 300 ms.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="[has(self.p50) ? self.p50 : '1s', has(self.p75) ? self.p75 : '1s', has(self.p90) ? self.p90 : '1s', has(self.p95) ? self.p95 : '1s', has(self.p99) ? self.p99 : '1s', has(self.p99__dot__9) ? self.p99__dot__9 : '1s'].all(d, duration(d) > duration('0s'))",message="objectives.latency: must be above 0s, such as p99: 300ms"
type LatencyObjectives struct {
	// p50 bounds half of the requests.
	// +optional
	P50 *Duration `json:"p50,omitempty"`
	// p75 bounds 75 % of the requests.
	// +optional
	P75 *Duration `json:"p75,omitempty"`
	// p90 bounds 90 % of the requests.
	// +optional
	P90 *Duration `json:"p90,omitempty"`
	// p95 bounds 95 % of the requests.
	// +optional
	P95 *Duration `json:"p95,omitempty"`
	// p99 bounds 99 % of the requests.
	// +optional
	P99 *Duration `json:"p99,omitempty"`
	// p99.9 bounds 99.9 % of the requests.
	// +optional
	P999 *Duration `json:"p99.9,omitempty"`
}

// Tolerance is the line up to which a canary is no worse than stable:
// ratio times stable's rate of bad requests, plus absolute.
type Tolerance struct {
	// ratio is how many times as bad the canary may be. Default "1.5".
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]+([.][0-9]+)?$') || double(self) >= 1.0 && double(self) <= 1000.0",message="tolerance.ratio: must be 1 to 1000, such as \"1.5\""
	Ratio Decimal `json:"ratio,omitempty"`
	// absolute comes on top. Default: half of what the objective leaves for bad
	// requests, 0.1% without an objective.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9]+([.][0-9]+)?%$') || double(self.substring(0, self.size() - 1)) <= 100.0",message="tolerance.absolute: must be 0% to 100%, such as \"0.05%\""
	Absolute Percentage `json:"absolute,omitempty"`
}

// Proportion counts requests, or other events, of which some are bad.
//
// +kubebuilder:validation:XValidation:rule="![self.total, self.bad].exists(s, s.matches('(^|[^a-zA-Z0-9_:])(rate|irate|increase)[ ]*[(]'))",message="proportion: counts are needed, and rate(), irate() and increase() guess beyond the samples and miss the first errors of a series; write the counter's selector alone, such as requests_total{track=\"$(arm)\",code=~\"5..\"}"
type Proportion struct {
	// provider counts the events. Loki counts log lines: total and bad are then
	// log queries such as {app="shop",track="$(arm)"} |= "error". Default Prometheus.
	// +optional
	Provider QueryProvider `json:"provider,omitempty"`
	// total selects the counters of all events, such as
	// requests_total{track="$(arm)"}. $(arm), $(revision), $(service),
	// $(workload) and $(podRegex) differ between canary and stable; without any
	// of them there is nothing to compare the canary with.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Total string `json:"total"`
	// bad selects the counters of those that are bad.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Bad string `json:"bad"`
	// targetLabels tell one scraped target from another. Default instance.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	TargetLabels []string `json:"targetLabels,omitempty"`
}

// Scalar compares the value of a query for the canary with the one for stable.
// Values that change slowly may differ for long by chance alone, so there is no
// bound on false alarms.
type Scalar struct {
	// provider answers the query. Default Prometheus.
	// +optional
	Provider QueryProvider `json:"provider,omitempty"`
	// query is PromQL, or LogQL of provider Loki, that gives one number for either revision. $(arm),
	// $(revision), $(service), $(workload) and $(podRegex) tell them apart.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self.matches('[$][(](arm|revision|service|workload|podRegex)[)]')",message="scalar.query: has nothing that tells canary from stable; use $(arm), $(revision), $(service), $(workload) or $(podRegex), or write a threshold"
	Query string `json:"query"`
	// tolerance is how far above stable's value the canary's may be. Default 25%.
	// +optional
	// +kubebuilder:default="25%"
	Tolerance Percentage `json:"tolerance,omitempty"`
	// onFail is what evidence of more than that leads to. Default Hold.
	// +optional
	// +kubebuilder:default=Hold
	OnFail OnFail `json:"onFail,omitempty"`
}

// OnFail says what evidence against a canary leads to.
//
// +kubebuilder:validation:Enum=Hold;Abort
type OnFail string

const (
	// OnFailHold keeps the release where it is.
	OnFailHold OnFail = "Hold"
	// OnFailAbort fails the analysis.
	OnFailAbort OnFail = "Abort"
)

// Subject is what a run measures, by the names of its objects. A Rollout fills
// it in.
type Subject struct {
	// service that callers use.
	// +optional
	Service string `json:"service,omitempty"`
	// grpc says that the routes are those of gRPC.
	// +optional
	GRPC bool `json:"grpc,omitempty"`
	// canary is the revision that is judged.
	Canary SubjectArm `json:"canary"`
	// stable is the revision to compare it with. Absent when there is none.
	// +optional
	Stable *SubjectArm `json:"stable,omitempty"`
}

// SubjectArm is one of the two revisions that are compared.
type SubjectArm struct {
	// service that has the revision's pods.
	// +optional
	Service string `json:"service,omitempty"`
	// workload is the ReplicaSet, whose name begins the names of its pods.
	// +optional
	Workload string `json:"workload,omitempty"`
	// revision is the value of the pods' label sluice.dev/revision.
	// +optional
	Revision string `json:"revision,omitempty"`
	// backends are the places where routes refer to the service.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Backends []SubjectBackend `json:"backends,omitempty"`
}

// SubjectBackend is a place in a route.
type SubjectBackend struct {
	// kind of the route, such as HTTPRoute.
	Kind string `json:"kind"`
	// name of the route.
	Name string `json:"name"`
	// rule counts from 0.
	Rule int32 `json:"rule"`
	// index of the backend within the rule, from 0.
	Index int32 `json:"index"`
}
