// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
)

// completionTimeout bounds what a person waits for who pressed the tab key.
const completionTimeout = 2 * time.Second

// completeName gives the names of Rollouts for a verb that takes one. The shell
// leaves out what does not begin as typed; a cluster that can't be asked gives none.
func completeName(s *session) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 1 || len(args) == 1 && !isRolloutKind(args[0]) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, s, func(ctx context.Context, c *cluster) ([]string, error) {
			there, err := c.rollouts(ctx, c.namespace)
			var names []string
			for i := range there {
				names = append(names, there[i].Name+"\t"+phaseWord(there[i].Status.Phase))
			}
			return names, err
		})
	}
}

// completeRevision gives the revisions of the Rollout that is named already.
func completeRevision(s *session) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, s, func(ctx context.Context, c *cluster) ([]string, error) {
			name, err := rolloutName(args)
			if err != nil {
				return nil, err
			}
			r, err := c.rollout(ctx, name)
			if err != nil {
				return nil, err
			}
			var all []string
			for _, v := range r.Status.Revisions {
				all = append(all, v.Hash)
			}
			return all, nil
		})
	}
}

// completeNamespace gives the namespaces for -n.
func completeNamespace(s *session) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, s, func(ctx context.Context, c *cluster) ([]string, error) {
			var list corev1.NamespaceList
			err := c.client.List(ctx, &list)
			var names []string
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
			return names, err //nolint:wrapcheck // nobody reads it
		})
	}
}

func complete(cmd *cobra.Command, s *session, ask func(context.Context, *cluster) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	c, err := s.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := ask(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	slices.Sort(found)
	return found, cobra.ShellCompDirectiveNoFileComp
}
