// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// World gives the specs of everything that a release may change, by kind and
// name: Services, routes, ReplicaSets with pods, analysis runs.
func (s *Shop) World(ctx context.Context) (map[string]string, error) {
	var services corev1.ServiceList
	var routes gatewayv1.HTTPRouteList
	var sets appsv1.ReplicaSetList
	var runs v1alpha1.AnalysisRunList
	for _, list := range []client.ObjectList{&services, &routes, &sets, &runs} {
		if err := s.Cluster.Client.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
	}
	specs := map[string]any{}
	for i := range services.Items {
		specs["Service "+services.Items[i].Name] = services.Items[i].Spec
	}
	for i := range routes.Items {
		specs["HTTPRoute "+routes.Items[i].Name] = routes.Items[i].Spec
	}
	for i := range runs.Items {
		specs["AnalysisRun "+runs.Items[i].Name] = runs.Items[i].Spec.Metrics
	}
	for i := range sets.Items {
		// A revision that retires meanwhile loses its pods in its own time: that is no effect of what came later.
		if sets.Items[i].Labels[v1alpha1.RolloutLabel] != Name || sets.Items[i].Status.Replicas > 0 {
			specs["ReplicaSet "+sets.Items[i].Name] = sets.Items[i].Spec.Template
		}
	}
	world := make(map[string]string, len(specs))
	for name, spec := range specs {
		text, err := json.Marshal(spec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		world[name] = string(text)
	}
	return world, nil
}
