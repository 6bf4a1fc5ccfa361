// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Cluster is a cluster to run on.
type Cluster struct {
	// Settings it was connected with.
	Settings Settings
	// Client reads and writes any object, uncached.
	Client client.Client

	config *rest.Config
	scheme *runtime.Scheme
}

// Connect gives the cluster of the kubeconfig. It does not talk to it yet.
func Connect(s Settings) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{CurrentContext: s.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w (bring a cluster up and run this with sluice-cluster exec, or set KUBECONFIG and E2E_CONTEXT)", err)
	}
	return On(config, s)
}

// On gives the cluster that a config leads to.
func On(config *rest.Config, s Settings) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 200, 400 // Many stories share one client; the server has its own limits.
	config.UserAgent = "sluice-e2e"
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("scheme: %w", err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Cluster{Settings: s, Client: c, config: config, scheme: scheme}, nil
}

// Image gives the full name of one of our images.
func (c *Cluster) Image(name string) string { return c.Settings.ImagePrefix + name }
