// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
)

// ErrFenced means that a write was not sent because another process may lead by now.
var ErrFenced = errors.New("not written: the lease could not be renewed in time, and another replica may lead by now")

// sendTime is how much earlier than its lease a write's time is over: for the
// way to the API server, whose clock of a request starts when it arrives.
const sendTime = time.Second

// Fence keeps a process that leads no more from writing. A leader that was
// elected by a lease knows of its end only by looking, and most writes are not
// locked to anything that the next leader changes: one that makes a revision
// smaller would land after the next leader has counted its pods.
//
// Every write is sent with a deadline that lies within the lease as it was
// renewed last. The API server keeps it too, so that no write lands later; the
// next leader takes over no earlier. A lease is not given up while a write is
// under way: it runs out instead. Renewals that are sent anyway are all that
// this costs.
type Fence struct {
	clock clock.PassiveClock
	lease time.Duration

	mu sync.Mutex
	// renewed is when the renewal that succeeded last was sent; the zero time
	// while there is no lease.
	renewed  time.Time
	underWay int
}

// NewFence gives one that lets nothing pass until a lease of that duration is held.
func NewFence(clk clock.PassiveClock, lease time.Duration) *Fence {
	return &Fence{clock: clk, lease: lease}
}

// Lock watches the lease by which leaders are elected.
func (f *Fence) Lock(lease resourcelock.Interface) resourcelock.Interface {
	return watched{lease, f}
}

// Transport bounds all writes that go through it. Reads are let pass.
func (f *Fence) Transport(next http.RoundTripper) http.RoundTripper { return fenced{next, f} }

// left is how long a write sent now may take. A clock that stood still while the
// machine slept, or one that was set, is not trusted beyond the other.
func (f *Fence) left() time.Duration {
	now := f.clock.Now()
	age := max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0)))
	return f.lease - sendTime - age
}

// begin lets a write begin, and says how long it may take.
func (f *Fence) begin() (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.left()
	if f.renewed.IsZero() || left <= 0 {
		return 0, ErrFenced
	}
	f.underWay++
	return left, nil
}

func (f *Fence) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underWay--
}

func (f *Fence) renew(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = at
}

// close lets nothing begin any more, and reports how many writes are under way.
func (f *Fence) close() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = time.Time{}
	return f.underWay
}

// watched is a lease that tells the fence of its renewals.
type watched struct {
	resourcelock.Interface
	fence *Fence
}

// Create implements resourcelock.Interface.
func (w watched) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return w.write(r, func() error { return w.Interface.Create(ctx, r) })
}

// Update implements resourcelock.Interface.
func (w watched) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return w.write(r, func() error { return w.Interface.Update(ctx, r) })
}

func (w watched) write(r resourcelock.LeaderElectionRecord, write func() error) error {
	if r.HolderIdentity != w.Identity() {
		if n := w.fence.close(); n > 0 {
			return fmt.Errorf("the lease is left to run out: %d writes are under way", n)
		}
		return write()
	}
	sent := w.fence.clock.Now()
	if err := write(); err != nil {
		return err
	}
	w.fence.renew(sent)
	return nil
}

// fenced is a transport behind the fence.
type fenced struct {
	next  http.RoundTripper
	fence *Fence
}

// RoundTrip implements http.RoundTripper.
func (t fenced) RoundTrip(req *http.Request) (*http.Response, error) {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return t.next.RoundTrip(req)
	}
	if err := req.Context().Err(); err != nil {
		return nil, unsent(req, err)
	}
	left, err := t.fence.begin()
	if err != nil {
		return nil, unsent(req, err)
	}
	// Whoever gives up waiting does not take the write back: it counts as under way until it is answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), left)
	done := sync.OnceFunc(func() { cancel(); t.fence.end() })
	resp, err := t.next.RoundTrip(within(ctx, req, left))
	if err != nil {
		done()
		return nil, err
	}
	resp.Body = answered{resp.Body, done}
	return resp, nil
}

// within is a request that the API server gives up after a while too.
func within(ctx context.Context, req *http.Request, left time.Duration) *http.Request {
	bounded := req.Clone(ctx)
	query := bounded.URL.Query()
	query.Set("timeout", left.String())
	bounded.URL.RawQuery = query.Encode()
	return bounded
}

// unsent closes the body of a request that is not sent, as a transport has to.
func unsent(req *http.Request, err error) error {
	if req.Body == nil {
		return err
	}
	return errors.Join(err, req.Body.Close())
}

// answered is the body of an answer, with which a write ends.
type answered struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (a answered) Close() error {
	defer a.done()
	return a.ReadCloser.Close()
}
