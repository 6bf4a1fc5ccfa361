// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Command annotates the Rollout with a command, and gives its id.
func (s *Shop) Command(ctx context.Context, c v1alpha1.Command) (string, error) {
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
