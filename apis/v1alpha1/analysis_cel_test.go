// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

type fields = map[string]any

// sound is what an SRE writes.
func sound() fields {
	return fields{"preset": "Istio", "objectives": fields{"availability": "99.9%", "latency": fields{"p99": "300ms"}}}
}

func proportion(total, bad string) fields {
	return fields{"name": "checkout", "proportion": fields{"total": total, "bad": bad}}
}

// web is an analysis with a metric from a web, judged by a threshold.
func web(threshold, change fields) fields {
	w := fields{"url": "http://q.test", "jsonPath": "{.v}"}
	maps.Copy(w, change)
	m := fields{"name": "a", "web": w}
	if threshold != nil {
		m["threshold"] = threshold
	} else {
		m["job"] = fields{"template": fields{}}
	}
	return fields{"metrics": []any{m}}
}

func TestAnalysesAreAccepted(t *testing.T) {
	tests := map[string]struct {
		reason string
		change fields
	}{
		"objectives alone": {"all that has to be written", nil},
		"everything tuned": {"each default can be changed", fields{
			"falseAbortRate": "0.5%", "tolerance": fields{"ratio": "1.2", "absolute": "0.02%"}, "maxBurnRate": "1.5",
			"compareLatency": true, "noise": "3", "settle": "60s", "onInconclusive": "Promote", "onNoData": "Ignore",
		}},
		"all kinds": {"each kind of metric", fields{"metrics": []any{
			fields{"name": "checkout", "proportion": fields{"total": `a_total{t="$(arm)"}`, "bad": `a_total{t="$(arm)",r="x"}`}, "objective": "99%"},
			fields{"name": "memory", "scalar": fields{"query": `avg(m{pod=~"$(podRegex)"})`}},
			fields{"name": "queue", "threshold": fields{"query": "q", "max": "5"}},
		}}},
		"all sources": {"each place to measure at", fields{"loki": fields{"address": "http://loki:3100"}, "metrics": []any{
			fields{"name": "lines", "proportion": fields{"provider": "Loki", "total": `{app="a",t="$(arm)"}`, "bad": `{app="a",t="$(arm)"} |= "error"`}},
			fields{"name": "vendor", "threshold": fields{"min": "0.9"}, "web": fields{
				"url": "https://q.test/$(rollout)?s=$(canaryService)", "method": "POST", "body": `{"s":"$(canary)"}`, "jsonPath": "{.data.score}", "timeout": "5s",
				"headers": []any{fields{"name": "X-Key", "value": "$(token)"}},
			}},
			fields{"name": "smoke", "job": fields{"timeout": "5m", "template": fields{"spec": fields{"template": fields{"spec": fields{}}}}}},
		}}},
		"templates of both kinds": {"one name may be in both", fields{"templates": []any{
			fields{"name": "slo"}, fields{"name": "slo", "kind": "ClusterAnalysisTemplate"},
		}}},
		"secret": {"a value that must not be written down", fields{"args": []any{
			fields{"name": "token", "valueFrom": fields{"secretKeyRef": fields{"name": "vendor", "key": "token"}}},
		}}},
		"counters named rate": {"a name that contains a function's is none", fields{"metrics": []any{proportion("exchange_rate_total", "my_rate")}}},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, a := readmeRollout(t), sound()
			maps.Copy(a, tc.change)
			if err := unstructured.SetNestedField(o, runtime.DeepCopyJSONValue(a), "spec", "strategy", "canary", "analysis"); err != nil {
				t.Fatal(err)
			}
			if err := create(t, c, ns, o); err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

func TestMistakesInAnalysesAreRefusedWithARemedy(t *testing.T) {
	tests := map[string]struct {
		reason string
		change fields
		want   string
	}{
		"no preset":          {"nobody knows which series count", fields{"preset": nil}, "analysis.preset: required with objectives"},
		"unknown preset":     {"a typo", fields{"preset": "Itsio"}, `"Istio"`},
		"no percent":         {"0.999 and 99.9 are both wrong by a factor of a hundred", fields{"objectives": fields{"availability": "0.999"}}, "must be a percentage from 50% to below 100%"},
		"perfect":            {"nothing can prove it", fields{"objectives": fields{"availability": "100%"}}, "must be a percentage from 50% to below 100%"},
		"no objective":       {"it would judge nothing", fields{"objectives": fields{}}, "objectives: set availability, latency or both"},
		"false aborts":       {"never is impossible", fields{"falseAbortRate": "0%"}, "falseAbortRate: must be above 0%"},
		"tolerance":          {"a share is at most 100 %", fields{"tolerance": fields{"absolute": "120%"}}, "tolerance.absolute: must be 0% to 100%"},
		"ratio":              {"better than stable is not tolerance", fields{"tolerance": fields{"ratio": "0.5"}}, "tolerance.ratio: must be 1 to 1000"},
		"burn rate":          {"no budget could be kept", fields{"maxBurnRate": "0"}, "maxBurnRate: must be above 0"},
		"noise":              {"a factor below 1 would invent evidence", fields{"noise": "0.5"}, "noise: must be Auto, or a number from 1 to 20"},
		"rate":               {"extrapolated counts break the guarantee", fields{"metrics": []any{proportion("rate(a[1m])", "a")}}, "write the counter's selector alone"},
		"increase in sum":    {"wherever it stands", fields{"metrics": []any{proportion("a", "sum(increase (a[1m]))")}}, "guess beyond the samples"},
		"two kinds":          {"which one counts would be a guess", fields{"metrics": []any{fields{"name": "a", "threshold": fields{"query": "q", "max": "1"}, "scalar": fields{"query": "$(arm)"}}}}, "set exactly one of proportion, scalar, threshold and job"},
		"no kind":            {"nothing is measured", fields{"metrics": []any{fields{"name": "a"}}}, "set exactly one of proportion, scalar, threshold and job"},
		"objective":          {"thresholds have bounds of their own", fields{"metrics": []any{fields{"name": "a", "objective": "99%", "threshold": fields{"query": "q", "max": "1"}}}}, "metrics.objective: belongs to a proportion"},
		"scalar of one":      {"there would be nothing to compare", fields{"metrics": []any{fields{"name": "a", "scalar": fields{"query": "q"}}}}, "has nothing that tells canary from stable"},
		"web without bounds": {"a number alone is no judgement", web(nil, nil), "metrics.web: gives one number, which a threshold judges; add threshold"},
		"web and a query":    {"which one counts would be a guess", web(fields{"max": "1", "query": "q"}, nil), "threshold.query: set it, or web beside threshold, but not both"},
		"no query":           {"there would be nothing to ask", fields{"metrics": []any{fields{"name": "a", "threshold": fields{"max": "1"}}}}, "threshold.query: set it, or web beside threshold, but not both"},
		"web of Loki":        {"web asks nobody else", web(fields{"max": "1", "provider": "Loki"}, nil), "threshold.provider: answers a query, and web asks none"},
		"body of a GET":      {"servers ignore it", web(fields{"max": "1"}, fields{"body": "{}"}), "web.body: a GET has none; set method to POST or PUT"},
		"no URL":             {"no other scheme gives JSON", web(fields{"max": "1"}, fields{"url": "file:///etc/passwd"}), "web.url: must be an http or https URL"},
		"bare path":          {"another path language", web(fields{"max": "1"}, fields{"jsonPath": "$.a"}), "web.jsonPath: must be a path in braces such as {.data.score}"},
		"web TLS":            {"there is no TLS in http", web(fields{"max": "1"}, fields{"tls": fields{"insecureSkipVerify": true}}), "web.tls: belongs to an https URL"},
		"patience":           {"a pass of all metrics has its own limit", web(fields{"max": "1"}, fields{"timeout": "1m"}), "web.timeout: must be above 0s and at most 15s"},
		"Loki address":       {"a host alone has no scheme", fields{"loki": fields{"address": "loki:3100"}}, "loki.address: must be an http or https URL"},
		"unknown provider":   {"a typo", fields{"metrics": []any{fields{"name": "a", "threshold": fields{"provider": "Lokki", "query": "q", "max": "1"}}}}, `"Prometheus", "Loki"`},
		"job without time":   {"it would end at once", fields{"metrics": []any{fields{"name": "a", "job": fields{"timeout": "0s", "template": fields{}}}}}, "job.timeout: must be at least 1s"},
		"latency of none":    {"nothing is that fast", fields{"objectives": fields{"latency": fields{"p99": "0s"}}}, "objectives.latency: must be above 0s"},
		"slowest of none":    {"nor is the slowest", fields{"objectives": fields{"latency": fields{"p99.9": "0"}}}, "objectives.latency: must be above 0s"},
		"no patience":        {"0 is not the default", fields{"noDataTimeout": "0s"}, "analysis.noDataTimeout: must be at least 1s"},
		"settled at once":    {"nor is it here", fields{"settle": "0s"}, "settle: must be above 0s"},
		"two sources":        {"which one counts would be a guess", fields{"args": []any{fields{"name": "a", "valueFrom": fields{"revision": "Canary", "secretKeyRef": fields{"name": "s", "key": "k"}}}}}, "set exactly one of revision, fieldRef and secretKeyRef"},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o, a := readmeRollout(t), sound()
			maps.Copy(a, tc.change)
			maps.DeleteFunc(a, func(_ string, v any) bool { return v == nil })
			if err := unstructured.SetNestedField(o, runtime.DeepCopyJSONValue(a), "spec", "strategy", "canary", "analysis"); err != nil {
				t.Fatal(err)
			}
			if err := create(t, c, ns, o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want a refusal that says %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestTimesOfQuestionsThatMakeNoSense(t *testing.T) {
	tests := map[string]struct {
		reason  string
		analyze fields
		want    string
	}{
		"both":               {"what people write", fields{"minDuration": "10m", "maxDuration": "1h"}, ""},
		"at the default":     {"15 minutes suffice", fields{"minDuration": "15m"}, ""},
		"no time":            {"0 is not the default", fields{"maxDuration": "0s"}, "analyze.maxDuration: must be above 0s"},
		"too short":          {"it would be over before it may pass", fields{"minDuration": "2h", "maxDuration": "1h"}, "analyze.minDuration: must not be above maxDuration"},
		"beyond the default": {"so it would here", fields{"minDuration": "20m"}, "analyze.minDuration: must not be above maxDuration, which is 15m unless set"},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := readmeRollout(t)
			if err := unstructured.SetNestedField(o, runtime.DeepCopyJSONValue(sound()), "spec", "strategy", "canary", "analysis"); err != nil {
				t.Fatal(err)
			}
			if err := unstructured.SetNestedField(o, []any{fields{"setWeight": int64(10)}, fields{"analyze": tc.analyze}}, "spec", "strategy", "canary", "steps"); err != nil {
				t.Fatal(err)
			}
			err := create(t, c, ns, o)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: got %v, want a refusal that says %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestRunsThatMakeNoSense(t *testing.T) {
	tests := map[string]struct {
		reason string
		change fields
		want   string
	}{
		"end":                {"what people write", fields{"end": fields{"minDuration": "10m"}}, ""},
		"end before it may":  {"15 minutes are over by then", fields{"end": fields{"minDuration": "20m"}}, "end.minDuration: must not be above maxDuration"},
		"arg of two":         {"which one counts would be a guess", fields{"args": []any{fields{"name": "a", "value": "1", "secretKeyRef": fields{"name": "s", "key": "k"}}}}, "args: set value or secretKeyRef, not both"},
		"arg without a name": {"$() means nothing", fields{"args": []any{fields{"name": "", "value": "1"}}}, "spec.args[0].name"},
		"arg that can't be":  {"$(a)b) ends too early", fields{"args": []any{fields{"name": "a)b", "value": "1"}}}, "spec.args[0].name"},
	}
	env := testenv.Start(t)
	c, ns := env.Client(t, runtime.NewScheme()), env.Namespace(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			spec := fields{"metrics": []any{fields{"name": "a", "threshold": fields{"query": "q", "max": "1"}}}}
			maps.Copy(spec, tc.change)
			o := fields{"apiVersion": "sluice.dev/v1alpha1", "kind": "AnalysisRun", "metadata": fields{"generateName": "a-"}, "spec": spec}
			err := create(t, c, ns, o)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: got %v, want a refusal that says %q", tc.reason, err, tc.want)
			}
		})
	}
}
