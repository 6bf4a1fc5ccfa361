// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// errPortTaken means that somebody took a port between our finding it free and
// the server's listening on it. Only the server's log can tell.
var errPortTaken = errors.New("the port was taken meanwhile")

// waitReady waits until the API server answers its own readiness checks.
func (a *API) waitReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(a.config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return a.poll(ctx, "the API server to be ready", func() (bool, error) {
		_, err := client.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, nil
	})
}

// waitControllers waits until the controller manager works: it gives every
// namespace a service account, without which no pod can be made.
func (a *API) waitControllers(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(a.config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return a.poll(ctx, "the controller manager to work", func() (bool, error) {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// poll asks until the answer is yes, a server ends, or the context does. Its
// error shows what the servers said last.
func (a *API) poll(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask()
		if ok {
			return nil
		}
		for _, c := range a.children {
			if !c.ended() {
				continue
			}
			if words := c.lastWords(); strings.Contains(words, "address already in use") {
				return fmt.Errorf("%s: %w", c.name, errPortTaken)
			}
			return fmt.Errorf("%s ended (%w) while waiting for %s; its log ends with:\n%s", c.name, c.err, what, c.lastWords())
		}
		select {
		case <-ctx.Done():
			last := a.children[len(a.children)-1]
			return fmt.Errorf("waiting for %s: %w; the log of %s ends with:\n%s",
				what, errors.Join(ctx.Err(), err), last.name, last.lastWords())
		case <-tick.C:
		}
	}
}
