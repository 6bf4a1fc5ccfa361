// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package full

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-dev/sluice/e2e/cluster"
	"github.com/sluice-dev/sluice/e2e/cluster/manifests"
)

// apiServer is the administrator's way to the API server.
type apiServer struct {
	at  layout
	net network
}

// config is how to talk to it from outside the namespace: it dials from within.
func (a apiServer) config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", a.at.kubeconfig("admin"))
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.Dial = a.net.dial
	config.QPS, config.Burst = -1, -1
	return config, nil
}

func (a apiServer) client() (*kubernetes.Clientset, error) {
	config, err := a.config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// ready asks the API server for its own opinion.
func (a apiServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client, err := a.client()
	if err != nil {
		return err
	}
	_, err = client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// apply installs the Gateway API with its routes for streams, Istio's definitions and the manifests of the units.
func (a apiServer) apply(ctx context.Context, units []unit) error {
	config, err := a.config()
	if err != nil {
		return err
	}
	applier, err := manifests.NewApplier(config)
	if err != nil {
		return err
	}
	root, err := cluster.RepoRoot()
	if err != nil {
		return err
	}
	for _, read := range []func(context.Context, string) ([]*unstructured.Unstructured, error){manifests.GatewayAPI, manifests.GatewayAPIStreams, manifests.Istio} {
		definitions, err := read(ctx, root)
		if err != nil {
			return err
		}
		if err := applier.ApplyCRDs(ctx, definitions); err != nil {
			return fmt.Errorf("installing custom resource definitions: %w", err)
		}
	}
	for _, u := range units {
		for _, asset := range u.manifests {
			if err := applyAsset(ctx, applier, asset); err != nil {
				return err
			}
		}
	}
	return nil
}

func applyAsset(ctx context.Context, applier *manifests.Applier, asset string) error {
	text, err := assets.ReadFile("assets/" + asset)
	if err != nil {
		return fmt.Errorf("reading %s: %w", asset, err)
	}
	objects, err := manifests.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", asset, err)
	}
	return applier.Apply(ctx, objects...)
}
