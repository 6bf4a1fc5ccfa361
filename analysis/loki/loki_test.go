// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package loki

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const secret = "s3cr3t-pass"

// reply is what a server answers with; status 0 is never.
type reply struct {
	status     int
	kind, body string
}

func vector(values ...string) reply {
	samples := make([]string, 0, len(values))
	for i, v := range values {
		samples = append(samples, fmt.Sprintf(`{"metric":{"pod":"p%d"},"value":[1.5,%q]}`, i, v))
	}
	return data("vector", "["+strings.Join(samples, ",")+"]", "")
}

func data(kind, result, more string) reply {
	return reply{status: 200, kind: "application/json", body: `{"status":"success"` + more + `,"data":{"resultType":"` + kind + `","result":` + result + `,"stats":{}}}`}
}

// server remembers what it was asked.
type server struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
}

func newServer(t *testing.T, answer func(query string) reply) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path+" "+r.FormValue("query")+" "+r.FormValue("time"))
		s.mu.Unlock()
		a := answer(r.FormValue("query"))
		if a.status == 0 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", a.kind)
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body)) // a reader that went away is its own business
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func TestContract(t *testing.T) {
	const echo = "not for " + secret + " or dXNlcjpzM2NyM3QtcGFzcw=="
	replies := map[providertest.Behaviour]reply{
		providertest.One: vector("0.25"), providertest.Whole: vector("37"), providertest.Nothing: vector(),
		providertest.NaN: vector("NaN"), providertest.Infinite: vector("+Inf"), providertest.Several: vector("0.25", "0.5"),
		providertest.Partial: data("vector", `[{"metric":{},"value":[1,"0.25"]}]`, `,"warnings":["ingester 2 is away, `+secret+`"]`),
		providertest.Refuses: {400, "text/plain; charset=utf-8", echo},
		providertest.Fails:   {500, "text/plain; charset=utf-8", echo},
		providertest.Garbage: {200, "application/json", "<html>\n" + echo + "</html>"},
		providertest.Huge:    {200, "application/json", strings.Repeat(" ", endpoint.DefaultMaxAnswer+1)},
		providertest.Hangs:   {}, providertest.Gone: {},
	}
	providertest.Run(t, providertest.Fixture{
		Secret: secret,
		Source: func(t *testing.T, b providertest.Behaviour) providertest.Source {
			t.Helper()
			s := newServer(t, func(string) reply { return replies[b] })
			if b == providertest.Gone {
				s.Close()
			}
			p := New(Options{Timeout: providertest.Limit(b)})
			target := analysis.Target{Address: s.URL, Access: analysis.Access{Username: "user", Password: secret}}
			return providertest.Source{
				Ask: func(ctx context.Context, at time.Time) (analysis.Answer, error) {
					return p.Query(ctx, target, "vector(1)", at)
				},
				Asked: func() int { return len(s.questions()) },
			}
		},
	})
}

func TestMeasure(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	tests := map[string]struct {
		reason               string
		reply                reply
		value, message, fail string
	}{
		"number": {reason: "the usual case", reply: vector("3"), value: "3"},
		"scalar": {reason: "a scalar is one number too", reply: data("scalar", `[1,"2"]`, ""), value: "2"},
		"nothing": {
			reason: "no line is not zero lines", reply: vector(),
			message: "the query gives nothing: no log line matches; check its selectors, or add or vector(0) where no line means none",
		},
		"lines": {
			reason: "lines are no number", reply: data("streams", `[{"stream":{},"values":[["1","a"]]}]`, ""),
			message: "the query gives log lines where a number is needed; count them, such as with sum(count_over_time({...} [1m]))",
		},
		"bad query": {
			reason: "Loki knows best what is wrong", reply: reply{400, "text/plain", "parse error at line 1, col 5: syntax error: unexpected IDENTIFIER"},
			fail: "Loki at ADDRESS refuses the query (parse error at line 1, col 5: syntax error: unexpected IDENTIFIER); correct the metric's LogQL",
		},
		"busy": {
			reason: "limits have a remedy of their own", reply: reply{429, "text/plain", "too many outstanding requests"},
			fail: "Loki at ADDRESS gave up on the query (429 Too Many Requests: too many outstanding requests); make it cheaper, such as with fewer streams",
		},
		"web page": {
			reason: "a login page is no Loki", reply: reply{200, "text/html", "<html>"},
			fail: "Loki at ADDRESS answers with a web page instead of JSON; check the address: what answers may be a login page or another program",
		},
		"another API": {
			reason: "JSON alone is no answer", reply: reply{200, "application/json", `{"ok":true}`},
			fail: "Loki at ADDRESS answers what is no answer of Loki; check the address, and the path before /loki/api",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(string) reply { return tc.reply })
			m := v1alpha1.Metric{Name: "m", Threshold: &v1alpha1.Threshold{Provider: v1alpha1.ProviderLoki, Query: "sum(x)"}}
			got, err := New(Options{}).Measure(t.Context(), analysis.Target{Address: s.URL + "/tenant"}, m, at)
			said := ""
			if err != nil {
				said = strings.ReplaceAll(err.Error(), s.URL+"/tenant", "ADDRESS")
			}
			if diff := cmp.Diff([]string{tc.value, tc.message, tc.fail}, []string{got.Value, got.Message, said}); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff([]string{"/tenant/loki/api/v1/query sum(x) 1700000000000000000"}, s.questions()); diff != "" {
				t.Errorf("one request, for the time asked for: -want +got:\n%s", diff)
			}
		})
	}
}

func TestCount(t *testing.T) {
	counts := map[string]reply{
		`sum(count_over_time({a="canary"} [10s]))`:             vector("40"),
		`sum(count_over_time({a="canary"} |= "error" [10s]))`:  vector("2"),
		`sum(count_over_time({a="stable"} [10s]))`:             vector("360"),
		`sum(count_over_time({a="stable"} |= "error" [10s]))`:  vector(),
		`sum(count_over_time({a="one"} [10s]))`:                vector(),
		`sum(count_over_time({a="one"} |= "error" [10s]))`:     vector(),
		`sum(count_over_time({a="partial"} [10s]))`:            data("vector", "[]", `,"warnings":["away"]`),
		`sum(count_over_time({a="partial"} |= "error" [10s]))`: vector(),
		`sum(count_over_time({a="refused"} [10s]))`:            {400, "text/plain", "parse error"},
		`sum(count_over_time({a="refused"} |= "error" [10s]))`: vector(),
		`sum(rate({a="canary"}[1m]))`:                          vector("0.5"),
		`sum(rate({a="stable"}[1m]))`:                          vector("0.25"),
	}
	arm := func(name string) analysis.Series {
		return analysis.Series{Total: fmt.Sprintf(`{a=%q}`, name), Bad: fmt.Sprintf(`{a=%q} |= "error"`, name)}
	}
	known := func(v float64) analysis.Answer { return analysis.Answer{Value: v, Known: true} }
	tests := map[string]struct {
		reason         string
		canary, stable analysis.Series
		want           analysis.Block
		fail           string
	}{
		"both":      {"lines of either revision", arm("canary"), arm("stable"), analysis.Block{Canary: analysis.Numbers{Total: known(40), Bad: []analysis.Answer{known(2)}}, Stable: analysis.Numbers{Total: known(360), Bad: []analysis.Answer{{}}}}, ""},
		"no lines":  {"no line at all is nothing to judge by", arm("one"), analysis.Series{}, analysis.Block{Canary: analysis.Numbers{Bad: []analysis.Answer{{}}}}, ""},
		"scalar":    {"a query of one value", analysis.Series{Query: `sum(rate({a="canary"}[1m]))`}, analysis.Series{Query: `sum(rate({a="stable"}[1m]))`}, analysis.Block{Canary: analysis.Numbers{Total: known(0.5)}, Stable: analysis.Numbers{Total: known(0.25)}}, ""},
		"partial":   {"what may be incomplete is asked for again", arm("partial"), analysis.Series{}, analysis.Block{}, "warns that its answer may be incomplete (away)"},
		"bad query": {"as is what is refused", arm("refused"), analysis.Series{}, analysis.Block{}, "refuses the query (parse error)"},
	}
	s := newServer(t, func(query string) reply {
		if a, ok := counts[query]; ok {
			return a
		}
		return reply{status: 400, kind: "text/plain", body: "unexpected " + query}
	})
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := analysis.Counted{Canary: tc.canary, Stable: tc.stable, Block: 10 * time.Second}
			got, err := New(Options{}).Count(t.Context(), analysis.Target{Address: s.URL}, c, analysis.Learned{Block: c.Block}, time.Unix(100, 0))
			if tc.fail != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fail) {
					t.Errorf("%s: error %v, want %q", tc.reason, err, tc.fail)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLearn(t *testing.T) {
	matrix := func(values string) reply { return data("matrix", `[{"metric":{},"values":[`+values+`]}]`, "") }
	s := newServer(t, func(query string) reply {
		if strings.Contains(query, "error") {
			return matrix(`[20,"1"]`)
		}
		return matrix(`[10,"100"],[20,"90"]`)
	})
	c := analysis.Counted{
		Canary: analysis.Series{Total: `{a="c"}`, Bad: `{a="c"} |= "error"`}, Stable: analysis.Series{Total: `{a="s"}`, Bad: `{a="s"} |= "error"`},
		Block: 10 * time.Second, History: true, Begin: time.Unix(30, 0),
	}
	got, ok, err := New(Options{}).Learn(t.Context(), analysis.Target{Address: s.URL}, c, time.Unix(30, 0))
	if err != nil || !ok {
		t.Fatalf("ok %v, error %v", ok, err)
	}
	want := analysis.Learned{Block: 10 * time.Second, History: [][2]float64{{0, 100}, {1, 90}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	for reason, tc := range map[string]struct{ total, want string }{
		"a log query":            {`{app="shop"} |= "GET"`, ""},
		"PromQL is another tool": {`requests_total{app="shop"}`, `total: "requests_total{app=\"shop\"}" selects no log lines; write a log query such as {app="shop",track="$(arm)"} |= "error"`},
	} {
		err := New(Options{}).Check(analysis.Counted{Canary: analysis.Series{Total: tc.total, Bad: `{a="b"}`}})
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != tc.want {
			t.Errorf("%s: error %q, want %q", reason, said, tc.want)
		}
	}
}
