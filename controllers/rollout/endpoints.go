// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/names"
)

// readEndpoints counts the ready endpoints of Services by revision, in one request.
func readEndpoints(ctx context.Context, o *observation, services ...*plan.Service) error {
	var listed []string
	for _, s := range services {
		if s.Version != "" {
			listed = append(listed, s.Name)
		}
	}
	if len(listed) == 0 {
		return nil
	}
	theirs, err := labels.NewRequirement(discoveryv1.LabelServiceName, selection.In, listed)
	if err != nil {
		return fmt.Errorf("select EndpointSlices of Services %s: %w", strings.Join(listed, ", "), err)
	}
	var list discoveryv1.EndpointSliceList
	selector := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*theirs)}
	if err := o.from.of(plan.Endpoints).List(ctx, &list, client.InNamespace(o.s.Rollout.Namespace), selector); err != nil {
		return fmt.Errorf("list EndpointSlices of Services %s: %w", strings.Join(listed, ", "), err)
	}
	for _, s := range services {
		if s.Version != "" {
			count(list.Items, o.replicaSets, s)
		}
	}
	return nil
}

// count counts a Service's ready endpoints.
func count(slices []discoveryv1.EndpointSlice, replicaSets map[string]string, s *plan.Service) {
	counted := map[string]bool{} // a dual-stack Service lists a pod once for each family
	for i := range slices {
		if slices[i].Labels[discoveryv1.LabelServiceName] != s.Name {
			continue
		}
		for _, e := range slices[i].Endpoints {
			if !serving(e) || len(e.Addresses) == 0 {
				continue
			}
			id, revision := whose(e, replicaSets)
			if !counted[id] {
				counted[id] = true
				s.Ready[revision]++
				s.Listed = append(s.Listed, id)
			}
		}
	}
}

// serving reports whether an endpoint takes new connections. An unset ready counts as ready.
func serving(e discoveryv1.Endpoint) bool {
	ready := e.Conditions.Ready == nil || *e.Conditions.Ready
	terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
	return ready && !terminating
}

// whose tells an endpoint's pod and revision; the revision of a foreign one is empty.
func whose(e discoveryv1.Endpoint, replicaSets map[string]string) (id, revision string) {
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		return e.Addresses[0], ""
	}
	for replicaSet, hash := range replicaSets {
		if names.OwnsPod(replicaSet, e.TargetRef.Name) {
			return e.TargetRef.Name, hash
		}
	}
	return e.TargetRef.Name, ""
}
