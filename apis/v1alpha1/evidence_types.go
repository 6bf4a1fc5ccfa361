// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MetricEvidence is what was counted or compared of one metric, block by block.
// It is all that the judgement needs to go on after a restart.
type MetricEvidence struct {
	// block is the length of this metric's blocks.
	Block Duration `json:"block"`
	// settle is how long after its end a block is counted.
	Settle Duration `json:"settle"`
	// noise is the factor phi in force, 1 to 20.
	// +optional
	Noise string `json:"noise,omitempty"`
	// edges are the bounds of durations that decide, in the histogram's unit:
	// above and below the objective, or those that are compared.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=3
	Edges []string `json:"edges,omitempty"`
	// native says that the histogram is a native one.
	// +optional
	Native bool `json:"native,omitempty"`
	// noStable says that there is nothing to compare with.
	// +optional
	NoStable bool `json:"noStable,omitempty"`
	// lastBlockEnd is the end of the latest block that was taken in.
	// +optional
	LastBlockEnd *metav1.Time `json:"lastBlockEnd,omitempty"`
	// usableAt is the end of the latest usable block.
	// +optional
	UsableAt *metav1.Time `json:"usableAt,omitempty"`
	// stableAt is the end of the latest block in which stable had series.
	// +optional
	StableAt *metav1.Time `json:"stableAt,omitempty"`
	// usable counts the blocks that were usable.
	// +optional
	Usable int64 `json:"usable,omitempty"`
	// unusable counts those that were not.
	// +optional
	Unusable int64 `json:"unusable,omitempty"`
	// canary and stable are the sums since the start, as bad/total.
	// +optional
	Canary string `json:"canary,omitempty"`
	// stable is the same for stable.
	// +optional
	Stable string `json:"stable,omitempty"`
	// fail is the evidence that the canary is worse than tolerated; 1 is none.
	// +optional
	Fail string `json:"fail,omitempty"`
	// pass is the evidence that the next step is affordable. It suffices at 20.
	// +optional
	Pass string `json:"pass,omitempty"`
	// asked is since when pass collects evidence for the current question.
	// +optional
	Asked *metav1.Time `json:"asked,omitempty"`
	// askedCanary is what the canary had since then, as bad/total.
	// +optional
	AskedCanary string `json:"askedCanary,omitempty"`
	// askedBlocks counts the usable blocks since then.
	// +optional
	AskedBlocks int64 `json:"askedBlocks,omitempty"`
	// state of the statistical processes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	State []string `json:"state,omitempty"`
	// badSeen says that there was a series of bad requests, of either revision, in any block.
	// +optional
	BadSeen bool `json:"badSeen,omitempty"`
	// blocks are the latest eight, oldest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Blocks []BlockStatus `json:"blocks,omitempty"`
	// recent are both revisions' sums of the last five minutes, by the minute.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=6
	Recent []BlockStatus `json:"recent,omitempty"`
}

// BlockStatus is what one block had.
type BlockStatus struct {
	// at is the end of the block.
	At metav1.Time `json:"at"`
	// canary is bad/total, or a value.
	// +optional
	Canary string `json:"canary,omitempty"`
	// stable is bad/total, or a value.
	// +optional
	Stable string `json:"stable,omitempty"`
	// reason why the block was not usable.
	// +optional
	Reason BlockReason `json:"reason,omitempty"`
	// message explains the reason, of the latest block only.
	// +optional
	Message string `json:"message,omitempty"`
}

// BlockReason says why a block gave no evidence.
type BlockReason string

const (
	// BlockNoSeries means that the canary has no series yet.
	BlockNoSeries BlockReason = "NoSeries"
	// BlockNoTraffic means that the canary got no request.
	BlockNoTraffic BlockReason = "NoTraffic"
	// BlockNoBaseline means that stable has no series to compare with.
	BlockNoBaseline BlockReason = "NoBaseline"
	// BlockInvalidSample means that an answer is no count.
	BlockInvalidSample BlockReason = "InvalidSample"
	// BlockImplausibleCount means that the canary had many times the usual number of requests.
	BlockImplausibleCount BlockReason = "ImplausibleCount"
)
