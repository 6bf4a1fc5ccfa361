// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluice-dev/sluice/e2e/apps/app"
	"github.com/sluice-dev/sluice/e2e/load"
)

func TestParse(t *testing.T) {
	env := func(values map[string]string) func(string) string { return func(k string) string { return values[k] } }
	t.Run("Server", func(t *testing.T) {
		got, err := parseServer([]string{"-version", "v2"}, env(map[string]string{"VERSION": "v3", "ERROR_RATE": "0.3"}))
		if err != nil {
			t.Fatal(err)
		}
		want := serverSettings{listen: ":8080", admin: ":8081", version: "v2", harm: app.Harm{ErrorRate: 0.3}, drain: 5 * time.Second}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(serverSettings{})); diff != "" {
			t.Errorf("A flag is nearer than the environment, which is nearer than the default (-want +got):\n%s", diff)
		}
	})
	cases := map[string]struct {
		reason  string
		args    []string
		env     map[string]string
		wantErr string
	}{
		"NoTarget":       {reason: "A caller without anybody to call must say so.", args: []string{"call"}, wantErr: "target"},
		"BadEnvironment": {reason: "The message names the variable.", env: map[string]string{"LATENCY": "soon"}, wantErr: `LATENCY="soon"`},
		"BadRate":        {reason: "More than every call can't fail.", args: []string{"-error-rate", "1.5"}, wantErr: "between 0 and 1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), tc.args, env(tc.env), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("%s\nerror %v, want one with %q", tc.reason, err, tc.wantErr)
			}
		})
	}
}

// started is a server and a caller of it, until the test ends.
type started struct {
	caller string // URL
	admin  string
	stop   context.CancelFunc
	done   chan error
}

func start(t *testing.T, s serverSettings) started {
	t.Helper()
	l, admin := local(t), local(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, l, admin, s) }()
	return started{caller: callerOf(t, l.Addr().String()), admin: "http://" + admin.Addr().String(), stop: stop, done: done}
}

func local(t *testing.T) net.Listener {
	t.Helper()
	l, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func callerOf(t *testing.T, target string) string {
	t.Helper()
	c, err := newCaller(callerSettings{target: target, timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(c)
	t.Cleanup(func() {
		front.Close()
		_ = c.conn.Close()
	})
	return front.URL
}

func generate(t *testing.T, o load.Options) load.Tally {
	t.Helper()
	o.Rate, o.Duration = 200, 10*time.Second
	g, err := load.New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.Start(t.Context())
	g.Wait()
	return g.History().Count(time.Time{}, time.Now())
}

func TestCall(t *testing.T) {
	cases := map[string]struct {
		reason    string
		errorRate float64
		want      load.Outcome
		counted   string
	}{
		"Good": {reason: "A good version's answers count as ok.", want: load.OK, counted: "OK"},
		"Bad":  {reason: "A fault on purpose must be told from a failure.", errorRate: 1, want: load.InjectedFault, counted: "Internal"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := start(t, serverSettings{version: "v7", harm: app.Harm{ErrorRate: tc.errorRate}})
			want := load.Tally{Requests: 20, ByVersion: map[string]int{"v7": 20}, ByOutcome: map[load.Outcome]int{tc.want: 20}}
			if diff := cmp.Diff(want, generate(t, load.Options{URL: s.caller, Count: 20})); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", tc.reason, diff)
			}
			line := `grpc_server_handled_total{grpc_code="` + tc.counted + `",grpc_method="Answer",grpc_service="sluice.e2e.Shop",version="v7"} 20`
			if metrics := get(t, s.admin+"/metrics"); !strings.Contains(metrics, line) {
				t.Errorf("%s\nmetrics lack %s:\n%s", tc.reason, line, metrics)
			}
		})
	}
}

// Nobody there is a failure, and not a fault on purpose.
func TestCallNobody(t *testing.T) {
	l := local(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := load.Probe(t.Context(), load.Options{URL: callerOf(t, l.Addr().String())})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != load.Failed || r.Status != http.StatusBadGateway || !strings.Contains(r.Reason, "Unavailable") {
		t.Errorf("record %+v, want a failure that gives the call's status", r)
	}
}

// liar answers with another version than its header says.
type liar struct{ got chan metadata.MD }

func (l liar) answer(ctx context.Context) (*wrapperspb.StringValue, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	l.got <- md
	return wrapperspb.String("v2"), grpc.SetHeader(ctx, metadata.Pairs(versionKey, "v1"))
}

// Headers reach the service, and an answer that contradicts itself is a failure.
func TestCallHeaders(t *testing.T) {
	l := local(t)
	app := liar{got: make(chan metadata.MD, 1)}
	server := grpc.NewServer()
	server.RegisterService(description(), app)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	r, err := load.Probe(t.Context(), load.Options{URL: callerOf(t, l.Addr().String()), Header: http.Header{"X-Canary": {"1"}, "Accept": {"*/*"}}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != load.Failed || !strings.Contains(r.Reason, "v2") {
		t.Errorf("record %+v, want a failure that names the versions", r)
	}
	md := <-app.got
	if got := md.Get("x-canary"); !slices.Equal(got, []string{"1"}) || len(md.Get("accept")) > 0 {
		t.Errorf("metadata %v, want x-canary and no other header of the request", slices.Sorted(maps.Keys(md)))
	}
}

// A server that is stopped under load answers every call sent before its drain
// period ends.
func TestDrain(t *testing.T) {
	s := start(t, serverSettings{version: "v1", drain: 2 * time.Second, harm: app.Harm{Latency: 20 * time.Millisecond}})
	g, err := load.New(load.Options{URL: s.caller, Rate: 100, Count: 80, Duration: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	g.Start(t.Context())
	for g.History().Len() < 20 {
		if t.Context().Err() != nil {
			t.Fatal("the load stopped early")
		}
		app.Sleep(t.Context(), time.Millisecond)
	}
	s.stop()
	g.Wait() // 80 calls at 100/s end some 0.6 s after the stop, within the drain period.
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if got := g.History().Count(time.Time{}, time.Now()); got.ByOutcome[load.OK] != 80 {
		t.Errorf("outcomes %v, want 80 ok; first failure: %v", got.ByOutcome, g.History().FirstFailures(1))
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
