// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import corev1 "k8s.io/api/core/v1"

// PodState is the word that says most of a pod, the first that applies: why it
// or a container of it does not run, or else its phase; and the message beside it.
func PodState(p *corev1.Pod) (state, message string) {
	if p.DeletionTimestamp != nil {
		return "Terminating", ""
	}
	if p.Status.Reason != "" {
		return p.Status.Reason, p.Status.Message
	}
	if word, why, ok := obstacle(p.Status.InitContainerStatuses); ok {
		return "Init:" + word, why
	}
	if word, why, ok := obstacle(p.Status.ContainerStatuses); ok {
		return word, why
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason, c.Message
		}
	}
	if p.Status.Phase == "" {
		return string(corev1.PodPending), ""
	}
	return string(p.Status.Phase), ""
}

// obstacle finds the first container that waits or has failed, and why.
func obstacle(cs []corev1.ContainerStatus) (word, why string, ok bool) {
	for _, c := range cs {
		if w := c.State.Waiting; w != nil && w.Reason != "" {
			return w.Reason, w.Message, true
		}
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			return t.Reason, t.Message, true
		}
	}
	return "", "", false
}
