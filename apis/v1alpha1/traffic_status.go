// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrafficStatus is the split of traffic between revisions.
type TrafficStatus struct {
	// requested is the split written to the routes. Sums to 100.
	// +optional
	// +listType=atomic
	Requested []RevisionWeight `json:"requested,omitempty"`
	// confirmed is the split that the data plane is known to have accepted. Sums to 100, or is empty while unknown.
	// +optional
	// +listType=atomic
	Confirmed []RevisionWeight `json:"confirmed,omitempty"`
	// differ says that the routes do not all carry requested: it is that of the one that gives the canary most.
	// +optional
	Differ bool `json:"differ,omitempty"`
	// confirmedBy says what confirmed rests on: RouteStatus, the data plane's own
	// report on every route, after convergence.settle; SettleTime, nothing but that
	// convergence.settle has passed, because some data plane never reports;
	// ObservedShare, the same and the requests in observed; EndpointSlices; or AvailablePods.
	// +optional
	ConfirmedBy Evidence `json:"confirmedBy,omitempty"`
	// observed is how the requests counted by the analysis were shared out since
	// the requested split was written, where some data plane never reports. The
	// figures are those of when they first left no doubt. While they contradict
	// requested, confirmed is empty and the release holds.
	// +optional
	Observed *ObservedTraffic `json:"observed,omitempty"`
	// beside says what the routes carry apart from shares: matches, a mirror, a cookie.
	// +optional
	Beside string `json:"beside,omitempty"`
	// canaryWeight is the requested weight of the canary revision in percent, for printing.
	// +optional
	CanaryWeight int32 `json:"canaryWeight"`
	// since is when requested last changed.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// edition identifies the generation of the routes that since and acceptedAt speak of.
	// +optional
	Edition string `json:"edition,omitempty"`
	// acceptedAt is since when every route reports the requested split as accepted.
	// +optional
	AcceptedAt *metav1.Time `json:"acceptedAt,omitempty"`
	// endpoints says, for each Service, which revision alone has ready endpoints behind it.
	// +optional
	// +listType=map
	// +listMapKey=service
	Endpoints []ServiceEndpoints `json:"endpoints,omitempty"`
	// message says why requested and confirmed differ.
	// +optional
	Message string `json:"message,omitempty"`
}

// Evidence is what a confirmed split rests on.
type Evidence string

const (
	// EvidenceRouteStatus means that the data plane reports that it accepted every route.
	EvidenceRouteStatus Evidence = "RouteStatus"
	// EvidenceSettleTime means that some data plane never reports, and time enough has passed.
	EvidenceSettleTime Evidence = "SettleTime"
	// EvidenceObservedShare means that time enough has passed, and the requests counted since are shared out accordingly.
	EvidenceObservedShare Evidence = "ObservedShare"
	// EvidenceEndpoints means that the Service that callers use lists these endpoints.
	EvidenceEndpoints Evidence = "EndpointSlices"
	// EvidencePods means that so many pods are available.
	EvidencePods Evidence = "AvailablePods"
)

// ObservedTraffic is how requests were shared out between canary and stable.
type ObservedTraffic struct {
	// share of the requests that the canary got, such as "24.8%".
	Share Percentage `json:"share"`
	// canary are the requests that it got.
	Canary int64 `json:"canary"`
	// requests counted of both.
	Requests int64 `json:"requests"`
	// metric of the AnalysisRun that counted them.
	Metric string `json:"metric"`
	// since is the beginning of the first block that was counted.
	Since metav1.Time `json:"since"`
	// until is the end of the last.
	Until metav1.Time `json:"until"`
}

// ServiceEndpoints says that all ready endpoints of a Service are of one revision.
type ServiceEndpoints struct {
	// service that lists the endpoints.
	Service string `json:"service"`
	// revision of all its ready endpoints.
	Revision string `json:"revision"`
	// ready is how many there are.
	// +optional
	Ready int32 `json:"ready,omitempty"`
	// since is when so many were first seen. A data plane may notice later, so
	// that weight for them is given only after convergence.settle.
	Since metav1.Time `json:"since"`
	// before is how many of them the data plane had noticed by then.
	// +optional
	Before int32 `json:"before,omitempty"`
	// ending is how many more are listed although their pods were told to end.
	// +optional
	Ending int32 `json:"ending,omitempty"`
	// evicted is the one of those pods whose eviction a restart asked for last.
	// +optional
	Evicted string `json:"evicted,omitempty"`
}

// RevisionWeight is the share of one Service and of the revision behind it.
type RevisionWeight struct {
	// service that the routes send the share to; empty when the share is one of pods.
	// +optional
	Service string `json:"service,omitempty"`
	// revision that the Service selects; empty while it is not narrowed to one.
	Revision string `json:"revision"`
	// weight in percent, 0 to 100.
	Weight int32 `json:"weight"`
}
