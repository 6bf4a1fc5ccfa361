// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-dev/sluice/e2e/cluster/controlplane"
	"github.com/sluice-dev/sluice/e2e/cluster/pump"
)

// readyWithin is how long the API tier may take to answer.
const readyWithin = 60 * time.Second

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
	dir      string
	settings controlplane.Settings
	config   *rest.Config
	pump     *pump.Pump
	children []*child
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
	a := &API{dir: dir, stopPump: func() {}}
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
func (a *API) Kubeconfig() string { return filepath.Join(a.dir, "admin.kubeconfig") }

// AuditLog is the path of the audit log: a JSON object per request.
func (a *API) AuditLog() string { return a.settings.AuditLog }

// Dir is where the logs of the servers are; Stop removes it.
func (a *API) Dir() string { return a.dir }

// SetPodReadyDelay changes how long pods take to become ready.
func (a *API) SetPodReadyDelay(delay time.Duration) { a.pump.SetReadyDelay(delay) }

// Stop ends everything that StartAPI started and removes its files.
func (a *API) Stop() {
	a.once.Do(func() {
		a.stopPump()
		for i := len(a.children) - 1; i >= 0; i-- {
			// Nothing is worth keeping, so nobody gets time to tidy up.
			a.children[i].stop(100 * time.Millisecond)
		}
		_ = os.RemoveAll(a.dir)
	})
}

func (a *API) start(ctx context.Context, commands commands, readyDelay time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := a.prepare(); err != nil {
		return err
	}
	if err := a.launch("etcd", commands.etcd, a.settings.Etcd()); err != nil {
		return err
	}
	if err := a.launch("kube-apiserver", commands.apiServer, a.apiServerFlags()); err != nil {
		return err
	}
	if err := a.waitReady(ctx); err != nil {
		return err
	}
	if err := a.launch("kube-controller-manager", commands.controllerManager, a.controllerManagerFlags()); err != nil {
		return err
	}
	if err := a.startPump(readyDelay); err != nil {
		return err
	}
	return a.waitControllers(ctx)
}

func (a *API) launch(name string, command []string, flags controlplane.Flags) error {
	c, err := startChild(a.dir, name, append(command, flags.Args()...)...)
	if err != nil {
		return err
	}
	a.children = append(a.children, c)
	return nil
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

func (a *API) loadConfig() error {
	config, err := clientcmd.BuildConfigFromFlags("", a.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading back the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	a.config = config
	return nil
}
