// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"io"
)

// Binaries are servers that somebody else supplies; an empty path means ours.
type Binaries struct {
	Etcd, APIServer, ControllerManager string
}

// commands are the programs of the API tier, each with its leading arguments.
type commands struct {
	etcd, apiServer, controllerManager []string
}

// resolve builds whatever is not supplied.
func (b Binaries) resolve(ctx context.Context, progress io.Writer) (commands, error) {
	tools, err := NewToolchain(progress)
	if err != nil {
		return commands{}, err
	}
	found := commands{etcd: []string{b.Etcd}, apiServer: []string{b.APIServer}, controllerManager: []string{b.ControllerManager}}
	if b.Etcd == "" {
		etcd, err := tools.Ensure(ctx, Etcd)
		if err != nil {
			return commands{}, err
		}
		found.etcd = []string{etcd}
	}
	if b.APIServer != "" && b.ControllerManager != "" {
		return found, nil
	}
	kube, err := tools.Ensure(ctx, Kube)
	if err != nil {
		return commands{}, err
	}
	if b.APIServer == "" {
		found.apiServer = []string{kube, "kube-apiserver"}
	}
	if b.ControllerManager == "" {
		found.controllerManager = []string{kube, "kube-controller-manager"}
	}
	return found, nil
}
