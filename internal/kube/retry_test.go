// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestAnOutageIsOverSoon: however long something failed, once it works again it is tried soon.
func TestAnOutageIsOverSoon(t *testing.T) {
	limiter := Workers(1, NewRetries()).RateLimiter
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "shop"}}
	if first := limiter.When(request); first > 100*time.Millisecond {
		t.Errorf("the first retry comes after %s, want it at once", first)
	}
	var longest, all time.Duration
	for range 100 {
		wait := limiter.When(request)
		longest, all = max(longest, wait), all+wait
	}
	if longest > 15*time.Second {
		t.Errorf("after an outage of %s the next retry comes after up to %s, want 15s at most", all, longest)
	}
}

// TestARetryDoesNotOversleep: what is to be done at some time is done then, however often something else has failed.
func TestARetryDoesNotOversleep(t *testing.T) {
	retries := NewRetries()
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "shop"}}
	other := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "other"}}
	for range 20 {
		retries.When(request)
		retries.When(other)
	}
	retries.NoLaterThan(request, 2*time.Second)
	if got := retries.When(other); got != lastRetry {
		t.Errorf("another object is tried again after %s, want %s", got, lastRetry)
	}
	if got := retries.When(request); got != 2*time.Second {
		t.Errorf("tried again after %s, want the 2s after which there is something to do", got)
	}
	retries.NoLaterThan(request, 0)
	if got := retries.When(request); got != lastRetry {
		t.Errorf("with nothing to do, tried again after %s, want %s", got, lastRetry)
	}
}
