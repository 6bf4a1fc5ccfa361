// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Report is what a story writes for people and programs to read.
type Report struct {
	// Story is its name.
	Story string `json:"story"`
	// Passed is true when everything that the story promises was seen.
	Passed bool `json:"passed"`
	// StartedAt and Seconds say when it ran and for how long.
	StartedAt time.Time `json:"startedAt"`
	Seconds   float64   `json:"seconds"`
	// Seed is the part of the namespace's name that chance gave. Nothing else is left to chance by the story.
	Seed string `json:"seed"`
	// Namespace it ran in.
	Namespace string `json:"namespace"`
	// Requests counts all requests of the client.
	Requests int `json:"requests"`
	// FailedRequests counts those that failed otherwise than by an injected fault. It must be 0.
	FailedRequests int `json:"failedRequests"`
	// Failures are the first of them, in words.
	Failures []string `json:"failures,omitempty"`
	// BadResponses counts injected faults that reached the client.
	BadResponses int `json:"badResponses"`
	// ByVersion counts responses by version.
	ByVersion map[string]int `json:"byVersion"`
	// ShareLevel is the probability behind low and high of the weights.
	ShareLevel float64 `json:"shareLevel"`
	// Weights are the shares measured at the client while a weight was settled.
	Weights []Share `json:"weights"`
	// Direct are the same on a Service's own address, where kube-proxy decides.
	Direct []Share `json:"direct,omitempty"`
	// SecondsToPromote is the time from the change of the template until the Rollout was Healthy.
	SecondsToPromote *float64 `json:"secondsToPromote,omitempty"`
	// SecondsToRollback is the time from the first bad response, or from the command, until the last request that the canary answered.
	SecondsToRollback *float64 `json:"secondsToRollback,omitempty"`
	// SecondsFromBadBlock is the time from the moment at which the block that decided was over and its samples had settled until the route gave the canary nothing.
	SecondsFromBadBlock *float64 `json:"secondsFromBadBlock,omitempty"`
	// RequestsToVerdict counts the canary's requests that the verdict of an analysis was found by.
	RequestsToVerdict int `json:"requestsToVerdict,omitempty"`
	// Notes are further figures and sentences of the story.
	Notes []string `json:"notes,omitempty"`
}

// Write writes the report as <story>.json into a folder, which is created if need be.
func (r Report) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report of %s: %w", r.Story, err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("report of %s: %w", r.Story, err)
	}
	if err := os.WriteFile(filepath.Join(dir, r.Story+".json"), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("report of %s: %w", r.Story, err)
	}
	return nil
}
