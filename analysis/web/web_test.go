// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const secret = "s3cr3t-pass"

// scorer is an API that answers each request with a status and a body.
type scorer struct {
	*httptest.Server

	asked atomic.Int32
}

func newScorer(t *testing.T, status int, body string) *scorer {
	t.Helper()
	s := &scorer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a reader that went away is its own business
	}))
	t.Cleanup(s.Close)
	return s
}

func TestContract(t *testing.T) {
	const echo = "not for " + secret + " or dXNlcjpzM2NyM3QtcGFzcw=="
	type reply struct {
		status int
		body   string
	}
	replies := map[providertest.Behaviour]reply{
		providertest.One:      {200, `{"score": 0.25}`},
		providertest.Whole:    {200, `{"score": 37}`},
		providertest.Nothing:  {200, `{"scores": 1}`},
		providertest.NaN:      {200, `{"score": "NaN"}`},
		providertest.Infinite: {200, `{"score": "+Inf"}`},
		providertest.Several:  {200, `{"score": [1, 2]}`},
		providertest.Refuses:  {400, echo},
		providertest.Fails:    {500, echo},
		providertest.Garbage:  {200, "<html>\n" + echo + "</html>"},
		providertest.Huge:     {200, strings.Repeat(" ", endpoint.DefaultMaxAnswer+1)},
		providertest.Hangs:    {0, ""},
		providertest.Gone:     {200, ""},
	}
	providertest.Run(t, providertest.Fixture{
		Secret: secret,
		Never:  []providertest.Behaviour{providertest.Partial}, // no API says so in one way
		Source: func(t *testing.T, b providertest.Behaviour) providertest.Source {
			t.Helper()
			s := newScorer(t, replies[b].status, replies[b].body)
			if b == providertest.Gone {
				s.Close()
			}
			p := New(Options{Timeout: providertest.Limit(b)})
			target := analysis.Target{Address: s.URL, Access: analysis.Access{Username: "user", Password: secret}}
			return providertest.Source{
				Ask: func(ctx context.Context, _ time.Time) (analysis.Answer, error) {
					return p.Ask(ctx, target, v1alpha1.Web{JSONPath: "{.score}"})
				},
				Asked: func() int { return int(s.asked.Load()) },
			}
		},
	})
}

func TestMeasure(t *testing.T) {
	tests := map[string]struct {
		reason, path, body, want, message string
		status                            int
		kind, err                         string
	}{
		"nested":   {reason: "the usual case", path: "{.data.score}", body: `{"data": {"score": 0.5}}`, want: "0.5"},
		"string":   {reason: "many APIs write numbers as strings", path: "{.score}", body: `{"score": " 12.5 "}`, want: "12.5"},
		"true":     {reason: "a check that holds", path: "{.healthy}", body: `{"healthy": true}`, want: "1"},
		"false":    {reason: "and one that does not", path: "{.healthy}", body: `{"healthy": false}`, want: "0"},
		"filtered": {reason: "one of many is chosen by a field", path: `{.items[?(@.name=="b")].v}`, body: `{"items": [{"name":"a","v":1},{"name":"b","v":2}]}`, want: "2"},
		"length 1": {reason: "a list of one number is one number", path: "{.v}", body: `{"v": [3]}`, want: "3"},
		"null":     {reason: "null is no number", path: "{.v}", body: `{"v": null}`, message: "the answer has nothing at {.v}; correct web.jsonPath, or have the API give a number there"},
		"only null": {reason: "an answer may be null as a whole", path: "{.v}", body: `null`,
			message: "the answer has nothing at {.v}; correct web.jsonPath, or have the API give a number there"},
		"several": {reason: "of several values none is the right one", path: "{.items[*].v}", body: `{"items": [{"v":1},{"v":2}]}`,
			message: "web.jsonPath finds 2 values where one is needed; write one that finds one, such as {.items[0].score}"},
		"object": {reason: "a path may end too early", path: "{.data}", body: `{"data": {"score": 1}}`,
			message: "web.jsonPath finds an object where a number is needed; write the path on to the number, such as {.data.score}"},
		"text": {reason: "words are no number", path: "{.v}", body: `{"v": "good"}`, message: `web.jsonPath finds "good" where a number is needed; correct it`},
		"wrong kind": {reason: "an index into what is no list", path: "{.v[0]}", body: `{"v": 1}`,
			message: "web.jsonPath {.v[0]} can't be followed in the answer (float64 is not array or slice); correct it"},
		"web page": {reason: "a login page is no API", path: "{.v}", body: "<html>login</html>", kind: "text/html; charset=utf-8",
			err: "API at ADDRESS answers with a web page instead of JSON; check the address: what answers may be a login page or another program"},
		"no JSON": {reason: "nor is anything else", path: "{.v}", body: "ok",
			err: "API at ADDRESS answers what is no JSON (invalid character 'o' looking for beginning of value); check web.url"},
		"refused": {reason: "the API's words are quoted", path: "{.v}", status: 422, body: "no such service",
			err: "API at ADDRESS refuses the request (422 Unprocessable Entity: no such service); correct web.url, web.method, web.headers or web.body"},
		"too often": {reason: "nothing is wrong with the request", path: "{.v}", status: 429,
			err: "API at ADDRESS is asked too often (429 Too Many Requests); allow more there, or ask less often with a longer block"},
		"path": {reason: "a path that can't be read", path: "{.v", body: "{}",
			err: `metric "m": web.jsonPath: {.v can't be read (unclosed action); write a path such as {.data.score}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if tc.kind != "" {
					w.Header().Set("Content-Type", tc.kind)
				}
				if tc.status != 0 {
					w.WriteHeader(tc.status)
				}
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			m := v1alpha1.Metric{Name: "m", Web: &v1alpha1.Web{JSONPath: tc.path}}
			got, err := New(Options{}).Measure(t.Context(), analysis.Target{Address: server.URL}, m, time.Unix(1, 0))
			if diff := cmp.Diff([]string{tc.want, tc.message}, []string{got.Value, got.Message}); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			said := ""
			if err != nil {
				said = strings.ReplaceAll(err.Error(), server.URL, "ADDRESS")
			}
			if diff := cmp.Diff(tc.err, said); diff != "" {
				t.Errorf("%s: -want error +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPaths: what is accepted depends on the answer, and on one place of it.
func TestPaths(t *testing.T) {
	const (
		constant = " is a constant, the same whatever the answer is; write a path, such as {.data.score}"
		search   = " searches the whole answer by ..; write the whole path, such as {.data.score}"
		several  = " asks for several values where one is needed; write a path to one, such as {.items[0].score}"
		more     = " is more than one path in braces; write one, such as {.data.score}"
	)
	for path, want := range map[string]string{
		"{.data.score}": "", "{$.data['score']}": "", "{@}": "", "{.items[-1].v}": "", "{.items[*].v}": "",
		`{.items[?(@.name=="b")].v}`: "", "{.items[?(@.v>1.5)].v}": "",
		"{1}": constant, "{1.5}": constant, "{'1'}": constant, "{true}": constant, "{.data 1}": constant,
		"{..score}": search, "{.data..score}": search, "{.items[?(@..a==3)].v}": search,
		"{.data['a','b']}": several, "{.items[0,0]}": several,
		"{.a}{.b}": more, "{range .items[*]}{.v}{end}": more, "{.a}.{.b}": more, "0.5": more, "": more,
		"{data}":        " has the word data where a field is meant; begin fields with a dot, as in {.data.score}",
		"{range .a[*]}": " has the word range where a field is meant; begin fields with a dot, as in {.data.score}",
	} {
		got, err := "", New(Options{}).CheckMetric(v1alpha1.Metric{Web: &v1alpha1.Web{JSONPath: path}})
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "web.jsonPath: "+path)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// FuzzPath holds that no path brings the controller down, and that one which is
// accepted finds no number where there is none.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"{.a.b}", "{.a[0]}", "{.a[-1:].b}", "{.a[::2]}", "{.a[*]}", `{.a[?(@.b=="c")].d}`, "{.a[?(@.b)]}", "{.a[?(@.b[?(@.c>1)])]}", "{1}", "{..a}", "{'a'}", "{.a}{.b}"} {
		for _, body := range []string{"null", `{"a":[{"b":null,"d":true},{"b":"c","d":"x"}]}`, `[null,[],{}]`} {
			f.Add(path, body)
		}
	}
	f.Fuzz(func(t *testing.T, text, body string) {
		path, err := parse(text)
		var answer any
		if err != nil || json.Unmarshal([]byte(body), &answer) != nil {
			return
		}
		var empty any = map[string]any{}
		for _, of := range []any{answer, empty} {
			found, err := path.FindResults(of)
			if err != nil {
				continue
			}
			s, err := New(Options{}).pool.Server(analysis.Target{Address: "http://q.test"})
			if err != nil {
				t.Fatal(err)
			}
			if a := number(s, found); a.Known && cmp.Equal(of, empty) {
				t.Errorf("%s finds %v in an answer without anything", text, a.Value)
			}
		}
	})
}

// Over TLS, with everything that a request may bring.
func TestRequest(t *testing.T) {
	var got map[string]string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = map[string]string{
			"request": r.Method + " " + r.URL.String(), "body": string(body), "type": r.Header.Get("Content-Type"),
			"auth": r.Header.Get("Authorization"), "team": r.Header.Get("X-Team"), "accept": r.Header.Get("Accept"),
		}
		_ = json.NewEncoder(w).Encode(map[string]int{"v": 7})
	}))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	target := analysis.Target{
		Address: server.URL + "/v1/score?service=shop",
		Access:  analysis.Access{Bearer: "t0ken", Headers: []analysis.Header{{Name: "X-Team", Value: "a"}}, TLS: analysis.TLS{CA: ca}},
	}
	a, err := New(Options{}).Ask(t.Context(), target, v1alpha1.Web{Method: "POST", Body: `{"q":1}`, JSONPath: "{.v}"})
	if err != nil || a.Value != 7 {
		t.Fatalf("answer %+v, error %v; want 7", a, err)
	}
	want := map[string]string{
		"request": "POST /v1/score?service=shop", "body": `{"q":1}`, "type": "application/json",
		"auth": "Bearer t0ken", "team": "a", "accept": "application/json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request: -want +got:\n%s", diff)
	}
	target.Access.TLS.CA = nil
	if _, err := New(Options{}).Ask(t.Context(), target, v1alpha1.Web{JSONPath: "{.v}"}); err == nil || !strings.Contains(err.Error(), "is not trusted") {
		t.Errorf("without its CA: %v, want no trust", err)
	}
}

// A server that sends us on could send us anywhere, with the credentials.
func TestRedirectIsNotFollowed(t *testing.T) {
	inside := newScorer(t, 200, `{"v": 1}`)
	outside := httptest.NewServer(http.RedirectHandler(inside.URL+"/metadata", http.StatusFound))
	defer outside.Close()
	for reason, hosts := range map[string][]string{
		"to a host that is not allowed": {strings.TrimPrefix(outside.URL, "http://")},
		"where all hosts are allowed":   nil,
	} {
		target := analysis.Target{Address: outside.URL, AllowedHosts: hosts}
		_, err := New(Options{}).Ask(t.Context(), target, v1alpha1.Web{JSONPath: "{.v}"})
		want := "API at " + outside.URL + " sends us elsewhere (302 Found to " + inside.URL + "/metadata), which is not followed; write the address that answers itself"
		if err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %q", reason, err, want)
		}
	}
	if n := inside.asked.Load(); n != 0 {
		t.Errorf("the host behind the redirect was asked %d times", n)
	}
}

func TestTimeoutOfTheMetric(t *testing.T) {
	s := newScorer(t, 0, "")
	_, err := New(Options{}).Ask(t.Context(), analysis.Target{Address: s.URL, Timeout: 50 * time.Millisecond}, v1alpha1.Web{JSONPath: "{.v}"})
	if want := "API at " + s.URL + " does not answer (nothing came within 50ms)"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}
