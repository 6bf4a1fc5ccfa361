// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// within bounds every wait; blocks are a second long here.
const within = 90 * time.Second

func TestMain(m *testing.M) { testenv.Main(m) }

// TestAnalysisOnAnAPIServer tells one run's life: it holds without Prometheus,
// goes on when it is back, answers a question, and fails when the canary turns bad.
func TestAnalysisOnAnAPIServer(t *testing.T) {
	l := startLive(t)
	prom := providertest.NewPrometheus(t)
	run := l.create(t, prom.Address)

	prom.Down()
	l.await(t, run, "hold while Prometheus is away", func(st v1alpha1.AnalysisRunStatus) bool {
		return st.Phase == v1alpha1.AnalysisRunning && st.Metrics[0].Verdict == v1alpha1.MetricNoData &&
			strings.Contains(st.Message, "does not answer (dial tcp") && strings.Contains(st.Message, "the release holds")
	})
	prom.Up(t)
	prom.Reply(providertest.Values("0.002"))
	l.await(t, run, "recover", func(st v1alpha1.AnalysisRunStatus) bool {
		return st.Metrics[0].Verdict == v1alpha1.MetricPassing
	})

	since := metav1.NewTime(time.Now().Add(time.Second).Truncate(time.Second))
	l.patch(t, run, func(s *v1alpha1.AnalysisRunSpec) { s.Question = &v1alpha1.Question{Step: 3, Since: since} })
	st := l.await(t, run, "answer the question", func(st v1alpha1.AnalysisRunStatus) bool {
		return st.Answer != nil && st.Answer.Verdict == v1alpha1.AnalysisPassed
	})
	if want := "errors 0.002 ≤ max 0.05 for 3 of 3 blocks"; st.Answer.Step != 3 || st.Answer.Message != want {
		t.Errorf("answer %+v, want step 3: %q", st.Answer, want)
	}
	if first := st.Metrics[0].Measurements[len(st.Metrics[0].Measurements)-3]; first.At.Time.Before(since.Time) {
		t.Errorf("a measurement of %s counted for a question of %s", first.At, since)
	}

	prom.Reply(providertest.Values("0.12"))
	st = l.await(t, run, "fail", func(st v1alpha1.AnalysisRunStatus) bool { return st.CompletedAt != nil })
	if want := "errors: 0.12 > max 0.05 for 3 of 3 blocks"; st.Phase != v1alpha1.AnalysisFailed || st.Message != want {
		t.Errorf("%s: %q, want Failed: %q", st.Phase, st.Message, want)
	}
	l.rests(t, run, prom)
	l.saw(t, run, "NoData", "DataReturned", "AnalysisPassed", "AnalysisFailed")
}

func TestStopOnAnAPIServer(t *testing.T) {
	l := startLive(t)
	prom := providertest.NewPrometheus(t)
	prom.Reply(providertest.Values("0.002"))
	run := l.create(t, prom.Address)
	l.await(t, run, "measure", func(st v1alpha1.AnalysisRunStatus) bool { return st.Phase == v1alpha1.AnalysisRunning })
	l.patch(t, run, func(s *v1alpha1.AnalysisRunSpec) { s.Stop = true })
	l.await(t, run, "end", func(st v1alpha1.AnalysisRunStatus) bool {
		return st.Phase == v1alpha1.AnalysisTerminated && st.CompletedAt != nil
	})
	l.rests(t, run, prom)
}

// live is a namespace with the controller at work in it.
type live struct {
	client.Client
	namespace string
}

func startLive(t *testing.T) live {
	t.Helper()
	env := testenv.Start(t)
	s := scheme(t)
	l := live{Client: env.Client(t, s), namespace: env.Namespace(t)}
	again := true
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme:     s,
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{l.namespace: {}}},
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &again},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := New(mgr.GetClient(), mgr.GetEventRecorder("sluice"), clock.RealClock{}, registry(t), Options{Secrets: l.Client})
	if err := r.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("manager: %v", err)
		}
	})
	return l
}

func (l live) create(t *testing.T, address string) *v1alpha1.AnalysisRun {
	t.Helper()
	owner := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, GenerateName: "checkout-"},
		Spec:       v1alpha1.RolloutSpec{WorkloadRef: &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}},
	}
	if err := l.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	run := &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: l.namespace, GenerateName: "checkout-",
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind("Rollout"))},
		},
		Spec: v1alpha1.AnalysisRunSpec{
			Prometheus: &v1alpha1.Prometheus{Address: address},
			Metrics:    []v1alpha1.Metric{atMost("errors", "0.05")},
			Block:      v1alpha1.Duration{Duration: time.Second},
		},
	}
	if err := l.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	return run
}

func (l live) patch(t *testing.T, run *v1alpha1.AnalysisRun, mod func(*v1alpha1.AnalysisRunSpec)) {
	t.Helper()
	updated := run.DeepCopy()
	mod(&updated.Spec)
	if err := l.Patch(t.Context(), updated, client.MergeFrom(run)); err != nil {
		t.Fatal(err)
	}
}

// await polls the run's status until it is as wanted.
func (l live) await(t *testing.T, run *v1alpha1.AnalysisRun, what string, ok func(v1alpha1.AnalysisRunStatus) bool) v1alpha1.AnalysisRunStatus {
	t.Helper()
	now := &v1alpha1.AnalysisRun{}
	l.poll(t, func() bool {
		if err := l.Get(t.Context(), client.ObjectKeyFromObject(run), now); err != nil {
			t.Fatal(err)
		}
		return ok(now.Status)
	}, func() { t.Fatalf("the run should %s; after %s it is %+v", what, within, now.Status) })
	return now.Status
}

func (l live) poll(t *testing.T, done func() bool, give func()) {
	t.Helper()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	end := time.After(within)
	for !done() {
		select {
		case <-every.C:
		case <-end:
			give()
			return
		}
	}
}

// rests watches a run that is over for some blocks: no write, no query.
func (l live) rests(t *testing.T, run *v1alpha1.AnalysisRun, prom *providertest.Prometheus) {
	t.Helper()
	before := &v1alpha1.AnalysisRun{}
	if err := l.Get(t.Context(), client.ObjectKeyFromObject(run), before); err != nil {
		t.Fatal(err)
	}
	queries := len(prom.Queries())
	<-time.After(3 * time.Second) // nothing to poll for: the test is that nothing happens
	after := &v1alpha1.AnalysisRun{}
	if err := l.Get(t.Context(), client.ObjectKeyFromObject(run), after); err != nil {
		t.Fatal(err)
	}
	if before.ResourceVersion != after.ResourceVersion || len(prom.Queries()) != queries {
		t.Errorf("a run that is over was written (%s, then %s) or measured (%d, then %d queries)",
			before.ResourceVersion, after.ResourceVersion, queries, len(prom.Queries()))
	}
}

// saw waits for events of the run.
func (l live) saw(t *testing.T, run *v1alpha1.AnalysisRun, reasons ...string) {
	t.Helper()
	var missing []string
	l.poll(t, func() bool {
		list := &eventsv1.EventList{}
		if err := l.List(t.Context(), list, client.InNamespace(l.namespace)); err != nil {
			t.Fatal(err)
		}
		missing = without(reasons, list.Items, run.UID)
		return len(missing) == 0
	}, func() { t.Errorf("no event with reason %s", strings.Join(missing, ", ")) })
}

func without(reasons []string, es []eventsv1.Event, uid any) []string {
	seen := map[string]bool{}
	for _, e := range es {
		if e.Regarding.UID == uid && (e.Type == corev1.EventTypeNormal || e.Type == corev1.EventTypeWarning) {
			seen[e.Reason] = true
		}
	}
	var missing []string
	for _, r := range reasons {
		if !seen[r] {
			missing = append(missing, r)
		}
	}
	return missing
}
