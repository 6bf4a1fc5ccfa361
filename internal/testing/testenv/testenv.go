// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Env is a cluster for the tests of one package.
type Env struct {
	// Config is how to reach the server as an administrator. Copy it before
	// changing it.
	Config *rest.Config

	server server
}

// shared is the one Env of a test binary. It is package state because Go gives
// TestMain and the tests nothing else in common.
var shared struct {
	once sync.Once
	ctx  context.Context //nolint:containedctx // handed from TestMain to the first test
	env  *Env
	err  error
}

// Main runs the tests of a package and stops the server they used, if any. Call
// it from TestMain; it does not return.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM) //nolint:forbidigo // TestMain is this program's main
	defer stop()
	shared.ctx = ctx //nolint:fatcontext // the same context, not a chain of them
	defer func() {
		if shared.env != nil {
			shared.env.server.stop()
		}
	}()
	return m.Run()
}

// Start returns the cluster of this test binary and starts it on first use. It
// fails the test if there can be none.
func Start(tb testing.TB) *Env {
	tb.Helper()
	if shared.ctx == nil {
		tb.Fatal("testenv: this package needs `func TestMain(m *testing.M) { testenv.Main(m) }`")
	}
	shared.once.Do(func() { shared.env, shared.err = start(shared.ctx) })
	if shared.err != nil {
		tb.Fatalf("testenv: %v", shared.err)
	}
	return shared.env
}

// remedy ends the message of a test that has no server.
const remedy = `These tests need a Kubernetes API server. They build one from its Go modules on first use, which
takes a Go toolchain, a module proxy and some minutes ("make test" does it ahead of the tests and shows how far it is).
To use another one, set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver, or KUBECONFIG to a test cluster.`

func start(ctx context.Context) (*Env, error) {
	server, err := findServer(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, remedy)
	}
	env := &Env{Config: rest.CopyConfig(server.config()), server: server}
	env.Config.QPS, env.Config.Burst = -1, -1 // the server's own fairness limits clients, as in cmd/sluice
	if err := installCRDs(ctx, env.Config); err != nil {
		server.stop()
		return nil, err
	}
	return env, nil
}

// Client returns a client that reads straight from the server. The scheme must
// know the kinds it is used for.
func (e *Env) Client(tb testing.TB, scheme *runtime.Scheme) client.WithWatch {
	tb.Helper()
	c, err := client.NewWithWatch(e.Config, client.Options{Scheme: scheme})
	if err != nil {
		tb.Fatalf("testenv: making a client: %v", err)
	}
	return c
}

// AuditLog is the path of the server's audit log, a JSON object per request. It
// fails the test if the server was supplied by somebody else.
func (e *Env) AuditLog(tb testing.TB) string {
	tb.Helper()
	path := e.server.auditLog()
	if path == "" {
		tb.Fatal("testenv: the cluster of KUBECONFIG has no audit log that can be read; unset KUBECONFIG")
	}
	return path
}

// String tells which server the tests run against.
func (e *Env) String() string { return fmt.Sprintf("%s (%s)", e.server, e.Config.Host) }
