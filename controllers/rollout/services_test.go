// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// TestUnfitServices: one that can't stand for the workload's pods is said to be so, once.
func TestUnfitServices(t *testing.T) {
	selects := func(labels map[string]string) corev1.ServiceSpec { return corev1.ServiceSpec{Selector: labels} }
	for name, tc := range map[string]struct {
		reason   string
		spec     corev1.ServiceSpec
		template map[string]string
		fit      bool
	}{
		"Fits":         {"it selects what the template has", selects(map[string]string{"app": "shop"}), map[string]string{"app": "shop", "tier": "web"}, true},
		"Narrowed":     {"the revision's label is ours", selects(map[string]string{"app": "shop", v1alpha1.RevisionLabel: "v1"}), map[string]string{"app": "shop"}, true},
		"Unknown":      {"without a template there is nothing to compare", selects(map[string]string{"app": "other"}), nil, true},
		"Promised":     {"it is the template that lacks what spec.selector has", selects(map[string]string{"app": "shop"}), map[string]string{"tier": "web"}, true},
		"Other":        {"it never lists these pods", selects(map[string]string{"app": "other"}), map[string]string{"app": "shop"}, false},
		"NoSelector":   {"somebody else makes its endpoints", selects(nil), map[string]string{"app": "shop"}, false},
		"ExternalName": {"it is another name", corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, Selector: map[string]string{"app": "shop"}}, map[string]string{"app": "shop"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &observation{s: plan.Snapshot{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}}}
			if tc.template != nil {
				o.s.Template = &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: tc.template}}
			}
			fit := checkService(o, &corev1.Service{Spec: tc.spec}, "spec.strategy.canary.stableService")
			if fit != tc.fit || (len(o.found) == 0) != fit {
				t.Errorf("%s: fit is %t, found %v", tc.reason, fit, o.found)
			}
		})
	}
}
