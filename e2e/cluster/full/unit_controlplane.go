// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import "github.com/sluice-dev/sluice/e2e/cluster/controlplane"

// controlPlane is etcd, the API server and the controllers beside it.
type controlPlane struct{ site }

func (c controlPlane) unit() unit {
	const apiServer, manager, scheduler = "kube-apiserver", "kube-controller-manager", "kube-scheduler"
	return unit{
		callers: map[string]controlplane.User{
			"admin": controlplane.Admin, manager: controlplane.ControllerManager, scheduler: controlplane.Scheduler,
		},
		certificates: map[string]controlplane.Subject{
			"kubelet-client": {CommonName: apiServer, Organizations: []string{"system:masters"}},
		},
		parts: []part{{
			name: "etcd", stage: first, ready: c.net.answers(etcdURL + "/health"),
			argv: func(in inputs) []string { return in.tool("etcd", in.settings.Etcd()) },
		}, {
			name: apiServer, stage: first, ready: c.api.ready,
			argv: func(in inputs) []string { return in.kube(apiServer, c.apiServerFlags(in.settings)) },
		}, {
			name: manager, stage: afterFirst,
			argv: func(in inputs) []string {
				return in.kube(manager, in.settings.ControllerManager(c.at.kubeconfig(manager)))
			},
		}, {
			name: scheduler, stage: afterFirst,
			argv: func(in inputs) []string { return in.kube(scheduler, c.schedulerFlags(c.at.kubeconfig(scheduler))) },
		}},
	}
}

func (c controlPlane) apiServerFlags(s controlplane.Settings) controlplane.Flags {
	return s.APIServer().With(controlplane.Flags{
		"kubelet-client-certificate":      c.at.path("pki", "kubelet-client.crt"),
		"kubelet-client-key":              c.at.path("pki", "kubelet-client.key"),
		"kubelet-certificate-authority":   s.Credentials.CA(),
		"kubelet-preferred-address-types": "InternalIP",
	})
}

func (c controlPlane) schedulerFlags(kubeconfig string) controlplane.Flags {
	return controlplane.Flags{
		"kubeconfig":     kubeconfig,
		"leader-elect":   "false",
		"secure-port":    "0",
		"kube-api-qps":   "200",
		"kube-api-burst": "400",
	}
}
