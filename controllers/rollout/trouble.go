// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// trouble says of pods that are late what keeps one of them. Pods are read only
// then, and nothing is decided by the answer: it is for people.
func (o *observation) trouble(ctx context.Context) error {
	o.troubleOfWorkload(ctx)
	hash, in := plan.LatePods(o.s)
	at := slices.IndexFunc(o.s.Revisions, func(r plan.Revision) bool { return r.Hash == hash })
	if in > 0 || at < 0 || o.s.Revisions[at].Trouble != "" {
		return nil
	}
	pods, err := podsOf(ctx, o, hash)
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return !plan.LatePod(o.s, hash, p.CreationTimestamp.Time) })
	o.s.Revisions[at].Trouble = keptBack(pods, err)
	return nil
}

// troubleOfWorkload says the same of the referenced workload's own pods, after what its
// controller says of it.
func (o *observation) troubleOfWorkload(ctx context.Context) {
	if late, in := plan.LateWorkload(o.s); !late || in > 0 {
		return
	}
	w := o.s.Workload
	switch why := keptBack(podsOfWorkload(ctx, o)); {
	case w.Trouble == "":
		w.Trouble = why
	case why != "":
		w.Trouble += ", " + why
	}
}

// keptBack names the oldest pod that is kept from being ready, and what keeps it.
func keptBack(pods []corev1.Pod, err error) string {
	if err != nil {
		return fmt.Sprintf("its pods can't be listed (%v)", err)
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range pods {
		if why := podTrouble(&pods[i]); why != "" {
			return fmt.Sprintf("pod %s: %s", pods[i].Name, why)
		}
	}
	return ""
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

// unavailable says why a Deployment gets no further, in its controller's words: a
// quota, a pause or its own deadline.
func unavailable(d *appsv1.Deployment) string {
	text := ""
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			return c.Message
		case c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse:
			text = strings.TrimSuffix(c.Message, ".")
		}
	}
	if d.Spec.Paused { // what it says of its deadline stays under a pause
		return "Deployment is paused"
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
