// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// mistakes finds what neither the schema nor the reading of other objects shows.
func mistakes(f facts) []Problem {
	var found []Problem
	w := f.Workload
	if w != nil && f.Rollout.Status.StableRevision == "" && w.Before == nil && w.Replicas > f.replicas {
		found = append(found, Problem{Field: "spec.replicas", Message: fmt.Sprintf(
			"Deployment %s runs %d replicas but the Rollout asks for %d; raise spec.replicas or scale the Deployment down first",
			w.Name, w.Replicas, f.replicas)})
	}
	found = slices.Concat(found, overfull(f), unripe(f), unreadableJobs(f))
	if f.Template == nil || f.Selector == nil {
		return append(found, metadataMistakes(f)...)
	}
	if !plainlyMatches(f.Selector, f.Template.Labels) {
		found = append(found, selectorMistakes(f)...)
	}
	return append(found, metadataMistakes(f)...)
}

// unreadableJobs finds job steps whose template is none.
func unreadableJobs(f facts) []Problem {
	var found []Problem
	for i, step := range f.strategy.steps {
		if step.Job != nil && step.Job.Template.Unreadable != "" {
			found = append(found, Problem{Field: fmt.Sprintf("%s.steps[%d].job.template", f.strategy.at, i), Message: fmt.Sprintf(
				"is no template of a batch/v1 Job (%s); correct it", step.Job.Template.Unreadable)})
		}
	}
	return found
}

// plainlyMatches reports whether a selector of nothing but labels matches. It
// is what nearly every selector is, and nothing has to be parsed for it.
func plainlyMatches(s *metav1.LabelSelector, have map[string]string) bool {
	for key, value := range s.MatchLabels {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return len(s.MatchLabels) > 0 && len(s.MatchExpressions) == 0
}

func selectorMistakes(f facts) []Problem {
	var found []Problem
	selector, err := metav1.LabelSelectorAsSelector(f.Selector)
	switch {
	case err != nil:
		found = append(found, Problem{Field: "spec.selector", Message: err.Error()})
	case selector.Empty():
		found = append(found, Problem{Field: "spec.selector", Message: "selects every pod; give it matchLabels that only this workload carries"})
	case !selector.Matches(labels.Set(f.Template.Labels)):
		found = append(found, Problem{Field: "spec.template.metadata.labels", Message: fmt.Sprintf(
			"must match spec.selector (%s); add the missing labels", selector)})
	}
	return found
}

// metadataMistakes finds metadata for a role that would take pods out of the
// selector, or that the API server refuses.
func metadataMistakes(f facts) []Problem {
	var found []Problem
	for _, m := range f.strategy.metadata() {
		if m.PodMetadata == nil {
			continue
		}
		wrong := func(part, key, says string) {
			found = append(found, Problem{Field: fmt.Sprintf("%s.%s.%s", f.strategy.at, m.field, part), Message: fmt.Sprintf("%s %q %s", strings.TrimSuffix(part, "s"), key, says)})
		}
		for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
			switch value := m.Labels[key]; {
			case key == v1alpha1.RevisionLabel || selects(f.Selector, key):
				wrong("labels", key, "selects the pods; choose another label")
			case validation.IsQualifiedName(key) != nil:
				wrong("labels", key, badKey)
			case validation.IsValidLabelValue(value) != nil:
				wrong("labels", key, fmt.Sprintf("has a value that no label can have, %q; use at most 63 letters, digits, '-', '_' and '.', or an annotation", value))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(m.Annotations)) {
			if validation.IsQualifiedName(strings.ToLower(key)) != nil {
				wrong("annotations", key, badKey)
			}
		}
	}
	return found
}

// selects reports whether a selector, if there is one, asks for the value of a label.
func selects(s *metav1.LabelSelector, key string) bool {
	if s == nil {
		return false
	}
	_, asks := s.MatchLabels[key]
	return asks
}

const badKey = "is no name that Kubernetes takes; use at most 63 letters, digits, '-', '_' and '.', after a domain and '/' if need be"
