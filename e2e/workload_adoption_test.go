// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryWorkloadAdoption: a Deployment under load is taken over, released
// through its own template, and handed back when the Rollout is deleted.
func TestStoryWorkloadAdoption(t *testing.T) {
	t.Parallel()
	s := tell(t, "workload-adoption")
	s.deploy("v1")
	s.openFor("v1")

	s.must(s.shop.Create(t.Context(), ofDeployment, harness.Steps(harness.Weight(50), harness.Pause())))
	s.wait("the Deployment to be taken over", func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseHealthy
	})
	s.share("v1", 100)
	s.deploymentHas(0)
	s.truth("carries all traffic")

	s.deploy("v2")
	s.wait("v2 to pause", func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhasePaused
	})
	s.share("v2", 50)
	s.plugin(0, "promote", harness.Name)
	s.wait("the promotion", func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseHealthy && r.Status.StableRevision == s.hash("v2")
	})
	s.share("v2", 100)
	s.neverBack("v2")
	s.deploymentHas(0)

	r, err := s.shop.Rollout(t.Context())
	s.must(err)
	s.must(s.shop.Cluster.Client.Delete(t.Context(), r))
	s.deploymentHas(2)
	s.gone()
}

// ofDeployment makes a Rollout use the template of the Deployment.
func ofDeployment(r *v1alpha1.Rollout) {
	r.Spec.Template, r.Spec.Selector = nil, nil
	r.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: harness.Name}
}

// deploy creates the Deployment, or gives it another version.
func (s *story) deploy(version string) {
	s.Helper()
	c := s.shop.Cluster
	template := harness.Template(c.Image("shop:dev"), version)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.shop.Namespace, Name: harness.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Template: template,
			Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
		},
	}
	if version == "v1" {
		s.must(c.Client.Create(s.Context(), d))
		s.deploymentHas(2)
		return
	}
	s.must(c.Client.Get(s.Context(), client.ObjectKeyFromObject(d), d))
	old := d.DeepCopy()
	d.Spec.Template = template
	s.must(c.Client.Patch(s.Context(), d, client.MergeFrom(old)))
}

// deploymentHas waits until the Deployment wants and has that many pods.
func (s *story) deploymentHas(n int32) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("the Deployment to have %d pods", n), func(ctx context.Context) (bool, string, error) {
		var d appsv1.Deployment
		if err := s.shop.Cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.shop.Namespace, Name: harness.Name}, &d); err != nil {
			return false, "", err
		}
		wants := ptr.Deref(d.Spec.Replicas, 1)
		return wants == n && d.Status.Replicas == n && d.Status.AvailableReplicas == n,
			fmt.Sprintf("wants %d, has %d, %d available", wants, d.Status.Replicas, d.Status.AvailableReplicas), nil
	}))
}

// gone waits until the Rollout has let go, and a while longer for its pods to leave under load.
func (s *story) gone() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "the Rollout and its pods to be gone", func(ctx context.Context) (bool, string, error) {
		pods, err := s.shop.Pods(ctx, client.HasLabels{v1alpha1.RevisionLabel})
		if err != nil {
			return false, "", err
		}
		_, err = s.shop.Rollout(ctx)
		return len(pods) == 0 && client.IgnoreNotFound(err) == nil && err != nil, fmt.Sprintf("%d pods left, Rollout: %v", len(pods), err), nil
	}))
}
