// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// trouble says of a revision whose pods are late what keeps one of them. Pods
// are read only then, and nothing is decided by the answer: it is for people.
func (o *observation) trouble(ctx context.Context) error {
	hash, in := plan.LatePods(o.s)
	at := slices.IndexFunc(o.s.Revisions, func(r plan.Revision) bool { return r.Hash == hash })
	if in > 0 || at < 0 || o.s.Revisions[at].Trouble != "" {
		return nil
	}
	var list corev1.PodList
	labels := client.MatchingLabels{v1alpha1.RevisionLabel: hash}
	if err := o.from.live.List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), labels); err != nil {
		return fmt.Errorf("list pods of %s: %w", o.s.Rollout.Name, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for i := range list.Items {
		p := &list.Items[i]
		if owner := metav1.GetControllerOf(p); owner == nil || o.replicaSets[owner.Name] != hash || p.DeletionTimestamp != nil {
			continue
		}
		if why := podTrouble(p); why != "" {
			o.s.Revisions[at].Trouble = fmt.Sprintf("pod %s: %s", p.Name, why)
			return nil
		}
	}
	return nil
}

// uncreated says why a ReplicaSet can't create pods, such as a quota.
func uncreated(rs *appsv1.ReplicaSet) string {
	for _, c := range rs.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			return c.Message
		}
	}
	return ""
}

// podTrouble says what keeps a pod from being ready; nothing for one that is.
func podTrouble(p *corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if why := containerTrouble(s); why != "" {
			return why
		}
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionFalse:
		case c.Type == corev1.PodScheduled:
			return worded(c.Reason, c.Message)
		case c.Type == corev1.ContainersReady && p.Status.Phase == corev1.PodRunning:
			return "runs, and its readiness probe has not succeeded"
		}
	}
	return ""
}

func containerTrouble(s corev1.ContainerStatus) string {
	if w := s.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
		return worded(w.Reason, w.Message)
	}
	if e := s.LastTerminationState.Terminated; e != nil && !s.Ready {
		return fmt.Sprintf("container %s has ended with code %d", s.Name, e.ExitCode)
	}
	return ""
}

func worded(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}
