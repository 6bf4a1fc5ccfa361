// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	testenv.Main(m)
}

// patience bounds what a test waits for; nothing takes near as long.
const patience = 90 * time.Second

// bench is a namespace of a real API server in which the test plays the controller.
type bench struct {
	*testing.T
	client     client.WithWatch
	namespace  string
	kubeconfig string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	env := testenv.Start(t)
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	namespace := env.Namespace(t)
	return &bench{T: t, client: env.Client(t, scheme), namespace: namespace, kubeconfig: writeKubeconfig(t, env.Config, namespace)}
}

// writeKubeconfig puts the way to a server into a file, as a person has it.
func writeKubeconfig(t *testing.T, config *rest.Config, namespace string) string {
	t.Helper()
	cluster := api.NewCluster()
	cluster.Server = config.Host
	cluster.CertificateAuthority, cluster.CertificateAuthorityData = config.CAFile, config.CAData
	cluster.InsecureSkipTLSVerify = config.Insecure
	user := api.NewAuthInfo()
	user.ClientCertificate, user.ClientCertificateData = config.CertFile, config.CertData
	user.ClientKey, user.ClientKeyData = config.KeyFile, config.KeyData
	user.Token = config.BearerToken
	context := api.NewContext()
	context.Cluster, context.AuthInfo, context.Namespace = "test", "test", namespace
	file := api.NewConfig()
	file.Clusters["test"], file.AuthInfos["test"], file.Contexts["test"] = cluster, user, context
	file.CurrentContext = "test"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*file, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// run is a command that was started, as a person sees it.
type run struct {
	out, err output
	code     int
	done     chan struct{}
	stop     context.CancelFunc
}

// output may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p) //nolint:wrapcheck // never fails
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs the plugin in the background.
func start(t *testing.T, kubeconfig string, args ...string) *run {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &run{done: make(chan struct{}), stop: stop}
	env := Env{
		Out: &r.out, Err: &r.err, User: "login", Version: "v0.0.0-test",
		Now: now, NewID: func() string { return "id-1" },
	}
	go func() {
		defer close(r.done)
		r.code = Run(ctx, env, append(args, "--kubeconfig", kubeconfig))
	}()
	t.Cleanup(func() { stop(); <-r.done })
	return r
}

// end waits until the command has ended.
func (r *run) end(t *testing.T) *run {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		t.Fatalf("The command did not end; out: %s\nerr: %s", r.out.String(), r.err.String())
	}
	return r
}

func (b *bench) start(args ...string) *run { b.Helper(); return start(b.T, b.kubeconfig, args...) }

func (b *bench) run(args ...string) *run { b.Helper(); return b.start(args...).end(b.T) }

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, patience, true,
		func(context.Context) (bool, error) { return yes(), nil })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// rollout creates a Rollout and gives it a status, as a controller does.
func (b *bench) rollout(name string, status v1alpha1.RolloutStatus, changes ...func(*v1alpha1.Rollout)) *v1alpha1.Rollout {
	b.Helper()
	r := newRollout(b.namespace, name)
	for _, change := range changes {
		change(r)
	}
	b.create(r)
	b.report(name, func(st *v1alpha1.RolloutStatus) { *st = status })
	return r
}

func (b *bench) create(objects ...client.Object) {
	b.Helper()
	for _, o := range objects {
		if err := b.client.Create(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) read(name string) *v1alpha1.Rollout {
	b.Helper()
	var r v1alpha1.Rollout
	if err := b.client.Get(b.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, &r); err != nil {
		b.Fatal(err)
	}
	return &r
}

// report changes the status of a Rollout.
func (b *bench) report(name string, change func(*v1alpha1.RolloutStatus)) {
	b.Helper()
	r := b.read(name)
	before := r.DeepCopy()
	change(&r.Status)
	if err := b.client.Status().Patch(b.Context(), r, client.MergeFrom(before)); err != nil {
		b.Fatal(fmt.Errorf("report: %w", err))
	}
}

// pausedAt is the status of a canary that waits in a pause step.
func pausedAt(step int32) v1alpha1.RolloutStatus {
	return v1alpha1.RolloutStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhasePaused, Message: "paused until promoted", Strategy: "Canary",
		StableRevision: stableHash, CanaryRevision: canaryHash, Release: 2,
		CurrentStep: &v1alpha1.CurrentStep{Index: step, Position: fmt.Sprintf("%d/6", step+1), Since: ago(time.Minute)},
	}
}

func healthy() v1alpha1.RolloutStatus {
	return v1alpha1.RolloutStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhaseHealthy, Message: "all traffic on revision " + stableHash, StableRevision: stableHash,
	}
}
