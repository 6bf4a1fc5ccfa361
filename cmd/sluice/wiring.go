// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/loki"
	"github.com/sluice-dev/sluice/analysis/prometheus"
	"github.com/sluice-dev/sluice/analysis/web"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
	"github.com/sluice-dev/sluice/routers/gatewayapi"
	"github.com/sluice-dev/sluice/routers/istio"
)

// routerEntries is the only list of routers.
func routerEntries() []routers.Entry {
	return []routers.Entry{
		gatewayapi.Entry(),
		gatewayapi.StreamEntry(),
		istio.Entry(),
	}
}

// providerEntries is the only list of metric providers.
func providerEntries() []analysis.Entry {
	return []analysis.Entry{
		prometheus.Entry(prometheus.Options{}),
		loki.Entry(loki.Options{}),
		web.Entry(web.Options{}),
	}
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	adders := []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme}
	for _, e := range routerEntries() {
		if e.AddToScheme != nil {
			adders = append(adders, e.AddToScheme)
		}
	}
	for _, add := range adders {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("build the scheme: %w", err)
		}
	}
	return scheme, nil
}

// cacheOptions keeps memory small: of ReplicaSets only ours are held, and of no
// object who wrote which field.
func cacheOptions() cache.Options {
	ours, err := labels.NewRequirement(v1alpha1.RolloutLabel, selection.Exists, nil)
	if err != nil {
		panic(err) // a constant
	}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.ReplicaSet{}: {Label: labels.NewSelector().Add(*ours)},
			&batchv1.Job{}:       {Label: labels.NewSelector().Add(*ours)},
		},
	}
}

// wire builds routers, providers and controllers and adds them to the manager.
func wire(ctx context.Context, mgr manager.Manager, o options) error {
	memory := kube.NewMemory(clock.RealClock{}, mgr.GetScheme())
	registry, err := routers.NewRegistry(memory.Client(mgr.GetClient()), mgr.GetAPIReader(), routerEntries()...)
	if err != nil {
		return fmt.Errorf("routers: %w", err)
	}
	providers, err := analysis.NewRegistry(providerEntries()...)
	if err != nil {
		return fmt.Errorf("metric providers: %w", err)
	}
	hosts, err := hostsOf(o.analysisHosts)
	if err != nil {
		return err
	}
	return controllers.SetUp(ctx, mgr, controllers.Parts{
		Routers: registry, Memory: memory, Providers: providers, Clock: clock.RealClock{},
		Metrics: ctrlmetrics.Registry, PrometheusAddress: o.prometheusAddress, AnalysisHosts: hosts,
	})
}

// hostsOf reads --analysis-allowed-hosts.
func hostsOf(list string) ([]string, error) {
	var hosts []string
	for host := range strings.SplitSeq(list, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		if err := analysis.CheckHost(host); err != nil {
			return nil, fmt.Errorf("--analysis-allowed-hosts: %w", err)
		}
		hosts = append(hosts, host)
	}
	if len(hosts) == 0 && list != "" { // what was meant to limit must not allow all
		return nil, fmt.Errorf("--analysis-allowed-hosts: %q names no host; name those that may be asked, or leave the flag out to allow all", list)
	}
	return hosts, nil
}
