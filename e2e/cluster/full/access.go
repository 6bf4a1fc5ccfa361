// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"fmt"
	"os"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// writeAccess makes keys, certificates, tokens and kubeconfigs for all units,
// and returns the settings of the control plane with them.
func writeAccess(at layout, units []unit) (controlplane.Settings, error) {
	hosts := []string{kubernetesIP, nodeAddress, "127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default"}
	credentials, err := controlplane.NewCredentials(at.path("pki"), hosts, callersOf(units)...)
	if err != nil {
		return controlplane.Settings{}, err
	}
	settings := controlplane.Settings{
		Address: nodeAddress, EtcdPort: etcdPort, EtcdPeerPort: etcdPeerPort, APIPort: apiPort,
		DataDir: at.path("etcd"), AuditPolicy: at.path("audit-policy.yaml"), AuditLog: at.auditLog(),
		Credentials: credentials,
	}
	for _, u := range units {
		if err := writeAccessOf(u, at, settings); err != nil {
			return controlplane.Settings{}, err
		}
	}
	return settings, settings.WriteAuditPolicy()
}

// writeAccessOf issues the certificates and kubeconfigs of one unit.
func writeAccessOf(u unit, at layout, settings controlplane.Settings) error {
	for name, subject := range u.certificates {
		if err := settings.Credentials.Issue(name, subject); err != nil {
			return err
		}
	}
	for name, user := range u.callers {
		if err := settings.Credentials.WriteKubeconfig(at.kubeconfig(name), settings.Server(), user); err != nil {
			return err
		}
	}
	return nil
}

// callersOf lists everybody who gets a token.
func callersOf(units []unit) []controlplane.User {
	var users []controlplane.User
	for _, u := range units {
		for _, user := range u.callers {
			users = append(users, user)
		}
	}
	return users
}

// writeKubectl puts a kubectl into the folder that Exec adds to PATH.
func writeKubectl(at layout, kube string) error {
	script := fmt.Sprintf("#!/bin/sh\nexec %q kubectl \"$@\"\n", kube)
	if err := os.WriteFile(at.path("bin", "kubectl"), []byte(script), 0o755); err != nil {
		return fmt.Errorf("writing the kubectl wrapper: %w", err)
	}
	return nil
}
