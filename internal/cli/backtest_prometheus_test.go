// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pastServer answers range queries, and those for the edges of a histogram, as
// Prometheus does. What a query gives at a step is up to the test.
type pastServer struct {
	url string

	mu     sync.Mutex
	ranges []string
}

// newPastServer asks value for each step of a query; "" is no sample. One value
// of several series is written with a comma.
func newPastServer(t *testing.T, value func(query string, at int64) string) *pastServer {
	t.Helper()
	p := &pastServer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		query := r.FormValue("query")
		if r.URL.Path == "/api/v1/query" {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[
				{"metric":{"le":"0.1"},"value":[1,"1"]},{"metric":{"le":"0.5"},"value":[1,"1"]},{"metric":{"le":"+Inf"},"value":[1,"1"]}]}}`)
			return
		}
		first, last, step := seconds(t, r, "start"), seconds(t, r, "end"), seconds(t, r, "step")
		p.mu.Lock()
		p.ranges = append(p.ranges, fmt.Sprintf("%d-%d/%d", first, last, step))
		p.mu.Unlock()
		var values [][2]any
		for at := first; at <= last; at += step {
			if v := value(query, at); v != "" {
				values = append(values, [2]any{at, v})
			}
		}
		result := []map[string]any{}
		if len(values) > 0 {
			result = append(result, map[string]any{"metric": map[string]string{}, "values": values})
		}
		body := map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}}
		if strings.Contains(query, "warns") {
			body["warnings"] = []string{"store 2 is away"}
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func seconds(t *testing.T, r *http.Request, name string) int64 {
	t.Helper()
	f, err := strconv.ParseFloat(r.FormValue(name), 64)
	if err != nil {
		t.Errorf("%s=%q", name, r.FormValue(name))
	}
	return int64(f)
}

const templateHead = "apiVersion: sluice.dev/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\nspec:\n"

// From 1,000,000 on the history has ten blocks of ten seconds.
var tenBlocks = []string{"--from", "1000000", "--to", "1000100"}

func TestBacktestPrometheus(t *testing.T) {
	proportion := "  metrics:\n  - {name: errors, objective: \"99.9%\", proportion: {total: 'req{track=\"$(arm)\"}', bad: 'req{track=\"$(arm)\",code=~\"5..\"}'}}\n"
	// The canary turns bad after a minute; in the hour before, stable has no errors.
	counts := func(query string, at int64) string {
		canary, bad := strings.Contains(query, "canary"), strings.Contains(query, "code=~")
		switch {
		case !canary && bad:
			return "1"
		case !canary:
			return "900"
		case bad && at > 1000060:
			return "5"
		case bad:
			return ""
		}
		return "100"
	}
	cases := map[string]struct {
		reason   string
		template string
		value    func(string, int64) string
		args     []string
		code     int
		words    string
	}{
		"Fails": {
			reason: "The block that decides is named by its end too.", template: proportion, value: counts, code: ExitFailed,
			words: "9      1970-01-12T13:48:10Z  errors  5/100   1/900",
		},
		"Arms": {
			reason: "What tells the arms apart is data.", template: proportion, args: []string{"--arm", `canary=a"b`, "--arm", "stable=s"}, code: ExitInconclusive,
			value: func(query string, at int64) string {
				if strings.Contains(query, `track="canary"`) || strings.Contains(query, `track="stable"`) {
					return "no number"
				}
				if strings.Contains(query, `track="a\"b"`) {
					return counts("canary", at)
				}
				return counts("stable", at)
			},
			words: "errors: canary 100 % bad (1000/1000)",
		},
		"NoSeries": {
			reason: "A block without series is none without errors.", template: proportion, code: ExitInconclusive,
			value: func(query string, at int64) string {
				if at > 1000010 {
					return ""
				}
				return counts(query, at)
			}, words: "2      1970-01-12T13:47:00Z  errors  unusable",
		},
		"OneArm": {
			reason: "Counters without arms are judged by the objective alone.", code: ExitFailed,
			template: "  metrics:\n  - {name: errors, objective: \"99.9%\", proportion: {total: 'req', bad: 'req{code=~\"5..\"}'}}\n",
			value: func(query string, _ int64) string {
				if strings.Contains(query, "code=~") {
					return "2"
				}
				return "100"
			}, words: "no stable; evidence",
		},
		"Preset": {
			reason: "A preset knows the series by the Services; a duration between two edges fails by the upper and passes by the lower.", code: ExitInconclusive,
			template: "  preset: TraefikGateway\n  objectives: {latency: {p99: 300ms}}\n", args: []string{"-n", "shop", "--arm", "canary=web-c", "--arm", "stable=web-s"},
			value: func(query string, _ int64) string {
				switch {
				case !strings.Contains(query, `shop-web-c`) && !strings.Contains(query, `shop-web-s`):
					return ""
				case strings.Contains(query, `le=~"0\\.1"`):
					return "60"
				}
				return "100"
			},
			words: "latency-p99: canary 0 % bad (0/1000), stable 0 % bad (0/1000); evidence 3.377e-33 of 20",
		},
		"Threshold": {
			reason: "A threshold fails by values in a row.", code: ExitFailed,
			template: "  metrics:\n  - {name: queue, threshold: {query: 'max(queue{app=\"$(app)\"})', max: \"5\", consecutive: 2}}\n  args: [{name: app, value: shop}]\n",
			value: func(query string, at int64) string {
				if !strings.Contains(query, `app="shop"`) {
					return "NaN"
				}
				return map[int64]string{1000020: "7", 1000040: "8", 1000050: "NaN", 1000060: "9.5"}[at] + map[bool]string{true: "1"}[at%20 == 10 && at != 1000050]
			},
			words: "Failed at block 6 of 10:\n  queue: canary 9.5; 2 values in a row decide → Abort",
		},
		"Scalar": {
			reason: "A scalar holds.", code: ExitInconclusive,
			template: "  metrics:\n  - {name: memory, scalar: {query: 'avg(mem{pod=~\"$(podRegex)\"})', tolerance: 10%}}\n", args: []string{"--arm", "canary=web.c"},
			value: func(query string, _ int64) string {
				if strings.Contains(query, `web\\.c-.+`) {
					return "150"
				}
				return "100"
			},
			words: "memory: canary 150, stable 100; it holds",
		},
		"ScalarPasses": {
			reason: "Ten values that are no higher pass.", code: ExitOK,
			template: "  metrics:\n  - {name: memory, scalar: {query: 'avg(mem{pod=~\"$(podRegex)\"})'}}\n",
			value:    func(string, int64) string { return "100" },
			words:    "Passed: holds from block 10 to the last, 10:",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := newPastServer(t, tc.value)
			args := append([]string{"-f", countsFile(t, templateHead+tc.template), "--prometheus", server.url}, tenBlocks...)
			r := backtestRun(t, append(args, tc.args...)...)
			if r.code != tc.code || !strings.Contains(r.out.String(), tc.words) {
				t.Errorf("%s\ncode %d, want %d; out, want %q in:\n%s%s", tc.reason, r.code, tc.code, tc.words, r.out.String(), r.err.String())
			}
		})
	}
}

// What is asked for fits the limits of servers, and every block is asked for once.
func TestBacktestAsksInParts(t *testing.T) {
	server := newPastServer(t, func(string, int64) string { return "1" })
	template := templateHead + "  metrics: [{name: queue, threshold: {query: queue, max: \"5\"}}]\n"
	r := backtestRun(t, "-f", countsFile(t, template), "--prometheus", server.url, "--from", "1000000", "--to", "1012000", "--block", "1s", "-o", "json")
	if r.code != ExitOK {
		t.Fatalf("code %d: %s", r.code, r.err.String())
	}
	if diff := cmp.Diff([]string{"1000001-1005000/1", "1005001-1010000/1", "1010001-1012000/1"}, server.ranges); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestBacktestPrometheusErrors(t *testing.T) {
	server := newPastServer(t, func(query string, _ int64) string {
		if strings.Contains(query, "nothing") {
			return ""
		}
		return "1"
	})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	good := "  metrics: [{name: queue, threshold: {query: queue, max: \"5\"}}]\n"
	proportion := func(total string) string {
		return fmt.Sprintf("  metrics: [{name: errors, proportion: {total: '%s', bad: 'req{code=\"500\"}'}}]\n", total)
	}
	cases := map[string]struct {
		reason, template string
		args             []string
		want             string
	}{
		"NoHistory": {"A template alone has no history.", good, nil, "give --prometheus URL and --from TIME, or a file of counts with --data FILE"},
		"NoFrom":    {"Nor has a server without a time.", good, []string{"--prometheus", server.url}, "give --from"},
		"BadFrom":   {"A time is written in one of three ways.", good, append([]string{"--prometheus", server.url}, "--from", "yesterday"), `--from "yesterday": must be a time such as`},
		"Backwards": {"Time goes forward.", good, []string{"--prometheus", server.url, "--from", "1000100", "--to", "1970-01-12T13:46:40Z"}, "--from 1000100 (1970-01-12T13:48:20Z) to --to 1970-01-12T13:46:40Z runs backwards; swap them, or leave --to out for now"},
		"Ahead":     {"Nor is there a history of the future.", good, []string{"--prometheus", server.url, "--from", "2400-01-01T00:00:00Z"}, "--from 2400-01-01T00:00:00Z: is not before now, where the history ends without --to; give a time in the past, such as --from 2h"},
		"Short":     {"A history is one block at least.", good, []string{"--prometheus", server.url, "--from", "1000000", "--to", "1000009"}, "--from 1000000 (1970-01-12T13:46:40Z) to --to 1000009 (1970-01-12T13:46:49Z) is less than a block of 10s; give an earlier --from, a later --to or a shorter --block"},
		"Long":      {"And no endless one.", good, []string{"--prometheus", server.url, "--from", "1970-01-12T13:46:40Z", "--to", "2026-11-20T10:00:00Z"}, "blocks of 10s, at most 1000000; give a later --from, an earlier --to or a longer --block"},
		"Arm":       {"There are two arms.", good, append([]string{"--prometheus", server.url, "--arm", "baseline=x"}, tenBlocks...), "must be canary=VALUE or stable=VALUE"},
		"Gone":      {"A server that is away is named.", good, append([]string{"--prometheus", gone.URL}, tenBlocks...), `metric "queue": Prometheus at ` + gone.URL + " does not answer"},
		"Partial":   {"Half the data is no data.", strings.Replace(good, "query: queue", "query: warns", 1), append([]string{"--prometheus", server.url}, tenBlocks...), "warns that its answer may be incomplete"},
		"Rate":      {"Rates are no counts.", proportion(`rate(req{track="$(arm)"}[1m])`), append([]string{"--prometheus", server.url}, tenBlocks...), "proportion: counts are needed, and rate(), irate() and increase() guess beyond the samples"},
		"Sum":       {"What the definition can't tell is told by the query's reader.", proportion(`sum(req{track="$(arm)"})`), append([]string{"--prometheus", server.url}, tenBlocks...), `metric "errors": "sum(req`},
		"NoData":    {"Nothing at all is no verdict, not even an open one.", strings.Replace(proportion(`nothing{track="$(arm)"}`), "errors,", `errors, objective: "99%",`, 1), append([]string{"--prometheus", server.url}, tenBlocks...), "metric errors: there is no data in " + server.url + " from 1970-01-12T13:46:40Z"},
		"NoValue":   {"Nor is it for a threshold.", strings.Replace(good, "query: queue", "query: nothing", 1), append([]string{"--prometheus", server.url}, tenBlocks...), "metric queue: there is no data in"},
		"Variable":  {"An unknown variable is named with those there are.", proportion(`req{track="$(arn)"}`), append([]string{"--prometheus", server.url}, tenBlocks...), "proportion.total: $(arn) is unknown; known are $(arm)"},
		"Arg":       {"An arg without a value is asked for.", "  args: [{name: app}]\n" + good, append([]string{"--prometheus", server.url}, tenBlocks...), "give one with --arg app=VALUE"},
		"Field":     {"A misspelt field is named.", "  metrix: []\n", append([]string{"--prometheus", server.url}, tenBlocks...), `AnalysisTemplate t: unknown field "spec.metrix"`},
		"Nested":    {"What a template builds on must be there.", "  templates: [{name: x}]\n", append([]string{"--prometheus", server.url}, tenBlocks...), "AnalysisTemplate t builds on template x, which the files of -f do not hold; add its file by another -f"},
		"NoPreset":  {"Objectives need somebody who knows the series.", "  objectives: {availability: 99.9%}\n", append([]string{"--prometheus", server.url}, tenBlocks...), "set spec.preset"},
		"Both":      {"One history is replayed.", good, []string{"--prometheus", server.url, "--data", "x"}, "leave one out"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := backtestRun(t, append([]string{"-f", countsFile(t, templateHead+tc.template)}, tc.args...)...)
			if r.code != ExitNoBacktest || !strings.Contains(r.err.String(), tc.want) || r.out.String() != "" {
				t.Errorf("%s\ncode %d, out %q, err %q; want code %d, err with %q", tc.reason, r.code, r.out.String(), r.err.String(), ExitNoBacktest, tc.want)
			}
		})
	}
	r := backtestRun(t, "-f", countsFile(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"), "--prometheus", server.url, "--from", "1h")
	if want := "hold no AnalysisTemplate or ClusterAnalysisTemplate of sluice.dev/v1alpha1, but ConfigMap web of v1; give the one to replay"; r.code != ExitNoBacktest || !strings.Contains(r.err.String(), want) {
		t.Errorf("code %d, err %q, want %q", r.code, r.err.String(), want)
	}
}

// A file may hold several templates, and those that they build on.
func TestBacktestChoosesATemplate(t *testing.T) {
	server := newPastServer(t, func(query string, _ int64) string { return map[string]string{"queue": "9", "calm": "1"}[query] })
	base := strings.Replace(templateHead, "{name: t}", "{name: base}", 1) + "  metrics: [{name: queue, threshold: {query: queue, max: \"5\"}}]\n"
	builds := templateHead + "  templates: [{name: base}]\n  metrics: [{name: calm, threshold: {query: calm, max: \"5\"}}]\n"
	other := strings.Replace(templateHead, "{name: t}", "{name: other}", 1) + "  metrics: [{name: calm, threshold: {query: calm, max: \"5\"}}]\n"
	for name, tc := range map[string]struct {
		reason string
		files  []string
		args   []string
		code   int
		want   string
	}{
		"BuildsOn": {"The one that no other builds on is meant, and brings the other's metrics.", []string{base + "---\n" + builds}, nil, ExitFailed, "queue: canary 9; 3 values in a row decide → Abort"},
		"InFiles":  {"They may be in several files.", []string{builds, base}, nil, ExitFailed, "queue: canary 9"},
		"ByName":   {"A name chooses.", []string{base + "---\n" + builds + "---\n" + other}, []string{"other"}, ExitOK, "calm: canary 1"},
		"Several":  {"Which one would be a guess.", []string{base + "---\n" + other}, nil, ExitNoBacktest, "several templates: base, other; name the one to replay: kubectl sluice backtest base -f FILE"},
		"NoName":   {"A wrong name is answered with the right ones.", []string{base}, []string{"bass"}, ExitNoBacktest, "hold no template bass, but base"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--prometheus", server.url}, append(tenBlocks, tc.args...)...)
			for _, f := range tc.files {
				args = append(args, "-f", countsFile(t, f))
			}
			if r := backtestRun(t, args...); r.code != tc.code || !strings.Contains(r.out.String()+r.err.String(), tc.want) {
				t.Errorf("%s\ncode %d, want %d; want %q in:\n%s%s", tc.reason, r.code, tc.code, tc.want, r.out.String(), r.err.String())
			}
		})
	}
}

// A template lends its objectives to counts that have none.
func TestBacktestDataWithTemplate(t *testing.T) {
	template := countsFile(t, templateHead+"  preset: Istio\n  objectives: {availability: 99.9%}\n")
	data := countsFile(t, `{"metrics": {"availability": {"noise": 1, "blocks": [[2,100],[2,100],[2,100]]}}}`)
	r := backtestRun(t, "-f", template, "--data", data)
	if want := "evidence 560.8 of 100 needed that canary exceeds 0.2 %"; r.code != ExitFailed || !strings.Contains(r.out.String(), want) {
		t.Errorf("code %d, want %q in:\n%s%s", r.code, want, r.out.String(), r.err.String())
	}
}
