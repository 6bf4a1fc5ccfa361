// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// TestNamesOfOthers: whatever stands in the way is named in the same words, with what helps.
func TestNamesOfOthers(t *testing.T) {
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "test", Name: name} }
	s := plan.Snapshot{Rollout: &v1alpha1.Rollout{ObjectMeta: at("shop")}}
	s.Rollout.UID = "1"
	from := &corev1.ConfigMap{ObjectMeta: at("settings")}
	ref := plan.ConfigRef{Kind: "ConfigMap", Name: "settings"}
	copied, err := copyName(s, ref, from)
	if err != nil {
		t.Fatal(err)
	}
	s.Config = []plan.ConfigCopy{{From: ref, Name: copied}}
	cases := map[string]struct {
		taken client.Object
		make  func(context.Context, writer) error
		want  string
	}{
		"ReplicaSet": {
			taken: &appsv1.ReplicaSet{ObjectMeta: at("shop-1")},
			make: func(ctx context.Context, w writer) error {
				return createReplicaSet(ctx, w, s.Rollout, &appsv1.ReplicaSet{ObjectMeta: at("shop-1")})
			},
			want: "ReplicaSet shop-1 exists and belongs to somebody else; delete or rename it",
		},
		"Job": {
			taken: &batchv1.Job{ObjectMeta: at("shop-2-job-1")},
			make: func(ctx context.Context, w writer) error {
				return create(ctx, w, s.Rollout, &batchv1.Job{ObjectMeta: at("shop-2-job-1")})
			},
			want: "Job shop-2-job-1 exists and belongs to somebody else; delete or rename it",
		},
		"Copy": {
			taken: &corev1.ConfigMap{ObjectMeta: at(copied)},
			make:  func(ctx context.Context, w writer) error { return copies{w.client, w.live}.makeAll(ctx, s) },
			want:  "copy ConfigMap settings: ConfigMap " + copied + " exists and belongs to somebody else; delete or rename it",
		},
		"Service": {
			taken: &corev1.Service{ObjectMeta: at("shop-canary")},
			make: func(ctx context.Context, w writer) error {
				return w.createService(ctx, s, plan.CreateService{Name: "shop-canary", From: "shop"})
			},
			want: "Service shop-canary exists and belongs to somebody else; rename it, or name the Services of the slots in stableService and canaryService",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithObjects(tc.taken, from.DeepCopy(), &corev1.Service{ObjectMeta: at("shop")}).Build()
			err := tc.make(t.Context(), writer{client: c, live: c})
			if err == nil {
				t.Fatal("somebody else's is taken for ours")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
		})
	}
}
