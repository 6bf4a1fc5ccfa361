// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/sluice-dev/sluice/e2e/cluster/pump"
)

// readyWithin is how long the API tier may take to answer: seconds, and many times that where compilers keep the machine busy.
const readyWithin = 3 * time.Minute

// APIOptions says how to run the API tier. The zero value is good.
type APIOptions struct {
	// Progress is told about builds; nil means standard error.
	Progress io.Writer
	// PodReadyDelay is how long pods take to become ready.
	PodReadyDelay time.Duration
	// Binaries are servers to use instead of building them. Each is optional.
	Binaries Binaries
}

// API is a running API tier.
type API struct {
	files    apiFiles
	config   *rest.Config
	servers  *children
	pump     *pump.Pump
	stopPump func()
	once     sync.Once
}

// StartAPI starts etcd, kube-apiserver, kube-controller-manager and the pod
// pump, and returns once they serve. They end with Stop, or with this process.
func StartAPI(ctx context.Context, options APIOptions) (*API, error) {
	if options.Progress == nil {
		options.Progress = os.Stderr
	}
	commands, err := options.Binaries.resolve(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	sweep(os.TempDir())
	for attempt := 1; ; attempt++ {
		a, err := startOnce(ctx, commands, options.PodReadyDelay)
		if err == nil {
			return a, nil
		}
		if attempt == 3 || !errors.Is(err, errPortTaken) {
			return nil, fmt.Errorf("starting the API tier: %w", err)
		}
	}
}

func startOnce(ctx context.Context, commands commands, readyDelay time.Duration) (*API, error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("making a folder for the API tier: %w", err)
	}
	a := &API{files: apiFiles{dir: dir}, servers: &children{dir: dir}, stopPump: func() {}}
	if err := a.start(ctx, commands, readyDelay); err != nil {
		a.Stop()
		return nil, err
	}
	return a, nil
}

// Config is how to talk to the server as an administrator, without limits on
// the rate.
func (a *API) Config() *rest.Config { return rest.CopyConfig(a.config) }

// Kubeconfig is the path of a kubeconfig file for the administrator.
func (a *API) Kubeconfig() string { return a.files.kubeconfig() }

// AuditLog is the path of the audit log: a JSON object per request.
func (a *API) AuditLog() string { return a.files.auditLog() }

// Dir is where the logs of the servers are; Stop removes it.
func (a *API) Dir() string { return a.files.dir }

// SetPodReadyDelay changes how long pods take to become ready.
func (a *API) SetPodReadyDelay(delay time.Duration) { a.pump.SetReadyDelay(delay) }

// Stop ends everything that StartAPI started and removes its files.
func (a *API) Stop() {
	a.once.Do(func() {
		a.stopPump()
		a.servers.stop()
		_ = os.RemoveAll(a.files.dir)
	})
}

func (a *API) start(ctx context.Context, commands commands, readyDelay time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	settings, err := a.files.write()
	if err != nil {
		return err
	}
	if a.config, err = a.files.config(); err != nil {
		return err
	}
	if err := a.servers.start("etcd", commands.etcd, settings.Etcd()); err != nil {
		return err
	}
	if err := a.servers.start("kube-apiserver", commands.apiServer, apiServerFlags(settings)); err != nil {
		return err
	}
	if err := a.waitReady(ctx); err != nil {
		return err
	}
	flags := controllerManagerFlags(settings, a.files.managerKubeconfig())
	if err := a.servers.start("kube-controller-manager", commands.controllerManager, flags); err != nil {
		return err
	}
	if err := a.startPump(readyDelay); err != nil {
		return err
	}
	return a.waitControllers(ctx)
}

func (a *API) startPump(readyDelay time.Duration) error {
	var err error
	if a.pump, err = pump.New(a.config, readyDelay); err != nil {
		return err
	}
	// The pump outlives the context of the start.
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // ended by Stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.pump.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "The pod pump ended:", err)
		}
	}()
	a.stopPump = func() { cancel(); <-done }
	return nil
}
