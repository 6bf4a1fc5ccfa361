// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

func TestCopiesAreNamedAfterTheirRollout(t *testing.T) {
	copied := func(rollout, name string, revisions ...plan.Revision) string {
		t.Helper()
		s := plan.Snapshot{Rollout: &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: rollout}}, Revisions: revisions}
		source := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"colour": "green"}}
		got, err := copyName(s, plan.ConfigRef{Kind: plan.KindConfigMap, Name: name}, source)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	hash, err := plan.HashConfig(map[string]string{"colour": "green"}, map[string][]byte(nil))
	if err != nil {
		t.Fatal(err)
	}
	former := names.SharedConfigCopy("settings", hash)
	noting := func(kind, name string) plan.Revision {
		return plan.Revision{Config: []plan.ConfigRef{{Kind: kind, Name: name}}}
	}
	long := strings.Repeat("x", 253)
	for name, tc := range map[string]struct {
		reason string
		a, b   string
		same   bool
	}{
		"TwoRollouts":     {"each owns its copy", copied("web", "settings"), copied("worker", "settings"), false},
		"DashInTheName":   {"where one name ends and the other begins can't be seen", copied("a", "b-c"), copied("a-b", "c"), false},
		"LongNames":       {"what is cut off counts as well", copied("web", long), copied("web", long[1:]), false},
		"Again":           {"the same content is the same revision", copied("web", "settings"), copied("web", "settings"), true},
		"UsedBefore":      {"an upgrade makes no new revision", copied("web", "settings", noting(plan.KindConfigMap, former)), former, true},
		"OfAnotherKind":   {"a Secret of that name is another object", copied("web", "settings", noting(plan.KindSecret, former)), former, false},
		"OfOtherContents": {"what changed gets a copy of its own name", copied("web", "settings", noting(plan.KindConfigMap, "settings-0")), copied("web", "settings"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if (tc.a == tc.b) != tc.same || max(len(tc.a), len(tc.b)) > 253 {
				t.Errorf("%s (%d characters) and %s: the same %v, want %v within 253 characters: %s", tc.a, len(tc.a), tc.b, tc.a == tc.b, tc.same, tc.reason)
			}
		})
	}
}
