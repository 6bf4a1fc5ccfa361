// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// jobs lists the Jobs of job steps that this very Rollout controls.
func (o *observation) jobs(ctx context.Context) error {
	var list batchv1.JobList
	if err := o.from.of(plan.Jobs).List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), client.MatchingLabels{v1alpha1.RolloutLabel: o.s.Rollout.Name}); err != nil {
		return fmt.Errorf("list Jobs of %s: %w", o.s.Rollout.Name, err)
	}
	o.s.Jobs = map[string]plan.Job{}
	for i := range list.Items {
		j := &list.Items[i]
		if metav1.IsControlledBy(j, o.s.Rollout) && j.DeletionTimestamp == nil {
			o.s.Jobs[j.Name] = job(j)
		}
	}
	return nil
}

func job(j *batchv1.Job) plan.Job {
	var seen plan.Job
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		if c.Type == batchv1.JobComplete {
			seen.Succeeded = true
		}
		if c.Type == batchv1.JobFailed {
			seen.Failed, seen.Message = true, c.Message
		}
	}
	return seen
}

// pods lists the stable revision's pods when a decision hangs on them, which is
// seldom. They are read from the API server: a cache of every pod of the cluster
// would cost far more than this.
func (o *observation) pods(ctx context.Context) error {
	if !plan.PodsWanted(o.s) {
		return nil
	}
	pods, err := podsOf(ctx, o, o.s.Rollout.Status.StableRevision)
	for i := range pods {
		p := &pods[i]
		o.s.Pods = append(o.s.Pods, plan.Pod{Name: p.Name, Created: p.CreationTimestamp.Time, Terminating: p.DeletionTimestamp != nil})
	}
	return err
}

// podsOf lists the pods of a revision's ReplicaSet.
func podsOf(ctx context.Context, o *observation, hash string) ([]corev1.Pod, error) {
	var list corev1.PodList
	labels := client.MatchingLabels{v1alpha1.RevisionLabel: hash}
	if err := o.from.live.List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), labels); err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", o.s.Rollout.Name, err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		owner := metav1.GetControllerOf(&p)
		return owner == nil || o.replicaSets[owner.Name] != hash
	}), nil
}

// podsOfWorkload lists the pods that the referenced Deployment has of its own.
func podsOfWorkload(ctx context.Context, o *observation) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(o.s.Selector)
	if err != nil {
		return nil, fmt.Errorf("read the selector of Deployment %s: %w", o.s.Workload.Name, err)
	}
	var list corev1.PodList
	if err := o.from.live.List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("list pods of Deployment %s: %w", o.s.Workload.Name, err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		owner := metav1.GetControllerOf(&p)
		return owner == nil || o.replicaSets[owner.Name] != "" || !strings.HasPrefix(owner.Name, o.s.Workload.Name+"-")
	}), nil
}
