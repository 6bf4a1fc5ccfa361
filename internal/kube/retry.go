// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Workers gives the options of a controller with so many workers, which tries again what failed as retries say.
func Workers(n int, retries *Retries) controller.Options {
	return controller.Options{MaxConcurrentReconciles: n, RateLimiter: retries}
}

// Retries say when what failed is tried again: at once and then ever less often,
// though never later than 15 s after. The default is 1000 s: when rights or an API
// server have been away for some minutes and are back, nothing wakes an object that
// waits that long, and a canary that has to be taken back is one of them.
type Retries struct {
	workqueue.TypedRateLimiter[reconcile.Request]

	mu     sync.Mutex
	latest map[reconcile.Request]time.Duration
}

// NewRetries gives those of one controller.
func NewRetries() *Retries {
	return &Retries{
		TypedRateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		latest:           map[reconcile.Request]time.Duration{},
	}
}

// NoLaterThan has the next retry come after d at the latest, because there is
// something to do by then whatever has failed; 0 says that there is not.
func (r *Retries) NoLaterThan(req reconcile.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest[req] = d
}

// Forget implements the work queue's rate limiter.
func (r *Retries) Forget(req reconcile.Request) {
	r.TypedRateLimiter.Forget(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.latest, req)
}

// When implements the work queue's rate limiter.
func (r *Retries) When(req reconcile.Request) time.Duration {
	wait := r.TypedRateLimiter.When(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if latest, ok := r.latest[req]; ok {
		delete(r.latest, req)
		return min(wait, latest)
	}
	return wait
}
