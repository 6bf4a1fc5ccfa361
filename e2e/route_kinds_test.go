// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

const (
	// figure is the number of requests that a split of 25 and 75 is judged by, and figureLevel the probability
	// that it lies within its interval by chance.
	figure      = 5000
	figureLevel = 0.999
	// figureRate makes them in less than a minute.
	figureRate = 100
)

// TestStoryRoute2575: Traefik splits requests as an HTTPRoute says.
func TestStoryRoute2575(t *testing.T) {
	t.Parallel()
	tell(t, "route-25-75").steered(harness.HTTP())
}

// TestStoryGRPCRoute: Traefik splits calls as a GRPCRoute says, each of many over one connection.
func TestStoryGRPCRoute(t *testing.T) {
	t.Parallel()
	s := tellIn(t, harness.GRPC(), "grpc-route")
	stop, err := s.shop.StartCaller(context.WithoutCancel(t.Context()))
	s.must(err)
	t.Cleanup(stop)
	s.steered(harness.GRPC())
}

// TestStoryTCPRoute: Traefik splits connections as a TCPRoute says.
func TestStoryTCPRoute(t *testing.T) {
	t.Parallel()
	tellIn(t, harness.TCP(), "tcp-route").steered(harness.TCP())
}

// TestStoryTLSRoute: Traefik passes TLS through and splits connections by the name they ask for, as a TLSRoute says.
func TestStoryTLSRoute(t *testing.T) {
	t.Parallel()
	tellIn(t, harness.TLS(), "tls-route").steered(harness.TLS())
}

// tellIn tells a story of a shop that speaks a dialect.
func tellIn(t *testing.T, d harness.Dialect, name string) *story {
	t.Helper()
	return tellOf(t, name, func(c *harness.Cluster, ctx context.Context, namespace string) (*harness.Shop, error) {
		return d.NewShop(ctx, c, namespace)
	})
}

// steered: a good version waits at 25 % until the split is known for sure and
// is promoted; a bad one is taken back.
func (s *story) steered(d harness.Dialect) {
	s.Helper()
	s.rate, s.report.ShareLevel = figureRate, figureLevel
	s.open(harness.AnalysisOf(s.shop.Cluster.Settings.PrometheusURL, d.ErrorShare), harness.Steps(harness.Weight(25), harness.Pause()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.split("v2", 25, figure)
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.truth("carries all traffic")

	generation = s.release(harness.Version("v3"), harness.Faulty("0.4"))
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v3", 0)
	first, _, found := s.traffic.History().Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
	if !found {
		s.Fatal("the bad version answered nothing badly")
	}
	s.rolledBack(first, "v3")
	s.truth("aborted", "server-errors")
}

// TestStoryPods2575: without a route kube-proxy splits connections by the
// number of pods behind one Service.
func TestStoryPods2575(t *testing.T) {
	t.Parallel()
	s := tell(t, "pods-25-75")
	if !s.shop.Cluster.Settings.Inside {
		t.Fatal("a Service's own address can't be reached from here: run this inside the cluster's network, or choose another STORY")
	}
	s.report.ShareLevel, s.judgesDirect = figureLevel, true
	s.open(harness.ByPods(), harness.Replicas(4), harness.Steps(harness.Weight(25), harness.Pause()))
	direct, err := s.shop.Direct(t.Context(), harness.StableService, figureRate, longest)
	s.must(err)
	s.direct = direct
	direct.Start(context.WithoutCancel(t.Context()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.splitDirect("v2", 25, figure)
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
}
