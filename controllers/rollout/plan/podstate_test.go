// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPodState(t *testing.T) {
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	cases := map[string]struct {
		reason string
		pod    corev1.Pod
		want   []string
	}{
		"New": {"A pod without a status is pending.", corev1.Pod{}, []string{"Pending", ""}},
		"Terminating": {"Leaving beats all else.", corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning}}, []string{"Terminating", ""}},
		"Evicted": {"The pod's own reason beats its phase.", corev1.Pod{Status: corev1.PodStatus{
			Phase: corev1.PodFailed, Reason: "Evicted", Message: "out of disk"}}, []string{"Evicted", "out of disk"}},
		"Waiting": {"Why a container waits beats the phase.", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending,
			ContainerStatuses: []corev1.ContainerStatus{{}, {State: waiting}}}}, []string{"ImagePullBackOff", "no such image"}},
		"Init": {"An init container is called so.", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending,
			InitContainerStatuses: []corev1.ContainerStatus{{State: waiting}}}}, []string{"Init:ImagePullBackOff", "no such image"}},
		"Failed": {"A failed container is named by its reason.", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "OOMKilled"}}}}}}, []string{"OOMKilled", ""}},
		"Unscheduled": {"A pod without a place says why.", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending,
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes"}}}},
			[]string{"Unschedulable", "0/3 nodes"}},
		"Running": {"Else the phase says it.", corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}, []string{"Running", ""}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			state, message := PodState(&tc.pod)
			if diff := cmp.Diff(tc.want, []string{state, message}); diff != "" {
				t.Errorf("%s\nPodState(…): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
