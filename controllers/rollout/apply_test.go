// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestScaledMeanwhile: somebody who was faster is a lost race, as the real API server tells it.
func TestScaledMeanwhile(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t)
	c := env.Client(t, clientgoscheme.Scheme)
	labels := map[string]string{"app": "idle"}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t), Name: "idle"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "idle", Image: "idle"}}}},
		},
	}
	if err := c.Create(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	w := writer{client: c, live: c}
	if err := w.scale(t.Context(), rs.DeepCopy(), 2, 0); !apierrors.IsConflict(err) {
		t.Errorf("a ReplicaSet of 0 scaled from 2: %v, want a conflict", err)
	}
	if err := w.scale(t.Context(), rs.DeepCopy(), 0, 0); err != nil {
		t.Errorf("scaled from the 0 that it has: %v", err)
	}
}
