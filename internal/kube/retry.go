// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Workers gives the options of a controller with so many workers. What failed is
// tried again at once and then ever less often, though never later than 15 s
// after. The default is 1000 s: when rights or an API server have been away for
// some minutes and are back, nothing wakes an object that waits that long, and
// a canary that has to be taken back is one of them.
func Workers(n int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: n,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
	}
}
