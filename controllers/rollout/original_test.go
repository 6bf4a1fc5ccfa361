// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestRouteReturnsToTheUsersOwnForm: whatever weights the user wrote are in the
// route again once the Rollout or its strategy has gone, and before that
// whenever they say the same as what is wanted.
func TestRouteReturnsToTheUsersOwnForm(t *testing.T) {
	cases := map[string]struct {
		reason         string
		stable, canary int32
		atRest         bool
	}{
		"ByDefault": {reason: "1 and 0 say what 100 and 0 do", stable: 1, canary: 0, atRest: true},
		"Heavy":     {reason: "and so do 900 and 0", stable: 900, canary: 0, atRest: true},
		"Even":      {reason: "nobody wrote a weight, which is 1 and 1", stable: 1, canary: 1},
		"Canary":    {reason: "the second Service gets everything", stable: 0, canary: 5},
	}
	ends := map[string]func(*shop){
		"Deleted": func(s *shop) { s.delete(s.get()) },
		"StrategyRemoved": func(s *shop) {
			s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy = v1alpha1.Strategy{} })
			s.until("without a strategy", func(ro *v1alpha1.Rollout) bool {
				return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.Bindings.Strategy == "RollingUpdate" && ro.Status.OriginalWeights == nil
			})
			for _, name := range []string{"shop-stable", "shop-canary"} {
				svc := &corev1.Service{}
				if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: name}, svc); err != nil || svc.Spec.Selector[v1alpha1.RevisionLabel] != "" {
					s.t.Errorf("Service %s selects %v (%v), want it given back", name, svc.Spec.Selector, err)
				}
			}
		},
	}
	for name, tc := range cases {
		for ending, end := range ends {
			t.Run(name+ending, func(t *testing.T) {
				t.Parallel()
				s := newShop(t)
				r := s.httpRoute()
				refs := r.Spec.Rules[0].BackendRefs
				s.edit(r, func() { refs[0].Weight, refs[1].Weight = ptr.To(tc.stable), ptr.To(tc.canary) })
				own := s.rules()
				startController(t, testenv.Start(t), s.ns)
				s.create(s.rollout(weight(25), pause()))
				s.untilPhase(v1alpha1.PhaseHealthy)
				s.release("shop:v2")
				s.untilPhase(v1alpha1.PhasePaused)
				if stable, canary := s.weights(); stable != 75 || canary != 25 {
					t.Errorf("%s: at the pause the route has %d and %d", tc.reason, stable, canary)
				}
				s.say(v1alpha1.VerbPromote)
				s.untilPhase(v1alpha1.PhaseHealthy)
				if got := s.rules(); (got == own) != tc.atRest {
					t.Errorf("%s: after the promotion the route has %s, of the user's own %s", tc.reason, got, own)
				}
				end(s)
				if got := s.rules(); got != own {
					t.Errorf("%s: in the end the route has %s, want the user's own %s", tc.reason, got, own)
				}
			})
		}
	}
}
