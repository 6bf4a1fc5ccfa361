// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
)

// The indexes by which a changed object finds the Rollouts that refer to it.
const (
	byService  = "sluice.dev/by-service"
	byWorkload = "sluice.dev/by-workload"
	byRoute    = "sluice.dev/by-route"
	byTemplate = "sluice.dev/by-template"
)

// Parts are what a Reconciler is made of.
type Parts struct {
	// Routers finds the router of a route. What it writes is in Memory.
	Routers *routers.Registry
	// Memory of this process's own writes.
	Memory *kube.Memory
	// Clock tells the time.
	Clock clock.PassiveClock
	// Metrics is where the controller registers its own.
	Metrics prometheus.Registerer
	// Vet knows what the providers can be asked.
	Vet plan.Vet
	// Reach says why an address may not be asked; nil when it may.
	Reach func(address string) error
}

// SetUp builds the Reconciler and registers it, its indexes and its watches with
// the manager. A route kind whose CRD is not installed is not watched; Rollouts
// that refer to it say so.
func SetUp(ctx context.Context, mgr ctrl.Manager, parts Parts) error {
	m, err := newMetrics(parts.Metrics)
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if err := parts.Metrics.Register(newCollector(mgr.GetClient(), mgr.Elected())); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	registry, live, gates := parts.Routers, mgr.GetAPIReader(), newGates(parts.Clock, parts.Reach)
	drafts, known := newDrafts(), newKnown()
	writes := parts.Memory.Client(mgr.GetClient(), &corev1.Pod{}, &corev1.ConfigMap{}, &corev1.Secret{})
	r := &Reconciler{
		client: writes, cached: parts.Memory.Reader(mgr.GetClient(), live), live: live, noted: parts.Memory.Live(mgr.GetClient(), live), routers: registry,
		recorder: recorder{mgr.GetEventRecorder("sluice")}, clock: parts.Clock, metrics: m, gates: gates,
		drafts: drafts, known: known, vet: parts.Vet, retries: kube.NewRetries(),
		writer: writer{client: writes, live: live, routers: registry, managed: managed{writes, registry}, gates: gates, forget: func(ro *v1alpha1.Rollout) {
			gates.forget(ro.UID)
			drafts.forget(ro.UID)
			known.drop(ro.UID)
			m.forget(ro)
		}},
	}
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("rollout").
		// Its own status wakes it too: a pass that ran on an older one may have found nothing to write.
		For(&v1alpha1.Rollout{}).
		Watches(&v1alpha1.Rollout{}, enqueueRivals(r.client), builder.WithPredicates(lettingGo())).
		Owns(&appsv1.ReplicaSet{}).
		Owns(&v1alpha1.AnalysisRun{}).
		Owns(&batchv1.Job{}).
		WatchesRawSource(source.Channel(gates.answered, &handler.EnqueueRequestForObject{})).
		Watches(&corev1.Service{}, enqueue(r.client, byService, client.Object.GetName)).
		Watches(&discoveryv1.EndpointSlice{}, enqueue(r.client, byService, serviceOf)).
		Watches(&appsv1.Deployment{}, enqueue(r.client, byWorkload, client.Object.GetName)).
		Watches(&v1alpha1.AnalysisTemplate{}, enqueue(r.client, byTemplate, anyTemplate)).
		Watches(&v1alpha1.ClusterAnalysisTemplate{}, enqueue(r.client, byTemplate, anyTemplate)).
		WithOptions(kube.Workers(8, r.retries))
	for _, obj := range registry.Watched() {
		gvk, err := apiutil.GVKForObject(obj, mgr.GetScheme())
		if err != nil {
			return fmt.Errorf("watch %T: %w", obj, err)
		}
		if _, err := mgr.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); meta.IsNoMatchError(err) {
			mgr.GetLogger().Info("Not watching a route kind whose CRD is not installed; install it and restart", "kind", gvk.String())
			continue
		}
		kind := gvk.Kind
		b = b.Watches(obj, enqueue(r.client, byRoute, func(o client.Object) string { return kind + "/" + o.GetName() }))
	}
	return b.Complete(r)
}

func serviceOf(o client.Object) string { return o.GetLabels()[discoveryv1.LabelServiceName] }

// index makes Rollouts findable by what they refer to.
func index(ctx context.Context, indexer client.FieldIndexer) error {
	for name, keys := range map[string]func(*v1alpha1.Rollout) []string{
		byService: servicesOf, byWorkload: workloadOf, byRoute: routesOf, byTemplate: templatesOf,
	} {
		extract := func(o client.Object) []string {
			ro, ok := o.(*v1alpha1.Rollout)
			if !ok {
				return nil
			}
			return keys(ro)
		}
		if err := indexer.IndexField(ctx, &v1alpha1.Rollout{}, name, extract); err != nil {
			return fmt.Errorf("index %s: %w", name, err)
		}
	}
	return nil
}

func servicesOf(ro *v1alpha1.Rollout) (all []string) {
	for _, b := range bindings(ro) {
		all = append(all, b.Service, b.StableService, b.CanaryService, b.BaselineService)
	}
	return unique(all)
}

func workloadOf(ro *v1alpha1.Rollout) []string {
	if ro.Spec.WorkloadRef == nil {
		return nil
	}
	return []string{ro.Spec.WorkloadRef.Name}
}

func routesOf(ro *v1alpha1.Rollout) (all []string) {
	for _, b := range bindings(ro) {
		for _, ref := range b.Routes {
			all = append(all, ref.Kind+"/"+ref.Name)
			if ref.DestinationRule != "" {
				all = append(all, "DestinationRule/"+ref.DestinationRule)
			}
		}
	}
	return unique(all)
}

// templatesOf finds Rollouts that use any template: which ones others build on
// is not known here, and templates change rarely.
func templatesOf(ro *v1alpha1.Rollout) (all []string) {
	for _, a := range plan.Analyses(ro.Spec) {
		if len(a.Templates) > 0 {
			return []string{anyTemplate(nil)}
		}
	}
	return nil
}

func anyTemplate(client.Object) string { return "any" }

// unique drops repetitions and the empty name.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// bindings are the objects that a Rollout steers now, and those that it will.
func bindings(ro *v1alpha1.Rollout) []v1alpha1.Bindings {
	return []v1alpha1.Bindings{plan.Bindings(ro), plan.WantedBindings(ro)}
}

// enqueue finds the Rollouts that refer to a changed object.
func enqueue(c client.Reader, index string, key func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var list v1alpha1.RolloutList
		if err := c.List(ctx, &list, client.InNamespace(o.GetNamespace()), client.MatchingFields{index: key(o)}); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "Could not find the Rollouts that refer to an object", "object", client.ObjectKeyFromObject(o))
			return nil
		}
		requests := make([]reconcile.Request, len(list.Items))
		for i := range list.Items {
			requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
		}
		return requests
	})
}
