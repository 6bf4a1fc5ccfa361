// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// loopback is where the API tier listens.
const loopback = "127.0.0.1"

// prepare chooses ports and writes every file that the servers read.
func (a *API) prepare() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	hosts := []string{loopback, "10.96.0.1", "localhost", "kubernetes.default.svc"}
	credentials, err := controlplane.NewCredentials(filepath.Join(a.dir, "pki"), hosts,
		controlplane.Admin, controlplane.ControllerManager)
	if err != nil {
		return err
	}
	a.settings = controlplane.Settings{
		Address: loopback, EtcdPort: ports[0], EtcdPeerPort: ports[1], APIPort: ports[2],
		DataDir:     filepath.Join(a.dir, "etcd"),
		AuditPolicy: filepath.Join(a.dir, "audit-policy.yaml"),
		AuditLog:    filepath.Join(a.dir, "audit.log"),
		Credentials: credentials,
	}
	if err := a.settings.WriteAuditPolicy(); err != nil {
		return err
	}
	server := a.settings.Server()
	if err := credentials.WriteKubeconfig(a.Kubeconfig(), server, controlplane.Admin); err != nil {
		return err
	}
	if err := credentials.WriteKubeconfig(a.managerKubeconfig(), server, controlplane.ControllerManager); err != nil {
		return err
	}
	return a.loadConfig()
}

func (a *API) managerKubeconfig() string {
	return filepath.Join(a.dir, "controller-manager.kubeconfig")
}

// apiServerFlags turns off what would slow tests down: the fair queue, and the
// Endpoints of the server itself, which may not be a loopback address.
func (a *API) apiServerFlags() controlplane.Flags {
	return a.settings.APIServer().With(controlplane.Flags{
		"endpoint-reconciler-type":       "none",
		"enable-priority-and-fairness":   "false",
		"max-requests-inflight":          "0",
		"max-mutating-requests-inflight": "0",
	})
}

// controllerManagerFlags leaves out the controllers that need real nodes: they
// would evict the pods of the pump's fake one.
func (a *API) controllerManagerFlags() controlplane.Flags {
	return a.settings.ControllerManager(a.managerKubeconfig()).With(controlplane.Flags{
		"controllers": "*,-node-lifecycle-controller,-node-ipam-controller,-taint-eviction-controller," +
			"-pod-garbage-collector-controller,-node-route-controller,-cloud-node-lifecycle-controller," +
			"-service-lb-controller",
		"concurrent-deployment-syncs":           "20",
		"concurrent-replicaset-syncs":           "20",
		"concurrent-service-endpoint-syncs":     "20",
		"concurrent-namespace-syncs":            "20",
		"concurrent-endpoint-syncs":             "20",
		"concurrent-serviceaccount-token-syncs": "5",
	})
}
