// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// acceptedAfter is how long the stand-in takes to accept a route: as long as
// Traefik on the full tier gathers changes before it acts on them.
const acceptedAfter = 200 * time.Millisecond

// gatewayName is how the stand-in signs what it reports.
const gatewayName = "bench.sluice.dev/no-data-plane"

// gateway stands in for a gateway's controller: it reports every route as
// accepted by all its parents and serves none of them.
type gateway struct{ client client.Client }

// startGateway runs the stand-in until ctx ends.
func startGateway(ctx context.Context, config *rest.Config, scheme *runtime.Scheme) error {
	config = rest.CopyConfig(config)
	config.UserAgent = "sluice-bench-gateway"
	mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return fmt.Errorf("starting the gateway's stand-in: %w", err)
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("gateway").For(&gatewayv1.HTTPRoute{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(gateway{mgr.GetClient()})
	if err != nil {
		return fmt.Errorf("starting the gateway's stand-in: %w", err)
	}
	go func() { _ = mgr.Start(ctx) }()
	return nil
}

// Reconcile accepts the newest generation of a route.
func (g gateway) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	route := &gatewayv1.HTTPRoute{}
	if err := g.client.Get(ctx, req.NamespacedName, route); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	want := accepted(route)
	if equality.Semantic.DeepEqual(want, route.Status.Parents) {
		return reconcile.Result{}, nil
	}
	select {
	case <-ctx.Done():
		return reconcile.Result{}, nil
	case <-time.After(acceptedAfter):
	}
	route.Status.Parents = want
	return reconcile.Result{}, client.IgnoreNotFound(g.client.Status().Update(ctx, route))
}

// accepted is the status in which every parent has taken the newest generation.
func accepted(route *gatewayv1.HTTPRoute) []gatewayv1.RouteParentStatus {
	var parents []gatewayv1.RouteParentStatus
	for i, ref := range route.Spec.ParentRefs {
		var conditions []metav1.Condition
		if i < len(route.Status.Parents) {
			conditions = append(conditions, route.Status.Parents[i].Conditions...)
		}
		for _, name := range []string{string(gatewayv1.RouteConditionAccepted), string(gatewayv1.RouteConditionResolvedRefs)} {
			meta.SetStatusCondition(&conditions, metav1.Condition{
				Type: name, Status: metav1.ConditionTrue, Reason: name, ObservedGeneration: route.Generation,
			})
		}
		parents = append(parents, gatewayv1.RouteParentStatus{ParentRef: ref, ControllerName: gatewayName, Conditions: conditions})
	}
	return parents
}
