// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// nodeRuntime makes this machine the cluster's one node: containerd, kubelet and
// kube-proxy.
type nodeRuntime struct{ site }

func (n nodeRuntime) unit() unit {
	const proxy = "kube-proxy"
	user := controlplane.Node(nodeName)
	return unit{
		callers: map[string]controlplane.User{"kubelet": user, proxy: controlplane.Proxy},
		certificates: map[string]controlplane.Subject{
			"kubelet": {CommonName: user.Name, Organizations: user.Groups, Hosts: []string{nodeAddress, nodeName}},
		},
		configs: map[string]string{
			"containerd.toml": n.at.path("containerd.toml"),
			"cni.conflist":    n.at.path("cni", "sluice.conflist"),
			"kubelet.yaml":    n.at.path("kubelet.yaml"),
			"kube-proxy.yaml": n.at.path("kube-proxy.yaml"),
			"resolv.conf":     n.at.path("resolv.conf"),
		},
		parts: []part{{
			name: containerd, stage: first, ready: n.containerdReady,
			argv: func(inputs) []string { return []string{"containerd", "--config", n.at.path("containerd.toml")} },
		}, {
			name: proxy, stage: afterFirst, ready: n.net.answers(proxyURL),
			argv: func(in inputs) []string {
				return in.kube(proxy, controlplane.Flags{"config": n.at.path("kube-proxy.yaml")})
			},
		}, {
			name: "kubelet", stage: afterImages,
			argv: func(in inputs) []string { return in.kube("kubelet", n.kubeletFlags()) },
		}},
		checks: []check{{what: "node " + nodeName, ready: n.ready}},
	}
}

func (n nodeRuntime) kubeletFlags() controlplane.Flags {
	return controlplane.Flags{
		"config":            n.at.path("kubelet.yaml"),
		"kubeconfig":        n.at.kubeconfig("kubelet"),
		"root-dir":          n.at.path("kubelet"),
		"hostname-override": nodeName,
		"node-ip":           nodeAddress,
	}
}

// containerdReady asks containerd for its version.
func (n nodeRuntime) containerdReady(ctx context.Context) error {
	return run(ctx, "ctr", "--address", n.at.containerdSocket(), "version")
}

// ready tells whether pods may be put on the node.
func (n nodeRuntime) ready(ctx context.Context) error {
	client, err := n.api.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("the node is still tainted: %s", node.Spec.Taints[0].Key)
	}
	return nil
}
