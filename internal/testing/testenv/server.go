// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"

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
	files := filepath.SplitList(path)
	if !slices.ContainsFunc(files, exists) {
		return nil, fmt.Errorf("reading the cluster that KUBECONFIG=%s names: there is no such file", path)
	}
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the cluster that KUBECONFIG=%s names: %w", path, err)
	}
	if err := forTests(config.Host, os.Getenv(allowVariable)); err != nil {
		return nil, err
	}
	config.QPS, config.Burst = -1, -1
	return supplied{config}, nil
}

// allowVariable names the one server beyond this machine that tests may use.
const allowVariable = "SLUICE_TEST_SERVER"

// forTests keeps tests from a cluster that KUBECONFIG names for other purposes:
// they install custom resource definitions, and replace those that are there.
func forTests(server, allowed string) error {
	u, err := url.Parse(server)
	if err != nil {
		return fmt.Errorf("reading the server's address from KUBECONFIG: %w", err)
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || host != "" && host == allowed || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("KUBECONFIG leads to %s, which is not on this machine, and tests replace custom resource definitions there: "+
		"unset KUBECONFIG, or set %s=%s if it is a cluster for tests", server, allowVariable, host)
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
		if !exists(path) {
			return cluster.Binaries{}, fmt.Errorf("looking for servers in KUBEBUILDER_ASSETS: there is no %s", path)
		}
	}
	if !exists(found.ControllerManager) {
		found.ControllerManager = ""
	}
	return found, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
