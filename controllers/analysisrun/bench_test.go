// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/loki"
	"github.com/sluice-dev/sluice/analysis/prometheus"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/analysis/web"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

var (
	start = time.Unix(1_700_000_000, 0)
	key   = client.ObjectKey{Namespace: "shop", Name: "checkout-1"}
)

// bench is one run, a clock that stands still, and a Prometheus.
type bench struct {
	t        *testing.T
	clock    *clocktesting.FakeClock
	client   client.Client
	server   *providertest.Prometheus
	recorder *events.FakeRecorder
	*Reconciler

	writes int
}

func newBench(t *testing.T, mods ...func(*v1alpha1.AnalysisRun)) *bench {
	t.Helper()
	b := &bench{
		t: t, clock: clocktesting.NewFakeClock(start),
		server: providertest.NewPrometheus(t), recorder: events.NewFakeRecorder(100),
	}
	run := &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, Generation: 1,
			OwnerReferences: ownedByARollout(),
		},
		Spec: v1alpha1.AnalysisRunSpec{
			Prometheus: &v1alpha1.Prometheus{Address: b.server.Address},
			Metrics:    []v1alpha1.Metric{atMost("errors", "0.05")},
			Block:      v1alpha1.Duration{Duration: 10 * time.Second},
		},
	}
	for _, mod := range mods {
		mod(run)
	}
	b.client = fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(run).WithStatusSubresource(run).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: b.countWrite}).Build()
	b.restart(Options{})
	return b
}

func (b *bench) countWrite(ctx context.Context, c client.Client, sub string, obj client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	b.writes++
	return c.SubResource(sub).Patch(ctx, obj, p, opts...)
}

// restart replaces the reconciler, as a new process would.
func (b *bench) restart(o Options) {
	b.t.Helper()
	b.Reconciler = New(b.client, b.recorder, b.clock, registry(b.t), o)
}

// pass reconciles once and returns the status after it.
func (b *bench) pass() (v1alpha1.AnalysisRunStatus, ctrl.Result) {
	b.t.Helper()
	result, err := b.Reconcile(b.t.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		b.t.Fatalf("Reconcile: %v", err)
	}
	return b.status(), result
}

// passes reconciles n times, each when the one before asked for it.
func (b *bench) passes(n int) v1alpha1.AnalysisRunStatus {
	b.t.Helper()
	var st v1alpha1.AnalysisRunStatus
	for range n {
		var result ctrl.Result
		st, result = b.pass()
		b.clock.Step(result.RequeueAfter)
	}
	return st
}

func (b *bench) status() v1alpha1.AnalysisRunStatus {
	b.t.Helper()
	run := &v1alpha1.AnalysisRun{}
	if err := b.client.Get(b.t.Context(), key, run); err != nil {
		b.t.Fatal(err)
	}
	return run.Status
}

// edit changes the run's spec, as somebody else would.
func (b *bench) edit(mod func(*v1alpha1.AnalysisRun)) {
	b.t.Helper()
	run := &v1alpha1.AnalysisRun{}
	if err := b.client.Get(b.t.Context(), key, run); err != nil {
		b.t.Fatal(err)
	}
	before := run.DeepCopy()
	mod(run)
	if err := b.client.Patch(b.t.Context(), run, client.MergeFrom(before)); err != nil {
		b.t.Fatal(err)
	}
}

// events sent so far, without their notes.
func (b *bench) events() []string {
	var es []string
	for len(b.recorder.Events) > 0 {
		fields := strings.Fields(<-b.recorder.Events)
		es = append(es, fields[0]+" "+fields[1])
	}
	return es
}

func atMost(name, high string) v1alpha1.Metric {
	return v1alpha1.Metric{Name: name, Threshold: &v1alpha1.Threshold{Query: "sum(errors)", Max: &high, Consecutive: 3}}
}

// question asks at the start.
func question(most time.Duration) func(*v1alpha1.AnalysisRun) {
	return func(run *v1alpha1.AnalysisRun) {
		run.Spec.Question = &v1alpha1.Question{Since: metav1.NewTime(start), MaxDuration: v1alpha1.Duration{Duration: most}}
	}
}

// ownedByARollout is what a run has that a Rollout asks questions.
func ownedByARollout() []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "sluice.dev/v1alpha1", Kind: "Rollout", Name: "checkout", UID: "1", Controller: ptr.To(true)}}
}

func registry(t *testing.T) analysis.Registry {
	t.Helper()
	const timeout = 5 * time.Second
	r, err := analysis.NewRegistry(prometheus.Entry(prometheus.Options{Timeout: timeout}),
		loki.Entry(loki.Options{Timeout: timeout}), web.Entry(web.Options{Timeout: timeout}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, clientgoscheme.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
