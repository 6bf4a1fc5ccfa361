// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"fmt"
	"os"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// Users of the full tier besides those of every test cluster. The roles of the
// last two are in assets/access.yaml.
var (
	node       = controlplane.Node(nodeName)
	prometheus = controlplane.User{Name: "prometheus"}
	traefik    = controlplane.User{Name: "traefik"}
)

// callers maps the name of each kubeconfig to whom it makes its bearer.
var callers = map[string]controlplane.User{
	"admin":                   controlplane.Admin,
	"kube-controller-manager": controlplane.ControllerManager,
	"kube-scheduler":          controlplane.Scheduler,
	"kube-proxy":              controlplane.Proxy,
	"kubelet":                 node,
	"prometheus":              prometheus,
	"traefik":                 traefik,
}

// writeAccess makes keys, certificates, tokens and kubeconfigs, and returns the
// settings of the control plane with them.
func (c *Cluster) writeAccess() (controlplane.Settings, error) {
	var users []controlplane.User
	for _, user := range callers {
		users = append(users, user)
	}
	hosts := []string{kubernetesIP, nodeAddress, "127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default"}
	credentials, err := controlplane.NewCredentials(c.at.path("pki"), hosts, users...)
	if err != nil {
		return controlplane.Settings{}, err
	}
	certificates := map[string]controlplane.Subject{
		"kubelet":        {CommonName: node.Name, Organizations: node.Groups, Hosts: []string{nodeAddress, nodeName}},
		"kubelet-client": {CommonName: "kube-apiserver", Organizations: []string{"system:masters"}},
	}
	for name, subject := range certificates {
		if err := credentials.Issue(name, subject); err != nil {
			return controlplane.Settings{}, err
		}
	}
	settings := controlplane.Settings{
		Address: nodeAddress, EtcdPort: etcdPort, EtcdPeerPort: etcdPeerPort, APIPort: apiPort,
		DataDir: c.at.path("etcd"), AuditPolicy: c.at.path("audit-policy.yaml"), AuditLog: c.at.path("logs", "audit.log"),
		Credentials: credentials,
	}
	for name, user := range callers {
		if err := credentials.WriteKubeconfig(c.at.kubeconfig(name), settings.Server(), user); err != nil {
			return controlplane.Settings{}, err
		}
	}
	return settings, settings.WriteAuditPolicy()
}

// writeKubectl puts a kubectl into the folder that exec adds to PATH.
func (c *Cluster) writeKubectl(kube string) error {
	script := fmt.Sprintf("#!/bin/sh\nexec %q kubectl \"$@\"\n", kube)
	if err := os.WriteFile(c.at.path("bin", "kubectl"), []byte(script), 0o755); err != nil {
		return fmt.Errorf("writing the kubectl wrapper: %w", err)
	}
	return nil
}
