// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// markedAtOnce is how many pods are marked in one pass. Each is a write, and
// whatever happens meanwhile, as an abort, waits for the pass to end.
const markedAtOnce = 20

// MarkRevision puts the metadata of a role on the pods of a revision, in place,
// and takes that of its former role off. It has as many passes as it needs.
type MarkRevision struct {
	why
	// Name of the ReplicaSet.
	Name string
	// Before and Mark are what its pods carry and what they should, see [Mark]; empty for nothing.
	Before, Mark string
	// Pods is how many of them are marked in this pass at most.
	Pods int
}

// String implements Action.
func (a MarkRevision) String() string {
	if a.Mark == "" {
		return "take the role's metadata off " + a.Name
	}
	return "put the role's metadata on " + a.Name
}

// Begun is what the ReplicaSet notes, at once with its template, before any pod is
// marked: what pods may carry from before, and what they get. Should something else
// be wanted half-way, nothing is left behind on any pod.
func (a MarkRevision) Begun() string {
	before, after := ReadMark(a.Before), ReadMark(a.Mark)
	if n := before.Next; n != nil && maps.Equal(n.Labels, after.Labels) && maps.Equal(n.Annotations, after.Annotations) {
		return a.Before
	}
	before = before.All()
	before.Next = &after
	return before.text()
}

// Metadata is a merge patch of a pod's, or a pod template's, metadata.
func (a MarkRevision) Metadata() map[string]any {
	merge := func(before, after map[string]string) map[string]any {
		fields := map[string]any{}
		for key := range before {
			fields[key] = nil
		}
		for key, value := range after {
			fields[key] = value
		}
		return fields
	}
	before, after := ReadMark(a.Before).All(), ReadMark(a.Mark)
	return map[string]any{
		"labels":      merge(before.Labels, after.Labels),
		"annotations": merge(before.Annotations, after.Annotations),
	}
}

// Next gives those of a revision's pods that are to be marked in this pass, and
// whether that leaves others.
func (a MarkRevision) Next(pods []*corev1.Pod) (next []*corev1.Pod, more bool) {
	for _, p := range pods {
		if !a.Lacks(p) {
			continue
		}
		if len(next) == a.Pods {
			return next, true
		}
		next = append(next, p)
	}
	return next, false
}

// Lacks reports whether a pod does not carry just what it should.
func (a MarkRevision) Lacks(p *corev1.Pod) bool {
	lacks := func(has, before, after map[string]string) bool {
		for key, value := range after {
			if got, ok := has[key]; !ok || got != value {
				return true
			}
		}
		for key := range before {
			_, had := has[key]
			if _, kept := after[key]; had && !kept {
				return true
			}
		}
		return false
	}
	before, after := ReadMark(a.Before).All(), ReadMark(a.Mark)
	return lacks(p.Labels, before.Labels, after.Labels) || lacks(p.Annotations, before.Annotations, after.Annotations)
}

// Mark is the metadata that pods carry for the role of their revision. Its JSON
// is kept on the ReplicaSet, so that it can be taken off again.
type Mark struct {
	// Labels and Annotations put on the pods.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Next is what pods are being given in place of that; nil while they are not.
	Next *Mark `json:"next,omitempty"`
}

// All is everything that pods may carry, from before and of what they are being given.
func (m Mark) All() Mark {
	if m.Next == nil {
		return m
	}
	all := Mark{Labels: map[string]string{}, Annotations: map[string]string{}}
	for _, part := range []Mark{m, *m.Next} {
		maps.Copy(all.Labels, part.Labels)
		maps.Copy(all.Annotations, part.Annotations)
	}
	return all
}

func (m Mark) text() string {
	text, err := json.Marshal(m)
	if err != nil { // maps of strings always encode
		return ""
	}
	return string(text)
}

// ReadMark reads what [MarkRevision] and [CreateRevision] carry; nothing from an empty or foreign text.
func ReadMark(text string) Mark {
	var m Mark
	if json.Unmarshal([]byte(text), &m) != nil {
		return Mark{}
	}
	return m
}

// markFor gives the metadata that a revision's role asks for; empty for none. While the
// API server would refuse it everything stays as it is, so that pods can still be made.
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
	return Mark{Labels: m.Labels, Annotations: m.Annotations}.text()
}

// mark puts each revision's metadata in order, of no more pods than a pass may mark.
func mark(c cursor, f facts) []Action {
	var marks []MarkRevision
	for _, r := range f.Revisions {
		if want := markFor(c, f, r.Hash); want != r.Mark && (want != "" || r.Current > 0) {
			marks = append(marks, MarkRevision{"its role has changed", r.Name, r.Mark, want, 0})
		}
	}
	var actions []Action
	for _, m := range marks {
		m.Pods = max(1, markedAtOnce/len(marks))
		actions = append(actions, m)
	}
	return actions
}
