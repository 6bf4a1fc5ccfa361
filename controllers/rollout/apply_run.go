// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

func (w writer) patchRun(ctx context.Context, s plan.Snapshot, name string, fields map[string]any) error {
	return w.mergePatch(ctx, named(&v1alpha1.AnalysisRun{}, s.Rollout, name), map[string]any{"spec": fields})
}

// redirectRun puts whole fields in the place of others: merged, the bearer token
// of one server would be left to the next.
func redirectRun(ctx context.Context, c client.Client, s plan.Snapshot, a plan.RedirectRun) error {
	type change struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	// What is added at the place of an old value replaces it, and null there is none to the API server.
	changes := []change{
		{"add", "/spec/prometheus", a.Sources.Prometheus}, {"add", "/spec/loki", a.Sources.Loki}, {"add", "/spec/args", a.Sources.Args},
		{"add", "/spec/onNoData", a.Sources.OnNoData}, {"add", "/spec/noDataTimeout", a.Sources.NoDataTimeout},
	}
	raw, err := json.Marshal(changes)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	run := named(&v1alpha1.AnalysisRun{}, s.Rollout, a.Name)
	return client.IgnoreNotFound(c.Patch(ctx, run, client.RawPatch(types.JSONPatchType, raw), client.FieldOwner(v1alpha1.FieldOwner)))
}
