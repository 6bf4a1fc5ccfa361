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
	limiter := Workers(1).RateLimiter
	if limiter == nil {
		t.Fatal("the default limiter waits up to 1000 s")
	}
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
