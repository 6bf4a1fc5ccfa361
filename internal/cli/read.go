// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// errNotInstalled says that the cluster does not know Rollouts.
var errNotInstalled = errors.New("this cluster has no CustomResourceDefinition rollouts.sluice.dev: " +
	"Sluice is not installed here; install it from its repository with `kubectl apply --server-side -f deploy/install.yaml`, or choose another --context")

// rolloutName takes the one name that a verb needs, also in the form rollout/NAME.
func rolloutName(args []string) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("give the name of one Rollout, not %d; `kubectl sluice list` shows those there are", len(args))
	}
	kind, name, ok := strings.Cut(args[0], "/")
	if !ok {
		kind, name = "rollout", args[0]
	}
	if !isRolloutKind(kind) {
		return "", fmt.Errorf("%q: %q is no kind that this verb knows; write rollout/NAME or just NAME", args[0], kind)
	}
	if name == "" {
		return "", fmt.Errorf("%q: the name is missing; write rollout/NAME or just NAME", args[0])
	}
	return name, nil
}

func isRolloutKind(kind string) bool {
	return slices.Contains([]string{"rollout", "rollouts", "ro", "rollout.sluice.dev", "rollouts.sluice.dev"}, kind)
}

// rollout reads one Rollout. When there is none, the error lists those there are.
func (c *cluster) rollout(ctx context.Context, name string) (*v1alpha1.Rollout, error) {
	var r v1alpha1.Rollout
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &r)
	if apierrors.IsNotFound(err) {
		return nil, c.missing(ctx, name)
	}
	if err != nil {
		return nil, c.explain(fmt.Sprintf("read Rollout %s/%s", c.namespace, name), err)
	}
	return &r, nil
}

// rollouts reads all Rollouts of a namespace, or of all namespaces when it is empty.
func (c *cluster) rollouts(ctx context.Context, namespace string) ([]v1alpha1.Rollout, error) {
	var list v1alpha1.RolloutList
	err := c.client.List(ctx, &list, client.InNamespace(namespace))
	if apierrors.IsNotFound(err) {
		return nil, errNotInstalled
	}
	if err != nil {
		return nil, c.explain("list Rollouts", err)
	}
	return list.Items, nil
}

// maxNames bounds the list in an error message.
const maxNames = 20

func (c *cluster) missing(ctx context.Context, name string) error {
	there, err := c.rollouts(ctx, c.namespace)
	if errors.Is(err, errNotInstalled) {
		return err
	}
	if err != nil {
		return fmt.Errorf("there is no Rollout %s/%s", c.namespace, name)
	}
	if len(there) == 0 && c.noNamespace(ctx) {
		return c.errNoNamespace(ctx)
	}
	if len(there) == 0 {
		return fmt.Errorf("there is no Rollout %s/%s: the namespace has none at all; "+
			"choose another with -n, or see all with `kubectl sluice list -A`", c.namespace, name)
	}
	var names []string
	for i := range there {
		names = append(names, there[i].Name)
	}
	return fmt.Errorf("there is no Rollout %s/%s; the namespace has: %s", c.namespace, name, fewer(names))
}

// noNamespace reports whether the namespace is known not to be there.
func (c *cluster) noNamespace(ctx context.Context) bool {
	return apierrors.IsNotFound(c.client.Get(ctx, client.ObjectKey{Name: c.namespace}, &corev1.Namespace{}))
}

// errNoNamespace names some of those there are, if they may be listed.
func (c *cluster) errNoNamespace(ctx context.Context) error {
	var names []string
	var list corev1.NamespaceList
	if err := c.client.List(ctx, &list); err == nil {
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
	}
	return fmt.Errorf("there is no namespace %s; choose another with -n%s", c.namespace, after(": ", fewer(names)))
}

// fewer writes names in order, and not too many.
func fewer(names []string) string {
	slices.Sort(names)
	if extra := len(names) - maxNames; extra > 0 {
		names = append(names[:maxNames], fmt.Sprintf("and %d more", extra))
	}
	return strings.Join(names, ", ")
}

// explain adds the remedy to an error of the API server.
func (c *cluster) explain(attempt string, err error) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w: %s does not accept the kubeconfig's credentials; log in again, or choose another --context",
			attempt, err, c.config.Host)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s: %w; ask for ClusterRole sluice-view to look, or sluice-release-manager to command, in namespace %s: "+
			"kubectl -n %s create rolebinding NAME --clusterrole sluice-view --user YOU", attempt, err, c.namespace, c.namespace)
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		return fmt.Errorf("%s: %w; check that %s is the cluster you mean (--kubeconfig, --context) and can be reached",
			attempt, err, c.config.Host)
	}
	return fmt.Errorf("%s: %w", attempt, err)
}
