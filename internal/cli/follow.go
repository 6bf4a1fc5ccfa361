// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	runtimecache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// follow calls see at once and after every change of a Rollout or of its
// parts, with a reader of local copies, until see is done, see fails or ctx
// ends. Lost watches are taken up again by themselves; see may miss a state
// that was gone at once, never the last one.
func (s *session) follow(
	ctx context.Context, c *cluster, name string, parts []part, see func(context.Context, client.Reader) (bool, error),
) (stop error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kinds := map[client.Object]runtimecache.ByObject{&v1alpha1.Rollout{}: named(name)}
	for _, p := range parts {
		kinds[p.object] = p.chosen
	}
	copies, err := runtimecache.New(c.config, runtimecache.Options{
		Scheme: c.scheme, Mapper: c.mapper, ByObject: kinds,
		DefaultNamespaces:           map[string]runtimecache.Config{c.namespace: {}},
		ReaderFailOnMissingInformer: true,
		DefaultWatchErrorHandler:    s.watchFailed,
	})
	if err != nil {
		return fmt.Errorf("prepare to watch namespace %s: %w", c.namespace, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- copies.Start(ctx) }()
	defer func() {
		cancel()
		stop = errors.Join(stop, <-stopped)
	}()

	changed := make(chan struct{}, 1)
	for object := range kinds {
		if err := notify(ctx, copies, object, changed); err != nil {
			return err
		}
	}
	if !copies.WaitForCacheSync(ctx) {
		return ctx.Err()
	}
	for {
		done, err := see(ctx, copies)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// notify starts to watch a kind and fills changed on every change.
func notify(ctx context.Context, copies runtimecache.Cache, object client.Object, changed chan<- struct{}) error {
	informer, err := copies.GetInformer(ctx, object, runtimecache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("watch %T: %w", object, err)
	}
	signal := func() {
		select {
		case changed <- struct{}{}:
		default: // one is pending, which will see this change too
		}
	}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal() },
		UpdateFunc: func(any, any) { signal() },
		DeleteFunc: func(any) { signal() },
	})
	if err != nil {
		return fmt.Errorf("watch %T: %w", object, err)
	}
	return nil
}

// watchFailed tells the person who waits why nothing moves. An end of a watch
// that the server sends from time to time is not worth a word.
func (s *session) watchFailed(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil || isRoutine(err) {
		return
	}
	fmt.Fprintf(s.Err, "warning: watching is interrupted and tried again: %v\n", err)
}

func isRoutine(err error) bool {
	return errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}
