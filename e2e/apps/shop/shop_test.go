// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/e2e/apps/app"
	"github.com/sluice-dev/sluice/e2e/load"
)

func TestParse(t *testing.T) {
	defaults := settings{listen: ":8080", version: "v0", drain: 5 * time.Second}
	with := func(change func(*settings)) settings {
		s := defaults
		change(&s)
		return s
	}
	cases := map[string]struct {
		reason  string
		args    []string
		env     map[string]string
		want    settings
		wantErr string
	}{
		"Defaults": {reason: "Nothing given must be enough to serve.", want: defaults},
		"Environment": {
			reason: "A pod's environment sets what flags do not.",
			env:    map[string]string{"VERSION": "v3", "ERROR_RATE": "0.3", "START_DELAY": "2s"},
			want: with(func(s *settings) {
				s.version, s.harm.ErrorRate, s.startDelay = "v3", 0.3, 2*time.Second
			}),
		},
		"FlagWins": {
			reason: "A flag is nearer than the environment.",
			args:   []string{"-version", "v2"}, env: map[string]string{"VERSION": "v3"},
			want: with(func(s *settings) { s.version = "v2" }),
		},
		"BadEnvironment": {
			reason: "The message names the variable.",
			env:    map[string]string{"LATENCY": "soon"}, wantErr: `LATENCY="soon"`,
		},
		"BadRate": {
			reason: "More than every request can't fail.",
			args:   []string{"-error-rate", "1.5"}, wantErr: "between 0 and 1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tc.args, func(k string) string { return tc.env[k] })
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("%s\nerror %v, want one with %q", tc.reason, err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s\nerror: %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(settings{}, identity{})); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	cases := map[string]struct {
		reason    string
		errorRate float64
		want      load.Outcome
	}{
		"Good": {reason: "A good version's answers count as ok.", want: load.OK},
		"Bad":  {reason: "A fault on purpose must be told from a failure.", errorRate: 1, want: load.InjectedFault},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(newShop(settings{version: "v7", harm: app.Harm{ErrorRate: tc.errorRate}}).handler())
			defer server.Close()
			g, err := load.New(load.Options{URL: server.URL, Rate: 200, Count: 20, Duration: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			g.Start(t.Context())
			g.Wait()
			got := g.History().Count(time.Time{}, time.Now())
			want := load.Tally{Requests: 20, ByVersion: map[string]int{"v7": 20}, ByOutcome: map[load.Outcome]int{tc.want: 20}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
			body := get(t, server.URL+"/metrics")
			if !strings.Contains(body, `http_requests_total{code="`) || !strings.Contains(body, `version="v7"} 20`) {
				t.Errorf("%s\nmetrics lack the 20 requests:\n%s", tc.reason, body)
			}
		})
	}
}

// A shop that is stopped under load answers every request sent before its
// drain period ends, and says so on its health page.
func TestDrain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := settings{version: "v1", drain: 3 * time.Second, harm: app.Harm{Latency: 20 * time.Millisecond}}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, []net.Listener{l}, s, newShop(s)) }()
	url := "http://" + l.Addr().String()
	g, err := load.New(load.Options{URL: url, Rate: 100, Count: 80, Duration: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	g.Start(t.Context())
	for g.History().Len() < 20 {
		if ctx.Err() != nil {
			t.Fatal("the load stopped early")
		}
		app.Sleep(t.Context(), time.Millisecond)
	}
	stop()
	g.Wait() // 80 requests at 100/s end some 0.6 s after the stop, within the drain period.
	if err := <-done; err != nil {
		t.Error(err)
	}
	got := g.History().Count(time.Time{}, time.Now())
	if got.ByOutcome[load.OK] != 80 {
		t.Errorf("outcomes %v, want 80 ok; first failure: %v", got.ByOutcome, g.History().FirstFailures(1))
	}
}

// Who speaks TLS meets the same shop, under the name of its certificate.
func TestTLS(t *testing.T) {
	// httptest brings a certificate for example.com along, with its key.
	example := httptest.NewUnstartedServer(http.NotFoundHandler())
	example.StartTLS()
	defer example.Close()
	pair := example.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	shown := identity{
		listen:      "127.0.0.1:0",
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}
	l, err := shown.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := settings{version: "v1"}
	go func() { _ = serveOn(t.Context(), []net.Listener{l}, s, newShop(s)) }()
	roots := x509.NewCertPool()
	roots.AddCert(example.Certificate())
	cases := map[string]struct {
		reason string
		host   string
		want   load.Outcome
	}{
		"Named":    {reason: "The name on the certificate is answered.", host: "example.com", want: load.OK},
		"Stranger": {reason: "Another name must not be taken for it.", host: "shop.invalid", want: load.Failed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := load.Probe(t.Context(), load.Options{URL: "https://" + l.Addr().String(), Host: tc.host, Roots: roots, Fresh: true})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != tc.want {
				t.Errorf("%s\n%s %s, want %s", tc.reason, r.Outcome, r.Reason, tc.want)
			}
		})
	}
	shown.key = "none"
	if _, err := shown.open(t.Context()); err == nil || !strings.Contains(err.Error(), "tls-key") {
		t.Errorf("error %v, want one that names the settings", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
