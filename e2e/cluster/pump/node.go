// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package pump

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeName is the fake node that every pod is bound to.
const NodeName = "pump-0"

// nodeAddress is the fake node's address; nothing is there.
const nodeAddress = "10.250.0.1"

// ensureNode creates the fake node, or leaves it as it is. Nobody watches its
// heartbeat: the control plane of this tier runs without node lifecycle.
func (p *Pump) ensureNode(ctx context.Context) error {
	plenty := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods:   resource.MustParse("100000"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: NodeName, Labels: map[string]string{
			corev1.LabelHostname: NodeName, corev1.LabelOSStable: "linux",
		}},
		Status: corev1.NodeStatus{
			Capacity:    plenty,
			Allocatable: plenty,
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Pumping", Message: "fake node of the pod pump",
				LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			}},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeAddress}},
		},
	}
	nodes := p.client.CoreV1().Nodes()
	created, err := nodes.Create(ctx, node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating the fake node: %w", err)
	}
	created.Status = node.Status
	if _, err := nodes.UpdateStatus(ctx, created, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("reporting the fake node ready: %w", err)
	}
	return nil
}
