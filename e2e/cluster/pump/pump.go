// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package pump

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// UserAgent is how the pump signs its requests, so that an audit log can tell
// them from those of the program under test.
const UserAgent = "sluice-pod-pump"

// workers is how many pods are worked on at once.
const workers = 8

// Pump moves pods along until its context ends.
type Pump struct {
	client  kubernetes.Interface
	pods    corelisters.PodLister
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]
	factory informers.SharedInformerFactory
	synced  cache.InformerSynced
	delay   atomic.Int64
	counter atomic.Uint32
}

// New prepares a pump. Pods become ready readyDelay after they were bound.
func New(config *rest.Config, readyDelay time.Duration) (*Pump, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = UserAgent
	config.QPS, config.Burst = -1, -1 // the pump must never be what limits a benchmark
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the pump's client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	p := &Pump{
		client:  client,
		factory: factory,
		pods:    factory.Core().V1().Pods().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](5*time.Millisecond, time.Second)),
	}
	p.SetReadyDelay(readyDelay)
	registration, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    p.enqueue,
		UpdateFunc: func(_, pod any) { p.enqueue(pod) },
	})
	if err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	p.synced = registration.HasSynced
	return p, nil
}

// SetReadyDelay changes how long a pod takes to become ready. It holds for pods
// that are not ready yet.
func (p *Pump) SetReadyDelay(delay time.Duration) { p.delay.Store(int64(delay)) }

// Run creates the fake node and pumps until ctx ends.
func (p *Pump) Run(ctx context.Context) error {
	if err := p.ensureNode(ctx); err != nil {
		return err
	}
	p.factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), p.synced) {
		return nil // stopped before it began
	}
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() { p.work(ctx) })
	}
	<-ctx.Done()
	p.queue.ShutDown()
	wait.Wait()
	p.factory.Shutdown()
	return nil
}

func (p *Pump) enqueue(object any) {
	name, err := cache.ObjectToName(object)
	if err == nil {
		p.queue.Add(types.NamespacedName{Namespace: name.Namespace, Name: name.Name})
	}
}

func (p *Pump) work(ctx context.Context) {
	for {
		key, done := p.queue.Get()
		if done {
			return
		}
		wait, err := p.sync(ctx, key)
		switch {
		case err != nil && ctx.Err() == nil:
			p.queue.AddRateLimited(key)
		case wait > 0:
			p.queue.AddAfter(key, wait)
		default:
			p.queue.Forget(key)
		}
		p.queue.Done(key)
	}
}
