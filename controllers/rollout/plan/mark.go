// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Mark is the metadata that pods carry for the role of their revision. Its JSON
// is kept on the ReplicaSet, so that it can be taken off again.
type Mark struct {
	// Labels and Annotations put on the pods.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ReadMark reads what [MarkRevision] and [CreateRevision] carry; nothing from an empty or foreign text.
func ReadMark(text string) Mark {
	var m Mark
	if json.Unmarshal([]byte(text), &m) != nil {
		return Mark{}
	}
	return m
}

// markFor gives the metadata that a revision's role asks for; empty for none. One
// that the API server would refuse changes nothing, and keeps no pods from being made.
func markFor(c cursor, f facts, hash string) string {
	var m *v1alpha1.PodMetadata
	switch {
	case len(metadataMistakes(f)) > 0:
		return f.revisions.of(hash).Mark
	case hash == c.stable:
		m = f.strategy.stable
	case hash == c.canary && c.mode(f) == initial:
		m = f.strategy.stable
	case hash == c.canary && c.mode(f) == forward:
		m = f.strategy.canary
	}
	if m == nil || len(m.Labels)+len(m.Annotations) == 0 {
		return ""
	}
	text, err := json.Marshal(Mark{Labels: m.Labels, Annotations: m.Annotations})
	if err != nil { // maps of strings always encode
		return ""
	}
	return string(text)
}

// mark puts each revision's metadata in order.
func mark(c cursor, f facts) []Action {
	var actions []Action
	for _, r := range f.Revisions {
		if want := markFor(c, f, r.Hash); want != r.Mark && (want != "" || r.Current > 0) {
			actions = append(actions, MarkRevision{"its role has changed", r.Name, r.Mark, want})
		}
	}
	return actions
}
