// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// namespaceWithin is how long a new namespace may take to be of use.
const namespaceWithin = 2 * time.Minute

// Namespace makes a fresh namespace in which pods can be created, and deletes it
// when the test ends. Its name is short enough to be a label's value.
func (e *Env) Namespace(tb testing.TB) string {
	tb.Helper()
	clients, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		tb.Fatalf("testenv: making a client: %v", err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), namespaceWithin)
	defer cancel()
	made, err := clients.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
	}, metav1.CreateOptions{})
	if err != nil {
		tb.Fatalf("testenv: making a namespace: %v", err)
	}
	tb.Cleanup(func() { e.dropNamespace(tb, clients, made.Name) })
	if err := waitServiceAccount(ctx, clients, made.Name); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return made.Name
}

// dropNamespace starts the deletion and does not wait for it.
func (e *Env) dropNamespace(tb testing.TB, clients kubernetes.Interface, name string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), namespaceWithin)
	defer cancel()
	if err := clients.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		tb.Logf("testenv: deleting namespace %s: %v", name, err)
	}
}

// waitServiceAccount waits for the account without which no pod is admitted.
func waitServiceAccount(ctx context.Context, clients kubernetes.Interface, namespace string) error {
	err := wait.PollUntilContextCancel(ctx, 10*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := clients.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the service account of namespace %s: %w", namespace, err)
	}
	return nil
}
