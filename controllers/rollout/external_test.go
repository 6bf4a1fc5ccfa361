// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestNamesOfOtherHostsStandForNoPods: a Service that is a name for something else
// is no place for a revision, also where it has a selector, which nobody looks at.
func TestNamesOfOtherHostsStandForNoPods(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		service, field string
		selector       map[string]string
		blueGreen      bool
	}{
		"Stable":  {service: "shop-stable", field: "spec.strategy.canary.stableService", selector: map[string]string{"app": "shop"}},
		"Canary":  {service: "shop-canary", field: "spec.strategy.canary.canaryService"},
		"Active":  {service: "shop-stable", field: "spec.strategy.blueGreen.activeService", blueGreen: true},
		"Preview": {service: "shop-canary", field: "spec.strategy.blueGreen.previewService", selector: map[string]string{"app": "shop"}, blueGreen: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: tc.service, Namespace: s.ns}}
			if err := s.client.Delete(s.ctx, service); err != nil {
				t.Fatal(err)
			}
			s.create(&corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: tc.service, Namespace: s.ns},
				Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "shop.example.com", Selector: tc.selector},
			})
			startController(t, testenv.Start(t), s.ns)
			ro := s.rollout(weight(25), pause())
			if tc.blueGreen {
				ro.Spec.Strategy = s.blueGreen()
			}
			s.create(ro)
			got := s.until("the mistake is named", func(ro *v1alpha1.Rollout) bool {
				return meta.IsStatusConditionFalse(ro.Status.Conditions, v1alpha1.ConditionSpecValid)
			})
			says := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionSpecValid).Message
			if want := []string{
				tc.field + ": Service " + tc.service + " is of type ExternalName, another name of shop.example.com", "name a Service of type ClusterIP here",
			}; !contains(says, want) || contains(says, []string{"give it the workload's labels"}) {
				t.Errorf("SpecValid says %q, want %q in it, and no remedy that mends nothing", says, want)
			}
		})
	}
}
