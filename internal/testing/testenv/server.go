// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-dev/sluice/e2e/cluster"
)

// server is where the API comes from. Stopping it must leave nothing behind.
type server interface {
	fmt.Stringer
	config() *rest.Config
	auditLog() string
	stop()
}

// findServer chooses the server by the environment; see the package's doc.
func findServer(ctx context.Context) (server, error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		return newSupplied(path)
	}
	binaries, err := suppliedBinaries(os.Getenv("KUBEBUILDER_ASSETS"))
	if err != nil {
		return nil, err
	}
	api, err := cluster.StartAPI(ctx, cluster.APIOptions{Binaries: binaries})
	if err != nil {
		return nil, err
	}
	return ours{api}, nil
}

// ours is an API tier of this process.
type ours struct{ api *cluster.API }

func (o ours) String() string       { return "API tier of this test" }
func (o ours) config() *rest.Config { return o.api.Config() }
func (o ours) auditLog() string     { return o.api.AuditLog() }
func (o ours) stop()                { o.api.Stop() }

// supplied is somebody else's cluster, which is left running.
type supplied struct{ rest *rest.Config }

func newSupplied(path string) (server, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(path)}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the cluster that KUBECONFIG=%s names: %w", path, err)
	}
	config.QPS, config.Burst = -1, -1
	return supplied{config}, nil
}

func (s supplied) String() string       { return "cluster of KUBECONFIG" }
func (s supplied) config() *rest.Config { return s.rest }
func (s supplied) auditLog() string     { return "" }
func (s supplied) stop()                {}

// suppliedBinaries looks for servers in a folder as controller-runtime's
// envtest lays it out. The controller manager may be missing; ours is used then.
func suppliedBinaries(dir string) (cluster.Binaries, error) {
	if dir == "" {
		return cluster.Binaries{}, nil
	}
	found := cluster.Binaries{
		Etcd:              filepath.Join(dir, "etcd"),
		APIServer:         filepath.Join(dir, "kube-apiserver"),
		ControllerManager: filepath.Join(dir, "kube-controller-manager"),
	}
	for _, path := range []string{found.Etcd, found.APIServer} {
		if _, err := os.Stat(path); err != nil {
			return cluster.Binaries{}, fmt.Errorf("looking for servers in KUBEBUILDER_ASSETS: %w", err)
		}
	}
	if _, err := os.Stat(found.ControllerManager); err != nil {
		found.ControllerManager = ""
	}
	return found, nil
}
