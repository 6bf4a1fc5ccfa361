// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func TestBadRelease(t *testing.T) {
	b := newBench(t)
	b.server.Reply(providertest.Values("0.12"))
	st := b.passes(4)
	if want := "errors: 0.12 > max 0.05 for 3 of 3 blocks"; st.Phase != v1alpha1.AnalysisFailed || st.Message != want {
		t.Errorf("after three bad blocks: %s: %q, want Failed: %q", st.Phase, st.Message, want)
	}
	if b.writes != 4 {
		t.Errorf("%d writes, want one at the start and one for each of three blocks", b.writes)
	}
	var asked []time.Duration
	for _, q := range b.server.Queries() {
		asked = append(asked, q.At.Sub(start))
	}
	if diff := cmp.Diff([]time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second}, asked); diff != "" {
		t.Errorf("each block is asked for once, at its end: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Normal AnalysisRunning", "Warning AnalysisFailed"}, b.events()); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}

	b.clock.Step(time.Hour)
	b.edit(func(run *v1alpha1.AnalysisRun) { run.Spec.Stop = true })
	b.restart(Options{})
	after, result := b.pass()
	if diff := cmp.Diff(st, after); diff != "" || b.writes != 4 || result != (ctrl.Result{}) || len(b.server.Queries()) != 3 {
		t.Errorf("a run that is over rests; %d writes, %d queries, wakes after %s:\n%s",
			b.writes, len(b.server.Queries()), result.RequeueAfter, diff)
	}
}

func TestOneWriteForEachBlock(t *testing.T) {
	b := newBench(t, question(time.Minute))
	b.server.Reply(providertest.Values("0.01"))
	b.passes(2)
	b.clock.SetTime(start.Add(13 * time.Second))
	writes, queries := b.writes, len(b.server.Queries())
	for range 3 {
		_, result := b.pass()
		if result.RequeueAfter != 7*time.Second {
			t.Errorf("wakes after %s, want at the end of the block in 7s", result.RequeueAfter)
		}
	}
	if b.writes != writes || len(b.server.Queries()) != queries {
		t.Errorf("within a block nothing is due; %d writes and %d queries more", b.writes-writes, len(b.server.Queries())-queries)
	}
}

func TestRestartChangesNothing(t *testing.T) {
	script := func(q providertest.Query) providertest.Reply {
		values := []string{"0.01", "0.01", "0.2", "", "0.2", "0.01", "0.01", "0.01"}
		block := int(q.At.Sub(start)/(10*time.Second)) - 1
		if values[block] == "" {
			return providertest.Values()
		}
		return providertest.Values(values[block])
	}
	var got [2]v1alpha1.AnalysisRunStatus
	for i, restarts := range []bool{false, true} {
		b := newBench(t, question(time.Hour))
		b.server.ReplyTo(script)
		for range 9 {
			st, result := b.pass()
			if restarts {
				b.restart(Options{})
				st, result = b.pass()
			}
			got[i] = st
			b.clock.Step(result.RequeueAfter)
		}
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Errorf("-uninterrupted +restarted after every pass:\n%s", diff)
	}
	if a := got[0].Answer; a == nil || a.Verdict != v1alpha1.AnalysisPassed {
		t.Errorf("answer %+v, want Passed", a)
	}
}

func TestAbsenceIsNotMadeUpFor(t *testing.T) {
	b := newBench(t)
	b.server.Reply(providertest.Values("0.01"))
	b.passes(2)
	b.clock.SetTime(start.Add(95 * time.Second))
	st, result := b.pass()
	if m := st.Metrics[0]; m.InBounds != 2 || !m.Measurements[1].At.Time.Equal(start.Add(90*time.Second)) {
		t.Errorf("after an absence: %d in bounds, last at %s; want 2, the last for the current block", m.InBounds, m.Measurements[1].At)
	}
	if result.RequeueAfter != 5*time.Second {
		t.Errorf("wakes after %s, want 5s", result.RequeueAfter)
	}
}

func TestPrometheusGoneAndBack(t *testing.T) {
	b := newBench(t, question(time.Hour))
	b.server.Reply(providertest.Values("0.01"))
	b.passes(3)
	b.server.Down()
	st := b.passes(50)
	want := "errors: Prometheus at " + b.server.Address + " does not answer (dial tcp " + strings.TrimPrefix(b.server.Address, "http://") +
		": connect: connection refused); the release holds until there is a value"
	if st.Phase != v1alpha1.AnalysisRunning || st.Message != want {
		t.Errorf("without Prometheus: %s: %q\nwant Running: %q", st.Phase, st.Message, want)
	}
	if st.Answer.Verdict != v1alpha1.AnalysisRunning {
		t.Errorf("without Prometheus the answer is %s, want Running", st.Answer.Verdict)
	}
	b.server.Up(t)
	st = b.passes(2)
	if st.Answer.Verdict != v1alpha1.AnalysisRunning {
		t.Errorf("after two blocks the answer is %s, want Running", st.Answer.Verdict)
	}
	st = b.passes(1)
	if st.Answer.Verdict != v1alpha1.AnalysisPassed || st.Metrics[0].NoData != 50 {
		t.Errorf("after three blocks the answer is %s with %d without data, want Passed with 50", st.Answer.Verdict, st.Metrics[0].NoData)
	}
	wantEvents := []string{"Normal AnalysisRunning", "Warning NoData", "Normal DataReturned", "Normal AnalysisPassed"}
	if diff := cmp.Diff(wantEvents, b.events()); diff != "" {
		t.Errorf("events: -want +got:\n%s", diff)
	}
}

func TestNoDataAborts(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.OnNoData = v1alpha1.OnNoDataAbort
		run.Spec.NoDataTimeout.Duration = 25 * time.Second
	})
	st := b.passes(5) // start, blocks at 10s, 20s, 30s, and the deadline at 35s
	if st.Phase != v1alpha1.AnalysisFailed || !strings.HasPrefix(st.Message, "errors: no value for noDataTimeout 25s: ") {
		t.Errorf("%s: %q, want Failed for noDataTimeout", st.Phase, st.Message)
	}
	if want := start.Add(35 * time.Second); !st.CompletedAt.Time.Equal(want) {
		t.Errorf("failed at %s, want on time at %s", st.CompletedAt, want)
	}
}

func TestStaleCacheCountsOnce(t *testing.T) {
	b := newBench(t)
	b.server.Reply(providertest.Values("0.12"))
	b.passes(2)
	before := &v1alpha1.AnalysisRun{}
	if err := b.client.Get(t.Context(), key, before); err != nil {
		t.Fatal(err)
	}
	want := b.passes(1)
	stale := interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
			before.DeepCopyInto(obj.(*v1alpha1.AnalysisRun))
			return nil
		},
	})
	b.Reconciler = New(stale, b.recorder, b.clock, registry(t), Options{})
	got, result := b.pass()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a stale cache must not count a block twice: -want +got:\n%s", diff)
	}
	if result.RequeueAfter != afterConflict {
		t.Errorf("after a conflict wakes after %s, want %s", result.RequeueAfter, afterConflict)
	}
}

func TestNoAddress(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) { run.Spec.Prometheus = nil })
	st, result := b.pass()
	if st.Phase != v1alpha1.AnalysisError || st.Message != noAddress || result.RequeueAfter != 10*time.Second {
		t.Errorf("without an address: %s: %q, wakes after %s; want Error: %q, and another look after a block", st.Phase, st.Message, result.RequeueAfter, noAddress)
	}
	b.restart(Options{PrometheusAddress: b.server.Address})
	b.server.Reply(providertest.Values("0.01"))
	if st = b.passes(2); st.Phase != v1alpha1.AnalysisRunning {
		t.Errorf("with a default address: %s: %q, want Running", st.Phase, st.Message)
	}
}

func TestUnknownVariable(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Metrics[0].Threshold.Query = `up{pod="$(cnary)"}`
		run.Spec.Args = []v1alpha1.ResolvedArg{{Name: "canary", Value: "abc"}}
	})
	st, result := b.pass()
	want := `metric "errors": threshold.query: $(cnary) is unknown; known are $(arm), $(canary)`
	if st.Phase != v1alpha1.AnalysisError || st.Message != want || st.CompletedAt == nil || result != (ctrl.Result{}) {
		t.Errorf("%s: %q, completed at %v, wakes after %s; want Error for good: %q", st.Phase, st.Message, st.CompletedAt, result.RequeueAfter, want)
	}
}

func TestQueriesAreFilled(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Metrics = []v1alpha1.Metric{atMost("errors", "0.05"), atMost("latency", "0.3")}
		run.Spec.Metrics[1].Threshold.Query = `latency{revision="$(canary)"}`
		run.Spec.Args = []v1alpha1.ResolvedArg{{Name: "canary", Value: `7d9"}`}}
	})
	b.server.ReplyTo(func(q providertest.Query) providertest.Reply {
		if strings.HasPrefix(q.Text, "latency") {
			return providertest.Refusal(400, "bad_data", "parse error")
		}
		return providertest.Values("0.01")
	})
	st := b.passes(2)
	var asked []string
	for _, q := range b.server.Queries() {
		asked = append(asked, q.Text)
	}
	if want := `latency{revision="7d9\"}"}`; len(asked) != 2 || asked[0] != want && asked[1] != want {
		t.Errorf("asked %q, want %q among two", asked, want)
	}
	if st.Phase != v1alpha1.AnalysisRunning || st.Metrics[0].InBounds != 1 || st.Metrics[1].Verdict != v1alpha1.MetricNoData ||
		!strings.HasPrefix(st.Message, "latency: Prometheus at ") {
		t.Errorf("a refused query is a lack of data of its own metric; got %s: %q, %+v", st.Phase, st.Message, st.Metrics)
	}
}

func TestStop(t *testing.T) {
	b := newBench(t)
	b.server.Reply(providertest.Values("0.01"))
	b.passes(4)
	b.edit(func(run *v1alpha1.AnalysisRun) { run.Spec.Stop = true })
	st, result := b.pass()
	if st.Phase != v1alpha1.AnalysisTerminated || st.CompletedAt == nil || result != (ctrl.Result{}) || len(b.server.Queries()) != 3 {
		t.Errorf("a stopped run: %s, %d queries, wakes after %s; want Terminated for good", st.Phase, len(b.server.Queries()), result.RequeueAfter)
	}
}

func TestShutdownLearnsNothing(t *testing.T) {
	b := newBench(t)
	b.passes(1)
	ctx, cancel := context.WithCancel(t.Context())
	b.server.ReplyTo(func(providertest.Query) providertest.Reply {
		cancel()
		return providertest.Reply{Hang: true}
	})
	writes := b.writes
	if _, err := b.Reconcile(ctx, ctrl.Request{NamespacedName: key}); err == nil || b.writes != writes {
		t.Errorf("a pass cut short: error %v, %d writes; want an error and nothing written", err, b.writes-writes)
	}
}

func TestGone(t *testing.T) {
	b := newBench(t)
	if err := b.client.Delete(t.Context(), &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}); err != nil {
		t.Fatal(err)
	}
	result, err := b.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	if err != nil || result != (ctrl.Result{}) {
		t.Errorf("Reconcile of a run that is gone: %v, %v; want nothing", result, err)
	}
}
