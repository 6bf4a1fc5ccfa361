// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryBaseline: fresh pods of stable get a share of their own beside the
// canary's. One of them is deleted and comes back; they end by a step, and in the
// next release by an abort. Nobody's request is lost by that.
func TestStoryBaseline(t *testing.T) {
	t.Parallel()
	s := tell(t, "baseline")
	s.open(harness.Steps(
		harness.Weight(25), harness.Baseline(2, 25), harness.Pause(),
		harness.Weight(50), harness.Baseline(0, 0), harness.Pause(),
	))

	generation := s.release(harness.Version("v2"))
	s.wait("the baseline beside v2", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v2", 25)
	fresh := fmt.Sprintf("%s-b%d", s.hash("v1"), s.seen.Latest().Status.Release)
	s.gets(fresh, 25)
	s.answering(fresh, 0.25)

	pods, err := s.shop.Pods(s.Context(), client.MatchingLabels{v1alpha1.RevisionLabel: fresh})
	if err != nil || len(pods) != 2 {
		t.Fatalf("%d fresh pods (%v), want 2", len(pods), err)
	}
	_, err = s.shop.Kubectl(s.Context(), "delete", "pod", pods[0].Name, "--wait=false")
	s.must(err)
	s.replaced(fresh, pods[0].Name)
	s.gets(fresh, 25)

	s.plugin(0, "promote", harness.Name)
	s.wait("the end of the baseline", func(r *v1alpha1.Rollout) bool {
		return r.Status.Phase == v1alpha1.PhasePaused && r.Status.CurrentStep != nil && r.Status.CurrentStep.Index == 5
	})
	s.share("v2", 50)
	s.left(fresh)
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)

	generation = s.release(harness.Version("v3"))
	s.wait("a baseline beside v3", harness.Reached(v1alpha1.PhasePaused, generation))
	fresh = fmt.Sprintf("%s-b%d", s.hash("v2"), s.seen.Latest().Status.Release)
	s.share("v3", 25)
	s.plugin(0, "abort", harness.Name)
	s.wait("the abort of v3", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v3", 0)
	s.left(fresh)
}

// replaced waits until a pod of a revision is gone and two others are ready.
func (s *story) replaced(revision, pod string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "another pod in the place of "+pod, func(ctx context.Context) (bool, string, error) {
		pods, err := s.shop.Pods(ctx, client.MatchingLabels{v1alpha1.RevisionLabel: revision})
		ready := 0
		for i := range pods {
			if pods[i].Name == pod {
				return false, "it is still there", err
			}
			for _, c := range pods[i].Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		return ready == 2, fmt.Sprintf("%d are ready", ready), err
	}))
}

// gets waits until a revision is known to have a share.
func (s *story) gets(revision string, percent int32) {
	s.Helper()
	s.wait(fmt.Sprintf("%s to get %d %%", revision, percent), func(r *v1alpha1.Rollout) bool {
		if r.Status.Traffic == nil || len(r.Status.Traffic.Confirmed) == 0 {
			return false
		}
		var share int32
		for _, w := range r.Status.Traffic.Confirmed {
			if w.Revision == revision {
				share += w.Weight
			}
		}
		return share == percent
	})
}

// answering waits until the pods of a revision answer about a part of all requests, as Prometheus counts them.
func (s *story) answering(revision string, part float64) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	query := fmt.Sprintf(`sum(rate(http_requests_total{namespace=%q,revision=%q}[10s])) / sum(rate(http_requests_total{namespace=%[1]q}[10s]))`, s.shop.Namespace, revision)
	s.must(harness.Poll(ctx, fmt.Sprintf("%s to answer about %g of the requests", revision, part), func(ctx context.Context) (bool, string, error) {
		got, found, err := s.shop.Cluster.Query(ctx, query)
		return found && got > part-0.08 && got < part+0.08, fmt.Sprintf("%g, found %v", got, found), err
	}))
}

// left waits until no pod of a revision is there.
func (s *story) left(revision string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "the pods of "+revision+" to leave", func(ctx context.Context) (bool, string, error) {
		pods, err := s.shop.Pods(ctx, client.MatchingLabels{v1alpha1.RevisionLabel: revision})
		return err == nil && len(pods) == 0, fmt.Sprintf("%d are left", len(pods)), err
	}))
}
