// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Command annotates the Rollout with a command, and gives its id.
func (s *Shop) Command(ctx context.Context, c v1alpha1.Command) (string, error) {
	who, err := s.Cluster.whoAmI(ctx)
	if err != nil {
		return "", err
	}
	c.By = who // nobody may speak for somebody else
	c.ID = "e2e-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	value, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("command: %w", err)
	}
	old, err := s.Rollout(ctx)
	if err != nil {
		return "", err
	}
	changed := old.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[v1alpha1.CommandAnnotation] = string(value)
	if err := s.Cluster.Client.Patch(ctx, changed, client.MergeFrom(old)); err != nil {
		return "", fmt.Errorf("annotate the Rollout: %w", err)
	}
	return c.ID, nil
}

// whoAmI asks the API server for the name of the user that the stories act as.
func (c *Cluster) whoAmI(ctx context.Context) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Client.Create(ctx, review); err != nil {
		return "", fmt.Errorf("ask who I am: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}
