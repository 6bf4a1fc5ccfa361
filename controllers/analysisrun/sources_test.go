// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const token = "s3cr3t-t0ken"

// vendor is an API that wants a key and gives a score.
func vendor(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (address string, keys func() []string) {
	t.Helper()
	seen := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("X-Key")
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		var all []string
		for len(seen) > 0 {
			all = append(all, <-seen)
		}
		return all
	}
}

func score(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"score": 0.99}`)
}

// byWeb has a run ask the vendor besides Prometheus.
func byWeb(address string) func(*v1alpha1.AnalysisRun) {
	return func(run *v1alpha1.AnalysisRun) {
		run.Spec.Args = []v1alpha1.ResolvedArg{
			{Name: "key", SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "vendor", Key: "token"}}, {Name: "rollout", Value: "shop"},
		}
		run.Spec.Metrics = append(run.Spec.Metrics, v1alpha1.Metric{
			Name: "score", Threshold: &v1alpha1.Threshold{Min: ptr.To("0.9"), Consecutive: 1},
			Web: &v1alpha1.Web{
				Access: v1alpha1.Access{Headers: []v1alpha1.Header{{Name: "X-Key", Value: ptr.To("$(key)")}}},
				URL:    address + "/v1?service=$(rollout)", JSONPath: "{.score}",
			},
		})
	}
}

func metricOf(t *testing.T, st v1alpha1.AnalysisRunStatus, name string) v1alpha1.MetricStatus {
	t.Helper()
	for _, m := range st.Metrics {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no metric %s in %+v", name, st)
	return v1alpha1.MetricStatus{}
}

// What comes from a Secret is sent, and shows in no status and no event.
func TestArgumentFromASecret(t *testing.T) {
	address, keys := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, "no service for key "+r.Header.Get("X-Key"))
	})
	b := newBench(t, byWeb(address))
	b.server.Reply(providertest.Values("0.01"))
	b.restart(Options{Secrets: newVault(t, nil, secretOf("vendor", map[string]string{"token": token}))})
	st := b.passes(3)
	if sent := keys(); len(sent) != 2 || sent[0] != token {
		t.Errorf("sent %d keys, want the Secret's content in each of two requests", len(sent))
	}
	want := "API at " + address + "/v1 refuses the request (422 Unprocessable Entity: no service for key ***); correct web.url, web.method, web.headers or web.body"
	if m := metricOf(t, st, "score"); m.Message != want || m.Verdict != v1alpha1.MetricNoData {
		t.Errorf("%s: %q, want NoData: %q", m.Verdict, m.Message, want)
	}
	if strings.Contains(fmt.Sprintf("%+v", st), token) {
		t.Errorf("the status holds the Secret's content: %+v", st)
	}
	for len(b.recorder.Events) > 0 {
		if e := <-b.recorder.Events; strings.Contains(e, token) {
			t.Errorf("an event holds the Secret's content: %s", e)
		}
	}
}

// What is in the way of one metric is said once and clearly, leaves the others
// their say, passes nothing, and is forgotten when it is mended.
func TestWhatIsInTheWay(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>")
	}
	good := secretOf("vendor", map[string]string{"token": token})
	tests := map[string]struct {
		reason string
		answer func(http.ResponseWriter, *http.Request)
		secret *corev1.Secret
		hosts  []string
		want   string
	}{
		"no Secret": {
			reason: "Secret, key and remedy are named", answer: score, secret: secretOf("other", nil),
			want: "spec.args[key]: there is no Secret vendor in namespace shop; create it, or correct the name",
		},
		"no key": {
			reason: "so they are for a key", answer: score, secret: secretOf("vendor", map[string]string{"tokn": "x"}),
			want: `spec.args[key]: Secret vendor in namespace shop has nothing under key "token"; add it, or correct the key`,
		},
		"content with a line break": {
			reason: "what can't be sent is not repeated", answer: score, secret: secretOf("vendor", map[string]string{"token": "a\n" + token}),
			want: `metric "score": web.headers[X-Key]: $(key): the content of the Secret can't stand here; put it between double quotes, without line breaks in a header`,
		},
		"host not allowed": {
			reason: "the list and the remedy are named", answer: score, secret: good, hosts: []string{"prometheus.monitoring:9090", "127.0.0.1:1"},
			want: "spec.metrics[score].web: HOST may not be asked: the controller's --analysis-allowed-hosts allows prometheus.monitoring:9090, 127.0.0.1:1; " +
				"use one of these, or have the flag allow this one",
		},
		"web page": {
			reason: "a login page is no number", answer: page, secret: good,
			want: "API at http://HOST/v1 answers with a web page instead of JSON; check the address: what answers may be a login page or another program",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			address, _ := vendor(t, tc.answer)
			b := newBench(t, byWeb(address), question(time.Hour), func(run *v1alpha1.AnalysisRun) { run.Spec.Prometheus = nil })
			b.server.Reply(providertest.Values("0.01"))
			b.restart(Options{PrometheusAddress: b.server.Address, AllowedHosts: tc.hosts, Secrets: newVault(t, nil, tc.secret)})
			st := b.passes(8)
			got := strings.ReplaceAll(metricOf(t, st, "score").Message, strings.TrimPrefix(address, "http://"), "HOST")
			if got != tc.want {
				t.Errorf("%s: message %q, want %q", tc.reason, got, tc.want)
			}
			if m := metricOf(t, st, "errors"); m.Verdict != v1alpha1.MetricPassing {
				t.Errorf("%s: the other metric is %s, want Passing", tc.reason, m.Verdict)
			}
			if st.Answer.Verdict != v1alpha1.AnalysisRunning || st.CompletedAt != nil {
				t.Errorf("%s: answer %s, completed %v; want to go on waiting", tc.reason, st.Answer.Verdict, st.CompletedAt)
			}
			if n := strings.Count(strings.Join(b.events(), "\n"), "NoData"); n != 1 {
				t.Errorf("%s: %d events, want one", tc.reason, n)
			}
			b.edit(func(run *v1alpha1.AnalysisRun) {
				ok, _ := vendor(t, score)
				run.Spec.Metrics[1].Web.URL = ok
			})
			b.restart(Options{PrometheusAddress: b.server.Address, Secrets: newVault(t, nil, good)})
			if st = b.passes(2); st.Answer.Verdict != v1alpha1.AnalysisPassed {
				t.Errorf("%s: mended, the answer is %+v, want Passed", tc.reason, st.Answer)
			}
		})
	}
}

// A server that every metric needs and that may not be asked stops the run at once.
func TestServersThatMayNotBeAsked(t *testing.T) {
	tests := map[string]struct {
		reason string
		change func(*v1alpha1.AnalysisRun)
		want   string
	}{
		"Prometheus": {"of the run's own choice", nil, "spec.prometheus: HOST may not be asked: the controller's --analysis-allowed-hosts allows loki:3100; use one of these, or have the flag allow this one"},
		"Loki": {"whoever answers", func(run *v1alpha1.AnalysisRun) {
			run.Spec.Loki = &v1alpha1.Loki{Address: run.Spec.Prometheus.Address}
			run.Spec.Metrics[0].Threshold.Provider = v1alpha1.ProviderLoki
		}, "spec.loki: HOST may not be asked: the controller's --analysis-allowed-hosts allows loki:3100; use one of these, or have the flag allow this one"},
		"no Loki": {"there is no default", func(run *v1alpha1.AnalysisRun) { run.Spec.Metrics[0].Threshold.Provider = v1alpha1.ProviderLoki }, noLoki},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var mods []func(*v1alpha1.AnalysisRun)
			if tc.change != nil {
				mods = append(mods, tc.change)
			}
			b := newBench(t, mods...)
			b.restart(Options{AllowedHosts: []string{"loki:3100"}})
			st := b.passes(3)
			if got := strings.ReplaceAll(st.Message, strings.TrimPrefix(b.server.Address, "http://"), "HOST"); st.Phase != v1alpha1.AnalysisError || got != tc.want {
				t.Errorf("%s: %s: %q, want Error: %q", tc.reason, st.Phase, got, tc.want)
			}
			if n := len(b.server.Queries()); n != 0 {
				t.Errorf("%s: the server was asked %d times", tc.reason, n)
			}
		})
	}
}

// A path that can't be read is found before anybody is asked.
func TestMistakeInAWeb(t *testing.T) {
	address, keys := vendor(t, score)
	b := newBench(t, byWeb(address), func(run *v1alpha1.AnalysisRun) { run.Spec.Metrics[1].Web.JSONPath = "{.score" })
	st := b.passes(1)
	want := `metric "score": web.jsonPath: {.score can't be read (unclosed action); write a path such as {.data.score}`
	if st.Phase != v1alpha1.AnalysisError || st.Message != want || len(keys()) != 0 {
		t.Errorf("%s: %q, want Error: %q", st.Phase, st.Message, want)
	}
}

// Loki counts lines as Prometheus counts requests, and each is asked where it is.
func TestLokiCounts(t *testing.T) {
	asked := make(chan string, 1000)
	loki := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "range") {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
			return
		}
		count := "100"
		if strings.Contains(r.FormValue("query"), "error") {
			count = map[bool]string{true: "30", false: "1"}[strings.Contains(r.FormValue("query"), "canary")]
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,%q]}]}}`, count)
	}))
	t.Cleanup(loki.Close)
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Prometheus, run.Spec.Loki = nil, &v1alpha1.Loki{Address: loki.URL}
		run.Spec.Metrics = []v1alpha1.Metric{{Name: "log-errors", Objective: "99%", Proportion: &v1alpha1.Proportion{
			Provider: v1alpha1.ProviderLoki, Total: `{track="$(arm)"}`, Bad: `{track="$(arm)"} |= "error"`,
		}}}
		run.Spec.WarmUp = v1alpha1.Duration{}
	})
	st := b.passes(8)
	if st.Phase != v1alpha1.AnalysisFailed || !strings.Contains(st.Message, "log-errors: canary 30 % bad (60/200), stable 1 % (2/200); evidence ") {
		t.Errorf("%s: %q, want Failed after two blocks", st.Phase, st.Message)
	}
	if len(asked) == 0 || len(b.server.Queries()) != 0 {
		t.Errorf("Loki was asked %d times, Prometheus %d times", len(asked), len(b.server.Queries()))
	}
}
