// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSelectorText: the short cut gives what parsing would.
func TestSelectorText(t *testing.T) {
	for name, s := range map[string]metav1.LabelSelector{
		"Nothing":     {},
		"One":         {MatchLabels: map[string]string{"app": "shop"}},
		"Several":     {MatchLabels: map[string]string{"b": "2", "a": "1", "sluice.dev/x": ""}},
		"Expressions": {MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpExists}}},
		"Both": {
			MatchLabels:      map[string]string{"a": "1"},
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "b", Operator: metav1.LabelSelectorOpIn, Values: []string{"2", "3"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := selectorText(&s), metav1.FormatLabelSelector(&s); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
