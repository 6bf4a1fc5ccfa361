// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// counting turns the run into one of a proportion with an objective.
func counting(run *v1alpha1.AnalysisRun) {
	run.Spec.Metrics = []v1alpha1.Metric{{
		Name: "checkout", Objective: "99.9%",
		Proportion: &v1alpha1.Proportion{Total: `requests_total{track="$(arm)"}`, Bad: `requests_total{track="$(arm)",code="500"}`},
	}}
	run.Spec.Noise = "1"
	run.Spec.Question = &v1alpha1.Question{Since: metav1.NewTime(start), MaxDuration: v1alpha1.Duration{Duration: time.Hour}, NextWeight: 10}
}

// shop answers the queries of blocks: ec and nc for the canary, es and ns for stable.
func shop(ec, nc, es, ns int) func(providertest.Query) providertest.Reply {
	return func(q providertest.Query) providertest.Reply {
		canary, bad := strings.Contains(q.Text, `track="canary"`), strings.Contains(q.Text, `code="500"`)
		switch {
		case strings.HasPrefix(q.Text, "quantile("):
			return providertest.Values("9.2")
		case canary && bad:
			return providertest.Values(strconv.Itoa(ec))
		case canary:
			return providertest.Values(strconv.Itoa(nc))
		case bad:
			return providertest.Values(strconv.Itoa(es))
		}
		return providertest.Values(strconv.Itoa(ns))
	}
}

// until passes until a time after the start.
func (b *bench) until(end time.Duration) v1alpha1.AnalysisRunStatus {
	b.t.Helper()
	for b.clock.Now().Before(start.Add(end)) {
		_, result := b.pass()
		if result.RequeueAfter == 0 {
			break
		}
		b.clock.Step(result.RequeueAfter)
	}
	return b.status()
}

func TestBadReleaseIsAbortedByCounts(t *testing.T) {
	b := newBench(t, counting)
	b.server.ReplyTo(shop(5, 100, 1, 900))
	st := b.until(5 * time.Minute)
	want := "checkout: canary 5 % bad (10/200), stable 0.11 % (2/1800); evidence 135 of 100 needed that canary exceeds 1.5 × stable + 0.05 pp → Abort"
	if st.Phase != v1alpha1.AnalysisFailed || st.Message != want {
		t.Errorf("%s: %q, want Failed: %q", st.Phase, st.Message, want)
	}
	if at := st.CompletedAt.Sub(start); at != 35*time.Second {
		t.Errorf("aborted %s after the start, want 35s: two blocks of 10s and 15s to settle", at)
	}
	seen := map[string]int{}
	for _, q := range b.server.Queries() {
		seen[fmt.Sprint(q.At.Unix(), q.Text)]++
		if q.At.Unix()%10 != 0 {
			t.Errorf("a query for %s, which is no multiple of the block", q.At)
		}
	}
	for q, n := range seen {
		if n > 1 {
			t.Errorf("asked %d times: %s", n, q)
		}
	}
}

func TestGoodReleasePasses(t *testing.T) {
	b := newBench(t, counting)
	b.server.ReplyTo(shop(0, 100, 1, 900))
	st := b.until(50 * time.Second)
	if a := st.Answer; a.Verdict != v1alpha1.AnalysisPassed || !strings.Contains(a.Message, "canary 0 % bad (0/300)") {
		t.Errorf("%s: %q", a.Verdict, a.Message)
	}
}

func TestRestartBetweenBlocks(t *testing.T) {
	var got [2]v1alpha1.AnalysisRunStatus
	for i, restarts := range []bool{false, true} {
		b := newBench(t, counting)
		b.server.ReplyTo(shop(0, 40, 1, 360))
		for b.clock.Now().Before(start.Add(3 * time.Minute)) {
			_, result := b.pass()
			if restarts {
				b.restart(Options{})
				_, result = b.pass()
			}
			b.clock.Step(result.RequeueAfter)
		}
		got[i] = b.status()
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Errorf("-uninterrupted +restarted after every pass:\n%s", diff)
	}
}

func TestOutageIsMadeUpFor(t *testing.T) {
	whole, b := newBench(t, counting), newBench(t, counting)
	whole.server.ReplyTo(shop(0, 40, 1, 360))
	b.server.ReplyTo(shop(0, 40, 1, 360))
	b.until(40 * time.Second)
	b.server.Down()
	st := b.until(100 * time.Second)
	if m := st.Metrics[0]; m.Delayed == "" || !strings.Contains(m.Message, "blocks wait to be counted") || st.Answer.Verdict == v1alpha1.AnalysisPassed {
		t.Errorf("during the outage: %q, delayed %q, answer %s", m.Message, m.Delayed, st.Answer.Verdict)
	}
	b.server.Up(t)
	after, want := b.until(4*time.Minute), whole.until(4*time.Minute)
	if diff := cmp.Diff(want.Metrics[0].Evidence.State, after.Metrics[0].Evidence.State); diff != "" {
		t.Errorf("-without +with an outage of a minute:\n%s", diff)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	tests := map[string]struct {
		reason string
		reply  providertest.Reply
		want   string
	}{
		"HTML":     {"a login page is no answer", providertest.Reply{Body: "<html>please log in</html>"}, "check the address"},
		"refusal":  {"the server's own words help", providertest.Refusal(400, "bad_data", "parse error"), "refuses the query"},
		"warnings": {"partial data would count too few", providertest.Reply{Body: `{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":[]}}`}, "a store is away"},
		"timeout":  {"the same block is asked for again", providertest.Refusal(503, "timeout", "too slow"), "fails to answer"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, counting)
			b.server.Reply(tc.reply)
			st := b.until(2 * time.Minute)
			if m := st.Metrics[0]; !strings.Contains(m.Delayed, tc.want) || m.Verdict == v1alpha1.MetricPassing || st.Answer.Verdict != v1alpha1.AnalysisRunning {
				t.Errorf("%s: %s, delayed %q, answer %s; want %q", tc.reason, m.Verdict, m.Delayed, st.Answer.Verdict, tc.want)
			}
			if len(st.Message) < 10 || st.CompletedAt != nil {
				t.Errorf("%s: %q", tc.reason, st.Message)
			}
		})
	}
}

func TestSelectorsAreChecked(t *testing.T) {
	tests := map[string]struct{ reason, total, want string }{
		"rate":     {"extrapolated counts break the guarantee", `rate(a{t="$(arm)"}[1m])`, "uses rate(), which guesses beyond the samples"},
		"no name":  {"it would select everything", `{track="$(arm)"}`, "names no metric"},
		"variable": {"a typo", `a{track="$(arn)"}`, "$(arn) is unknown; known are $(arm)"},
		"typo":     {"it is not PromQL", `a{track="$(arm)"`, "is not PromQL"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, counting, func(run *v1alpha1.AnalysisRun) { run.Spec.Metrics[0].Proportion.Total = tc.total })
			st, _ := b.pass()
			if st.Phase != v1alpha1.AnalysisError || st.CompletedAt == nil || !strings.Contains(st.Message, tc.want) || !strings.Contains(st.Message, `metric "checkout"`) {
				t.Errorf("%s: %s: %q, want Error for good: %q", tc.reason, st.Phase, st.Message, tc.want)
			}
		})
	}
}

// TestPresetByTheRunsSubject: labels come from the subject, and what a preset
// lacks is said.
func TestPresetByTheRunsSubject(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Metrics = nil
		run.Spec.Preset, run.Spec.Objectives = "TraefikGateway", &v1alpha1.Objectives{Availability: "99.9%"}
		run.Spec.Subject = &v1alpha1.Subject{
			Canary: v1alpha1.SubjectArm{Service: "checkout-canary"}, Stable: &v1alpha1.SubjectArm{Service: "checkout-stable"},
		}
	})
	b.server.ReplyTo(func(q providertest.Query) providertest.Reply {
		if strings.HasPrefix(q.Text, "quantile(") {
			return providertest.Values("29.998")
		}
		return providertest.Values("100")
	})
	st := b.until(2 * time.Minute)
	ev := st.Metrics[0].Evidence
	if ev == nil || ev.Block.Duration != 30*time.Second || ev.Settle.Duration != 30*time.Second || ev.Noise != "1.5" {
		t.Fatalf("blocks are raised to the scrape interval, and without history noise is 1.5: %+v", ev)
	}
	var canary bool
	for _, q := range b.server.Queries() {
		canary = canary || strings.Contains(q.Text, "shop-checkout-canary-http")
	}
	if !canary {
		t.Errorf("no query asks for the canary's Service:\n%v", b.server.Queries())
	}

	b = newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Metrics = nil
		run.Spec.Preset, run.Spec.Objectives = "Istio", &v1alpha1.Objectives{Availability: "99.9%"}
		run.Spec.Subject = &v1alpha1.Subject{}
	})
	if st, _ := b.pass(); st.Phase != v1alpha1.AnalysisError || !strings.Contains(st.Message, "set canary.service") {
		t.Errorf("without a Service: %s: %q", st.Phase, st.Message)
	}
}

func TestAloneARunEndsAndExpires(t *testing.T) {
	b := newBench(t, counting, func(run *v1alpha1.AnalysisRun) {
		run.OwnerReferences, run.Spec.Question = nil, nil
		run.Spec.TTLSecondsAfterFinished = ptr.To(int32(60))
	})
	b.server.ReplyTo(shop(0, 500, 1, 4500))
	st := b.until(70 * time.Second)
	if st.Phase != v1alpha1.AnalysisPassed || st.CompletedAt == nil {
		t.Fatalf("%s: %q, want Passed for good", st.Phase, st.Message)
	}
	b.clock.SetTime(st.CompletedAt.Add(time.Minute))
	if _, err := b.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Get(t.Context(), key, &v1alpha1.AnalysisRun{}); !apierrors.IsNotFound(err) {
		t.Errorf("after its time to live: %v, want it gone", err)
	}
}

// A canary that gets too few requests is warned of, once.
func TestTooLittleTrafficIsAnEvent(t *testing.T) {
	b := newBench(t, counting, question(2*time.Minute))
	b.server.ReplyTo(shop(0, 1, 0, 9))
	st := b.until(4 * time.Minute)
	if st.Answer == nil || !strings.Contains(st.Answer.Warning, "passing takes about") {
		t.Fatalf("answer %+v, want a warning; %s", st.Answer, st.Message)
	}
	if n := strings.Count(strings.Join(b.events(), "\n"), "TooLittleTraffic"); n != 1 {
		t.Errorf("%d events, want one", n)
	}
}
