// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

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
	pods, err := podsOf(ctx, o, hash)
	if err != nil {
		o.s.Revisions[at].Trouble = fmt.Sprintf("its pods can't be listed (%v)", err)
		return nil
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for i := range pods {
		if why := podTrouble(&pods[i]); why != "" {
			o.s.Revisions[at].Trouble = fmt.Sprintf("pod %s: %s", pods[i].Name, why)
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

// unavailable says why a Deployment gets no further, such as a quota or its own deadline.
func unavailable(d *appsv1.Deployment) string {
	text := ""
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return c.Message
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			text = c.Message
		}
	}
	return text
}

// podTrouble says what keeps a pod from being ready; nothing for one that is, or that leaves.
func podTrouble(p *corev1.Pod) string {
	ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	state, message := plan.PodState(p)
	switch {
	case ready || p.DeletionTimestamp != nil:
		return ""
	case state == string(corev1.PodRunning):
		return "runs, and its readiness probe has not succeeded"
	case message != "":
		return state + ": " + message
	}
	return state
}
