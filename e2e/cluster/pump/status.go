// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package pump

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// running is the status of a pod that the node runs with the given behaviour.
// What the pod's status already says about times and addresses is kept.
func running(pod *corev1.Pod, behaviour Behaviour, address string, now metav1.Time) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.Phase = corev1.PodRunning
	if status.StartTime == nil {
		status.StartTime = &now
	}
	if status.PodIP == "" {
		status.HostIP, status.HostIPs = nodeAddress, []corev1.HostIP{{IP: nodeAddress}}
		status.PodIP, status.PodIPs = address, []corev1.PodIP{{IP: address}}
	}
	ready := behaviour == Healthy
	setCondition(&status, corev1.PodScheduled, true, "", now)
	setCondition(&status, corev1.PodInitialized, true, "", now)
	setCondition(&status, corev1.ContainersReady, ready, "ContainersNotReady", now)
	setCondition(&status, corev1.PodReady, ready && gatesOpen(pod), "ContainersNotReady", now)
	status.ContainerStatuses = containers(pod, behaviour, *status.StartTime)
	return status
}

// gatesOpen tells whether every readiness gate of the pod is true.
func gatesOpen(pod *corev1.Pod) bool {
	for _, gate := range pod.Spec.ReadinessGates {
		if !isTrue(pod, gate.ConditionType) {
			return false
		}
	}
	return true
}

func containers(pod *corev1.Pod, behaviour Behaviour, started metav1.Time) []corev1.ContainerStatus {
	statuses := make([]corev1.ContainerStatus, 0, len(pod.Spec.Containers))
	up := behaviour != Crash
	for _, container := range pod.Spec.Containers {
		status := corev1.ContainerStatus{
			Name:        container.Name,
			Image:       container.Image,
			ImageID:     "pump://" + container.Image,
			ContainerID: "pump://" + string(pod.UID) + "/" + container.Name,
			Ready:       behaviour == Healthy,
			Started:     &up,
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		}
		if behaviour == Crash {
			status.RestartCount = 3
			status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason:  "CrashLoopBackOff",
				Message: "back-off 40s restarting failed container",
			}}
			status.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", StartedAt: started, FinishedAt: started,
			}}
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func setCondition(status *corev1.PodStatus, kind corev1.PodConditionType, ok bool, reason string, now metav1.Time) {
	want := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
	if !ok {
		want.Status, want.Reason = corev1.ConditionFalse, reason
	}
	for i, have := range status.Conditions {
		if have.Type != kind {
			continue
		}
		if have.Status != want.Status {
			status.Conditions[i] = want
		}
		return
	}
	status.Conditions = append(status.Conditions, want)
}

func isTrue(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == kind {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
