// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// endpoints counts the ready endpoints of a Service by revision.
func (o *observation) endpoints(ctx context.Context, seen *plan.Service) error {
	var list discoveryv1.EndpointSliceList
	if err := o.from.List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: seen.Name}); err != nil {
		return fmt.Errorf("list EndpointSlices of Service %s: %w", seen.Name, err)
	}
	counted := map[string]bool{} // a dual-stack Service lists a pod once for each family
	for i := range list.Items {
		for _, e := range list.Items[i].Endpoints {
			if !serving(e) || len(e.Addresses) == 0 {
				continue
			}
			id, revision := o.whose(e)
			if !counted[id] {
				counted[id] = true
				seen.Ready[revision]++
			}
		}
	}
	return nil
}

// serving reports whether an endpoint takes new connections. An unset ready counts as ready.
func serving(e discoveryv1.Endpoint) bool {
	ready := e.Conditions.Ready == nil || *e.Conditions.Ready
	terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
	return ready && !terminating
}

// whose tells an endpoint's pod and revision; the revision of a foreign one is empty.
func (o *observation) whose(e discoveryv1.Endpoint) (id, revision string) {
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		return e.Addresses[0], ""
	}
	for replicaSet, hash := range o.replicaSets {
		if names.OwnsPod(replicaSet, e.TargetRef.Name) {
			return e.TargetRef.Name, hash
		}
	}
	return e.TargetRef.Name, ""
}
