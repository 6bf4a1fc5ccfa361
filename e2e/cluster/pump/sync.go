// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package pump

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// sync moves one pod one step along. A positive duration asks to be called
// again after it.
func (p *Pump) sync(ctx context.Context, key types.NamespacedName) (time.Duration, error) {
	pod, err := p.pods.Pods(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading pod %s: %w", key, err)
	}
	switch {
	case pod.DeletionTimestamp != nil:
		return 0, p.finish(ctx, pod)
	case pod.Spec.NodeName == "":
		return 0, p.bind(ctx, pod)
	case pod.Spec.NodeName != NodeName || over(pod) || behaviourOf(pod) == Stuck:
		return 0, nil
	}
	if wait := p.untilReady(pod); wait > 0 {
		return wait, nil
	}
	return 0, p.report(ctx, pod)
}

// over tells whether the pod has ended for good.
func over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// untilReady is how long the pod must still wait before it is reported ready.
func (p *Pump) untilReady(pod *corev1.Pod) time.Duration {
	delay := time.Duration(p.delay.Load())
	if delay <= 0 || pod.Status.Phase == corev1.PodRunning {
		return 0
	}
	return time.Until(pod.CreationTimestamp.Add(delay))
}

// finish completes a deletion, as a kubelet does once the containers have ended.
func (p *Pump) finish(ctx context.Context, pod *corev1.Pod) error {
	now := int64(0)
	err := p.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("finishing the deletion of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func (p *Pump) bind(ctx context.Context, pod *corev1.Pod) error {
	if len(pod.Spec.SchedulingGates) > 0 {
		return nil
	}
	err := p.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: NodeName},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("binding pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func (p *Pump) report(ctx context.Context, pod *corev1.Pod) error {
	address := pod.Status.PodIP
	if address == "" {
		address = p.nextAddress()
	}
	status := running(pod, behaviourOf(pod), address, metav1.Now())
	if equality.Semantic.DeepEqual(status, pod.Status) {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Status = status
	_, err := p.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("reporting pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil // a conflict means that a newer pod is on its way to the queue
}

// nextAddress hands out pod addresses one after the other.
func (p *Pump) nextAddress() string {
	n := p.counter.Add(1)
	return fmt.Sprintf("10.%d.%d.%d", 128+n>>16&0x3f, n>>8&0xff, n&0xff)
}
