// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Witness sees from outside what happens in a shop's namespace, and changes
// nothing there: its objects, its whole world at once, what kubectl prints, and
// by Record its history.
type Witness struct {
	namespace string
	cluster   *Cluster
	// route is the kind of the route that is watched.
	route schema.GroupVersionKind
}

// Rollout reads the Rollout.
func (w Witness) Rollout(ctx context.Context) (*v1alpha1.Rollout, error) {
	var r v1alpha1.Rollout
	if err := w.get(ctx, Name, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Run reads an AnalysisRun.
func (w Witness) Run(ctx context.Context, name string) (*v1alpha1.AnalysisRun, error) {
	var r v1alpha1.AnalysisRun
	if err := w.get(ctx, name, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// RouteSpec reads the spec of the route, as the API server has it.
func (w Witness) RouteSpec(ctx context.Context) (string, error) {
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(w.route)
	if err := w.get(ctx, Name, route); err != nil {
		return "", err
	}
	text, err := json.Marshal(route.Object["spec"])
	if err != nil {
		return "", fmt.Errorf("route: %w", err)
	}
	return string(text), nil
}

// Versions maps the hash of every revision to the version that its pods answer with.
func (w Witness) Versions(ctx context.Context) (map[string]string, error) {
	var sets appsv1.ReplicaSetList
	if err := w.cluster.Client.List(ctx, &sets, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.RevisionLabel}); err != nil {
		return nil, fmt.Errorf("list ReplicaSets: %w", err)
	}
	versions := map[string]string{}
	for _, set := range sets.Items {
		for _, e := range set.Spec.Template.Spec.Containers[0].Env {
			if e.Name == "VERSION" {
				versions[set.Labels[v1alpha1.RevisionLabel]] = e.Value
			}
		}
	}
	return versions, nil
}

func (w Witness) get(ctx context.Context, name string, o client.Object) error {
	if err := w.cluster.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, o); err != nil {
		return fmt.Errorf("get %T %s/%s: %w", o, w.namespace, name, err)
	}
	return nil
}

// Pods lists the shop's pods.
func (w Witness) Pods(ctx context.Context, opts ...client.ListOption) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := w.cluster.Client.List(ctx, &pods, append(opts, client.InNamespace(w.namespace))...); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return pods.Items, nil
}

// World gives the specs of everything that a release may change, by kind and
// name: Services, routes, ReplicaSets with pods, analysis runs.
func (w Witness) World(ctx context.Context) (map[string]string, error) {
	var services corev1.ServiceList
	var routes gatewayv1.HTTPRouteList
	var sets appsv1.ReplicaSetList
	var runs v1alpha1.AnalysisRunList
	for _, list := range []client.ObjectList{&services, &routes, &sets, &runs} {
		if err := w.cluster.Client.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
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
