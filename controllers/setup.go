// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers sets all controllers up. Each lives in a folder of its own.
package controllers

import (
	"context"
	"fmt"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/analysisrun"
	"github.com/sluice-dev/sluice/controllers/rollout"
	"github.com/sluice-dev/sluice/internal/kube"
	"github.com/sluice-dev/sluice/routers"
)

// Parts are what the wiring has built and the controllers share.
type Parts struct {
	// Routers finds the router of a route. What it writes is in Memory.
	Routers *routers.Registry
	// Memory of this process's own writes.
	Memory *kube.Memory
	// Providers finds the provider of a metric.
	Providers analysis.Registry
	// Clock tells the time.
	Clock clock.Clock
	// Metrics is where the controllers register theirs.
	Metrics prometheus.Registerer
	// PrometheusAddress serves analyses that name no server; empty when there is none.
	PrometheusAddress string
	// AnalysisHosts, if any, are all that analyses may ask besides it, and that gates may ask.
	AnalysisHosts []string
}

// reach says why a gate may not be asked.
func (p Parts) reach(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("correct the URL: %w", err)
	}
	return analysis.Allowed(p.AnalysisHosts, u)
}

// SetUp adds every controller to the manager, in this order.
func SetUp(ctx context.Context, mgr manager.Manager, p Parts) error {
	for _, c := range []struct {
		name  string
		setUp func() error
	}{
		{"rollout", func() error {
			return rollout.SetUp(ctx, mgr, rollout.Parts{
				Routers: p.Routers, Memory: p.Memory, Clock: p.Clock, Metrics: p.Metrics,
				Vet:   func(spec v1alpha1.AnalysisRunSpec) error { return analysisrun.Vet(p.Providers, spec) },
				Reach: p.reach,
			})
		}},
		{"analysisrun", func() error {
			o := analysisrun.Options{PrometheusAddress: p.PrometheusAddress, AllowedHosts: p.AnalysisHosts, Secrets: mgr.GetAPIReader()}
			return analysisrun.New(mgr.GetClient(), mgr.GetEventRecorder("sluice"), p.Clock, p.Providers, o).SetupWithManager(mgr)
		}},
	} {
		if err := c.setUp(); err != nil {
			return fmt.Errorf("set up controller %s: %w", c.name, err)
		}
	}
	return nil
}
