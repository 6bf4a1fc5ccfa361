// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server answers with fixed parts; an empty version leaves the header out.
func server(t *testing.T, status int, version, fault, body string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if version != "" {
			w.Header().Set(VersionHeader, version)
		}
		if fault != "" {
			w.Header().Set(FaultHeader, fault)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestOutcome(t *testing.T) {
	good := `{"service":"shop","version":"v1","ok":true}`
	bad := `{"service":"shop","version":"v1","ok":false}`
	cases := map[string]struct {
		reason  string
		status  int
		version string
		fault   string
		body    string
		want    Outcome
	}{
		"Good":          {reason: "What was asked for.", status: 200, version: "v1", body: good, want: OK},
		"Fault":         {reason: "The version's own doing.", status: 500, version: "v1", fault: "1", body: bad, want: InjectedFault},
		"Gateway":       {reason: "A gateway's 502 is nobody's purpose.", status: 502, body: "Bad Gateway", want: Failed},
		"NoRoute":       {reason: "Nor is a missing route.", status: 404, body: "404", want: Failed},
		"PlainError":    {reason: "A 500 without the mark is a failure.", status: 500, version: "v1", body: bad, want: Failed},
		"Redirect":      {reason: "Redirects are not followed.", status: 302, version: "v1", body: good, want: Failed},
		"NoJSON":        {reason: "A 200 with another body is a failure.", status: 200, version: "v1", body: "hello", want: Failed},
		"OtherVersion":  {reason: "Header and body must agree.", status: 200, version: "v2", body: good, want: Failed},
		"NoVersion":     {reason: "An answer without version can't be counted.", status: 200, body: `{"ok":true}`, want: Failed},
		"Contradiction": {reason: "A fault can't be ok.", status: 500, version: "v1", fault: "1", body: good, want: Failed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := server(t, tc.status, tc.version, tc.fault, tc.body)
			g := mustNew(t, Options{URL: s.URL, Rate: 100, Count: 1, Duration: 10 * time.Second})
			g.Start(t.Context())
			g.Wait()
			got := g.History().Records(time.Time{}, time.Now())
			if len(got) != 1 || got[0].Outcome != tc.want || (got[0].Reason == "") == (tc.want == Failed) {
				t.Errorf("%s\ngot %+v, want one record that is %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	s := server(t, 200, "v1", "", `{"version":"v1","ok":true}`)
	g := mustNew(t, Options{URL: s.URL, Rate: 100, Count: 51, Duration: 30 * time.Second})
	start := time.Now()
	g.Start(t.Context())
	g.Wait()
	want := Tally{Requests: 51, ByVersion: map[string]int{"v1": 51}, ByOutcome: map[Outcome]int{OK: 51}}
	if diff := cmp.Diff(want, g.History().Count(start, time.Now())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Never faster than asked for. Slower is the machine's fault, and made up for.
	if took := time.Since(start); took < 500*time.Millisecond {
		t.Errorf("51 requests at 100/s took %s, want at least 500ms", took)
	}
}

// Headers are sent with each request, the host among them where it is given.
func TestHeader(t *testing.T) {
	got := make(chan *http.Request, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
	t.Cleanup(s.Close)
	if _, err := Probe(t.Context(), Options{URL: s.URL, Host: "shop.example", Header: http.Header{"X-Canary": {"1"}}}); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.Host != "shop.example" || r.Header.Get("X-Canary") != "1" {
		t.Errorf("host %q, headers %v; want shop.example and X-Canary: 1", r.Host, r.Header)
	}
}

// An open loop goes on while answers are outstanding, and a request in flight
// is awaited when the sending stops.
func TestOpenLoop(t *testing.T) {
	var arrived atomic.Int32
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if arrived.Add(1) == 10 {
			close(release)
		}
		<-release
		w.Header().Set(VersionHeader, "v1")
		_, _ = w.Write([]byte(`{"version":"v1","ok":true}`))
	}))
	t.Cleanup(s.Close)
	g := mustNew(t, Options{URL: s.URL, Rate: 200, Duration: 30 * time.Second})
	g.Start(t.Context())
	<-release // Ten at once: a closed loop would never get here.
	g.Stop()
	g.Stop()
	got := g.History().Count(time.Time{}, time.Now())
	if got.ByOutcome[OK] != got.Requests || got.Requests < 10 {
		t.Errorf("outcomes %v of %d requests, want all ok and at least 10", got.ByOutcome, got.Requests)
	}
}

func TestTimeout(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(stop) })
	g := mustNew(t, Options{URL: s.URL, Rate: 100, Count: 2, Duration: 10 * time.Second, Timeout: 50 * time.Millisecond})
	g.Start(t.Context())
	g.Wait()
	failures := g.History().FirstFailures(9)
	if len(failures) != 2 || !strings.Contains(failures[0].Reason, "Timeout") {
		t.Errorf("failures %v, want two timeouts", failures)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{URL: "http://127.0.0.1:1", Rate: 10, Count: 1, Duration: time.Second}
	cases := map[string]struct {
		reason string
		change func(*Options)
		want   string
	}{
		"Target":   {reason: "Strangers are not loaded.", change: func(o *Options) { o.URL = "http://1.2.3.4" }, want: "target"},
		"Rate":     {reason: "The rate is bounded.", change: func(o *Options) { o.Rate = 1001 }, want: "rate"},
		"NoRate":   {reason: "And needed.", change: func(o *Options) { o.Rate = 0 }, want: "rate"},
		"Duration": {reason: "No load is forever.", change: func(o *Options) { o.Duration = 0 }, want: "duration"},
		"Count":    {reason: "The count is bounded.", change: func(o *Options) { o.Count = 1_000_000 }, want: "count"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good
			tc.change(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nerror %v, want one with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func mustNew(t *testing.T, o Options) *Generator {
	t.Helper()
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
