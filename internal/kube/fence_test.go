// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// lease is held in memory. It fails while it has an error.
type lease struct {
	resourcelock.Interface
	clock  *clocktesting.FakePassiveClock
	takes  time.Duration
	err    error
	holder string
}

func (l *lease) Identity() string { return "me" }

func (l *lease) Create(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.Update(context.Background(), r)
}

func (l *lease) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	l.clock.SetTime(l.clock.Now().Add(l.takes))
	if l.err == nil {
		l.holder = r.HolderIdentity
	}
	return l.err
}

// fenced is a fence of 15 s with a lease, a clock, and a server behind it.
type fenced struct {
	*testing.T
	clock *clocktesting.FakePassiveClock
	lease *lease
	lock  resourcelock.Interface
	http  http.Client
	url   string
	// timeouts of the writes that arrived.
	timeouts []string
	// serve is what the server does before it answers.
	serve func()
}

func newFenced(t *testing.T) *fenced {
	clock := clocktesting.NewFakePassiveClock(time.Now())
	f := &fenced{T: t, clock: clock, lease: &lease{clock: clock}, serve: func() {}}
	fence := kube.NewFence(f.clock, 15*time.Second)
	f.lock = fence.Lock(f.lease)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.timeouts = append(f.timeouts, r.URL.Query().Get("timeout"))
		f.serve()
	}))
	t.Cleanup(server.Close)
	f.http, f.url = http.Client{Transport: fence.Transport(http.DefaultTransport)}, server.URL+"/apis?fieldManager=sluice"
	return f
}

func (f *fenced) renew() {
	f.Helper()
	if err := f.lock.Update(f.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); err != nil {
		f.Fatal(err)
	}
}

func (f *fenced) pass(d time.Duration) { f.clock.SetTime(f.clock.Now().Add(d)) }

func (f *fenced) send(ctx context.Context, method string) error {
	req, err := http.NewRequestWithContext(ctx, method, f.url, strings.NewReader("{}"))
	if err != nil {
		f.Fatal(err)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// TestFence: what is written lands within the lease, or is not sent at all.
func TestFence(t *testing.T) {
	failing := errors.New("the API server can't be reached")
	cases := map[string]struct {
		reason  string
		before  func(f *fenced)
		method  string
		refused bool
		timeout string
	}{
		"NotElected": {reason: "nobody leads yet", before: func(*fenced) {}, method: http.MethodPatch, refused: true},
		"Reads":      {reason: "reading does no harm", before: func(*fenced) {}, method: http.MethodGet},
		"Elected":    {reason: "the whole lease is left, less the way", before: (*fenced).renew, method: http.MethodPost, timeout: "14s"},
		"Older":      {reason: "less is left", before: func(f *fenced) { f.renew(); f.pass(10 * time.Second) }, method: http.MethodPatch, timeout: "4s"},
		"Renewed":    {reason: "each renewal counts", before: func(f *fenced) { f.renew(); f.pass(10 * time.Second); f.renew() }, method: http.MethodDelete, timeout: "14s"},
		"Outlived":   {reason: "another may lead by now", before: func(f *fenced) { f.renew(); f.pass(14 * time.Second) }, method: http.MethodPut, refused: true},
		"RenewalFails": {
			reason: "only one that succeeds counts",
			before: func(f *fenced) {
				f.renew()
				f.pass(9 * time.Second)
				f.lease.err = failing
				if err := f.lock.Update(f.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "me"}); !errors.Is(err, failing) {
					f.Fatal(err)
				}
			},
			method: http.MethodPatch, timeout: "5s",
		},
		"RenewalTakesLong": {
			reason: "it counts from when it was sent, since nobody knows when it was stored",
			before: func(f *fenced) {
				f.lease.takes = 6 * time.Second
				f.renew()
			},
			method: http.MethodPatch, timeout: "8s",
		},
		"GivenUp": {
			reason: "what is given up is somebody else's",
			before: func(f *fenced) {
				f.renew()
				if err := f.lock.Update(f.Context(), resourcelock.LeaderElectionRecord{}); err != nil || f.lease.holder != "" {
					f.Fatalf("held by %q: %v", f.lease.holder, err)
				}
			},
			method: http.MethodPatch, refused: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFenced(t)
			tc.before(f)
			err := f.send(t.Context(), tc.method)
			switch {
			case tc.refused && (!errors.Is(err, kube.ErrFenced) || len(f.timeouts) > 0):
				t.Errorf("%s: %d requests sent, error %v", tc.reason, len(f.timeouts), err)
			case !tc.refused && (err != nil || len(f.timeouts) != 1 || f.timeouts[0] != tc.timeout):
				t.Errorf("%s: sent with timeouts %q, want %q; error %v", tc.reason, f.timeouts, tc.timeout, err)
			}
		})
	}
}

// TestFenceWaitsForAnswers: a lease is not given up while a write is under way,
// be it that nobody waits for its answer any more.
func TestFenceWaitsForAnswers(t *testing.T) {
	f := newFenced(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	f.serve = func() { close(arrived); <-answer }
	f.renew()
	ctx, giveUp := context.WithCancel(t.Context())
	sent := make(chan error)
	go func() { sent <- f.send(ctx, http.MethodPatch) }()
	<-arrived
	giveUp()
	release := func() error { return f.lock.Update(t.Context(), resourcelock.LeaderElectionRecord{}) }
	if err := release(); err == nil || f.lease.holder != "me" {
		t.Errorf("the lease is given to %q with a write under way: %v", f.lease.holder, err)
	}
	close(answer)
	if err := <-sent; err != nil {
		t.Errorf("the write that was under way: %v", err)
	}
	if err := release(); err != nil || f.lease.holder != "" {
		t.Errorf("the lease stays with %q: %v", f.lease.holder, err)
	}
	if err := f.send(ctx, http.MethodPatch); !errors.Is(err, context.Canceled) {
		t.Errorf("what nobody waits for any more is not begun: %v", err)
	}
}

// TestServerKeepsDeadlines: the fence relies on the API server to give up a write
// whose time is over.
func TestServerKeepsDeadlines(t *testing.T) {
	c, namespace := world(t)
	svc := service(t, c, namespace)
	config := testenv.Start(t).Config
	secure, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	for timeout, want := range map[string]int{"1us": http.StatusGatewayTimeout, "10s": http.StatusOK} {
		url := config.Host + "/api/v1/namespaces/" + namespace + "/services/" + svc.Name + "?timeout=" + timeout
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, url, strings.NewReader(`{"metadata":{"labels":{"within":"`+timeout+`"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/merge-patch+json")
		resp, err := secure.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != want {
			t.Errorf("a write within %s is answered by %s, want %d", timeout, resp.Status, want)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(svc), svc); err != nil || svc.Labels["within"] != "10s" {
		t.Errorf("the Service has labels %v: %v", svc.Labels, err)
	}
}
