// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// ofFour is a Rollout of four pods.
func ofFour(s v1alpha1.Strategy) *v1alpha1.Rollout {
	labels := map[string]string{"app": "shop"}
	return &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "test", Generation: 1, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr.To(int32(4)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Strategy: s,
			Template: &corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "v1"}}},
			},
		},
	}
}

// rolling is a rolling update of four pods from revision "old" to "new", with one pod of surge.
func rolling(revisions ...plan.Revision) plan.Snapshot {
	at := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	ro := ofFour(v1alpha1.Strategy{})
	ro.Status = v1alpha1.RolloutStatus{
		StableRevision: "old", CanaryRevision: "new", Release: 2, StartedAt: &at,
		Bindings: &v1alpha1.Bindings{Strategy: plan.StrategyRollingUpdate},
	}
	for i := range revisions {
		revisions[i].Name, revisions[i].Number, revisions[i].Current = "shop-"+revisions[i].Hash, int64(i+1), revisions[i].Replicas
	}
	return plan.Snapshot{
		Now: at.Add(time.Minute), Rollout: ro, Template: ro.Spec.Template, Target: "new", Selector: ro.Spec.Selector, Revisions: revisions,
	}
}

// TestPodsThatAreNotReady leave only when those that are left, or may come back, are enough.
func TestPodsThatAreNotReady(t *testing.T) {
	set := func(hash string, replicas, ready, available int32) plan.Revision {
		return plan.Revision{Hash: hash, Replicas: replicas, Ready: ready, Available: available}
	}
	for name, test := range map[string]struct {
		reason    string
		revisions []plan.Revision
		want      map[string]int32
	}{
		"AllLost": {
			reason:    "Stable's pods may be back in a moment; the new revision has none to take their place.",
			revisions: []plan.Revision{set("old", 4, 0, 0), set("new", 1, 0, 0)},
			want:      map[string]int32{},
		},
		"OneForOne": {
			reason:    "An unhealthy stable never blocks a fix: each new pod that is available takes the place of one that is not.",
			revisions: []plan.Revision{set("old", 4, 0, 0), set("new", 1, 1, 1)},
			want:      map[string]int32{"shop-old": 3},
		},
		"ReadyIsNotIdle": {
			reason:    "A pod that is ready answers, although it is not available for long enough yet.",
			revisions: []plan.Revision{set("old", 4, 4, 3), set("new", 1, 0, 0)},
			want:      map[string]int32{},
		},
		"FormerFix": {
			reason:    "Pods of a broken revision without a role make room first.",
			revisions: []plan.Revision{set("old", 4, 4, 4), set("broken", 1, 0, 0), set("new", 0, 0, 0)},
			want:      map[string]int32{"shop-broken": 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]int32{}
			for _, a := range plan.Decide(rolling(test.revisions...)).Actions {
				if s, ok := a.(plan.ScaleRevision); ok && s.Replicas < s.From {
					got[s.Name] = s.Replicas
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s\nScaled down (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestEveryPodMoreBeginsTheDeadlineAnew: a rolling update is one wait from its first pod
// to its last, and may take many batches. A pod that fails and comes back again and
// again is none more.
func TestEveryPodMoreBeginsTheDeadlineAnew(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		// available are the new revision's pods, as looked at every nine minutes.
		available []int32
		aborted   bool
	}{
		"Batches": {"each takes less than ten minutes, and together they take more", []int32{0, 1, 2, 3}, false},
		"Stuck":   {"the third pod never gets available", []int32{0, 1, 2, 2, 2}, true},
		"Flaps":   {"the second pod comes and goes", []int32{0, 1, 2, 1, 2, 1}, true},
		"Late":    {"it was not there at the last look before the deadline, but is now", []int32{1, 1, 2, 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var last v1alpha1.RolloutStatus
			for i, n := range test.available {
				s := rolling(plan.Revision{Hash: "old", Replicas: 4 - n, Ready: 4 - n, Available: 4 - n}, plan.Revision{Hash: "new", Replicas: n + 1, Ready: n, Available: n})
				s.Now = s.Now.Add(time.Duration(i) * 9 * time.Minute)
				if i > 0 {
					s.Rollout.Status = last
				}
				last = plan.Decide(s).Status
			}
			if got := last.Abort != nil; got != test.aborted {
				t.Errorf("%s: aborted %t, want %t: %s", test.reason, got, test.aborted, last.Message)
			}
		})
	}
}
