// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
)

// loopback is where the API tier listens.
const loopback = "127.0.0.1"

// apiFiles are the files of one API tier, all in one folder.
type apiFiles struct{ dir string }

func (f apiFiles) kubeconfig() string        { return f.path("admin.kubeconfig") }
func (f apiFiles) managerKubeconfig() string { return f.path("controller-manager.kubeconfig") }
func (f apiFiles) auditLog() string          { return f.path("audit.log") }
func (f apiFiles) path(name string) string   { return filepath.Join(f.dir, name) }

// write chooses ports and writes every file that the servers read.
func (f apiFiles) write() (controlplane.Settings, error) {
	ports, err := freePorts(3)
	if err != nil {
		return controlplane.Settings{}, err
	}
	hosts := []string{loopback, "10.96.0.1", "localhost", "kubernetes.default.svc"}
	credentials, err := controlplane.NewCredentials(f.path("pki"), hosts, controlplane.Admin, controlplane.ControllerManager)
	if err != nil {
		return controlplane.Settings{}, err
	}
	settings := controlplane.Settings{
		Address: loopback, EtcdPort: ports[0], EtcdPeerPort: ports[1], APIPort: ports[2],
		DataDir: f.path("etcd"), AuditPolicy: f.path("audit-policy.yaml"), AuditLog: f.auditLog(),
		Credentials: credentials,
	}
	if err := settings.WriteAuditPolicy(); err != nil {
		return controlplane.Settings{}, err
	}
	server := settings.Server()
	if err := credentials.WriteKubeconfig(f.kubeconfig(), server, controlplane.Admin); err != nil {
		return controlplane.Settings{}, err
	}
	return settings, credentials.WriteKubeconfig(f.managerKubeconfig(), server, controlplane.ControllerManager)
}

// config reads the administrator's kubeconfig back.
func (f apiFiles) config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading back the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	return config, nil
}

// apiServerFlags turns off what would slow tests down: the fair queue, and the
// Endpoints of the server itself, which may not be a loopback address.
func apiServerFlags(s controlplane.Settings) controlplane.Flags {
	return s.APIServer().With(controlplane.Flags{
		"endpoint-reconciler-type":       "none",
		"enable-priority-and-fairness":   "false",
		"max-requests-inflight":          "0",
		"max-mutating-requests-inflight": "0",
	})
}

// controllerManagerFlags leaves out the controllers that need real nodes: they
// would evict the pods of the pump's fake one.
func controllerManagerFlags(s controlplane.Settings, kubeconfig string) controlplane.Flags {
	return s.ControllerManager(kubeconfig).With(controlplane.Flags{
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
