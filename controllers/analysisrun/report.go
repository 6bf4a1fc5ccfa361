// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/kube"
)

// report writes the status when it differs, under the version that it was
// judged from, and then sends the events that follow from the difference.
func (r *Reconciler) report(ctx context.Context, run *v1alpha1.AnalysisRun, status v1alpha1.AnalysisRunStatus) error {
	updated := run.DeepCopy()
	updated.Status = status
	if err := kube.PatchStatusLocked(ctx, r.client, run, updated); err != nil {
		return err
	}
	if run.Status.Phase != status.Phase {
		log.FromContext(ctx).Info("Analysis run changed phase", "phase", status.Phase, "reason", status.Message)
	}
	for _, e := range changes(run.Status, status) {
		r.recorder.Eventf(updated, nil, e.kind, e.reason, e.action, "%s", e.note)
	}
	return nil
}
