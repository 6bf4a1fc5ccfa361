// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// Limits of what a release costs, in requests.
const (
	maxReleaseWrites = 14
	maxReleaseEvents = 6
	maxReleaseReads  = 10
	maxAbortWrites   = 10
	// maxRouteDelay is the longest time from a decision to the route, in milliseconds.
	maxRouteDelay = 100
)

// abortWindow is how long after an abort its writes are counted.
const abortWindow = 30 * time.Second

// released makes a shop of two pods and one HTTPRoute and counts what its first
// undisturbed release costs, from the change of the template until the old
// revision has no pods; and then what the settled Rollout costs.
func (m meter) released(ctx context.Context, settled time.Duration) ([]section, error) {
	shop, err := m.openShop(ctx, "release", harness.Weight(10), harness.Weight(50), harness.Weight(100))
	if err != nil {
		return nil, err
	}
	seen, err := shop.Record(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(m.out, "Releasing a version, undisturbed")
	during := span{from: time.Now()}
	generation, err := shop.Change(ctx, harness.Version("v2"))
	if err != nil {
		return nil, err
	}
	if err := m.reaches(ctx, shop, harness.Reached(v1alpha1.PhaseHealthy, generation)); err != nil {
		return nil, err
	}
	promoted := time.Since(during.from)
	if err := m.onlyNewest(ctx, shop, 2); err != nil {
		return nil, err
	}
	if err := m.quiet(ctx); err != nil {
		return nil, err
	}
	during.to = time.Now()
	c, err := count(m.api.AuditLog(), during)
	if err != nil {
		return nil, err
	}
	if err := m.trace(during, seen); err != nil {
		return nil, err
	}
	sections := []section{{
		title: "A release, undisturbed: 2 replicas, 1 route, 10, 50, 100 %",
		rows: []row{
			figureOf("writes", c, kindWrite, maxReleaseWrites).mandatory(), figureOf("Events", c, kindEvent, maxReleaseEvents).mandatory(),
			figureOf("live reads", c, kindRead, maxReleaseReads).mandatory(),
			{what: "until promoted", figure: promoted.Seconds(), unit: " s"},
		},
	}}
	rest, err := m.settled(ctx, settled)
	return append(sections, rest), err
}

// settled counts what the controller does when nothing is to be done any more.
func (m meter) settled(ctx context.Context, lasting time.Duration) (section, error) {
	fmt.Fprintf(m.out, "Watching the settled Rollout for %s\n", lasting)
	during := span{from: time.Now()}
	if err := m.wait(ctx, lasting); err != nil {
		return section{}, err
	}
	c, err := count(m.api.AuditLog(), during)
	return section{
		title: fmt.Sprintf("Settled after the release, %s", lasting),
		rows: []row{
			figureOf("writes", c, kindWrite, 0).mandatory(), figureOf("Events", c, kindEvent, 0).mandatory(),
			figureOf("reads", c, kindRead, 0).mandatory(),
		},
	}, err
}

// aborted counts the writes after a release that waits at 50 % is aborted.
func (m meter) aborted(ctx context.Context) (section, error) {
	shop, err := m.pausedShop(ctx)
	if err != nil {
		return section{}, err
	}
	seen, err := shop.Record(ctx)
	if err != nil {
		return section{}, err
	}
	fmt.Fprintln(m.out, "Aborting a release at 50 %")
	begin := time.Now()
	if _, err := shop.Command(ctx, v1alpha1.Command{Verb: v1alpha1.VerbAbort, By: "admin"}); err != nil {
		return section{}, err
	}
	if err := m.wait(ctx, abortWindow); err != nil {
		return section{}, err
	}
	if err := m.onlyNewest(ctx, shop, 2); err != nil {
		return section{}, err
	}
	if err := m.quiet(ctx); err != nil {
		return section{}, err
	}
	if err := m.trace(span{from: begin}, seen); err != nil {
		return section{}, err
	}
	return m.abortCost(begin, seen)
}

func (m meter) abortCost(begin time.Time, seen *harness.Recorder) (section, error) {
	soon, err := count(m.api.AuditLog(), span{begin, begin.Add(abortWindow)})
	if err != nil {
		return section{}, err
	}
	later, err := count(m.api.AuditLog(), span{from: begin.Add(abortWindow)})
	if err != nil {
		return section{}, err
	}
	written, err := routeDelay(m.api.AuditLog(), span{from: begin})
	return section{
		title: "An abort at 50 %",
		rows: []row{
			figureOf("writes in the 30 s after it", soon, kindWrite, maxAbortWrites).mandatory(), figureOf("Events in that time", soon, kindEvent, -1),
			figureOf("live reads in that time", soon, kindRead, -1),
			figureOf("writes later, until the canary has no pods", later, kindWrite, -1),
			{what: "until the route gives the canary nothing", figure: gone(seen).Sub(begin).Seconds(), unit: " s"}, written,
		},
	}, err
}

// routeDelay is how long a route waited for its write at most, where each write
// follows from a decision of its own, as in an abort; a weight of a step waits
// for pods too. Beyond the limit it is shown as over: a machine that is short of
// time says nothing of the controller.
func routeDelay(log string, during span) (row, error) {
	all, err := requests(log, during)
	limit := float64(maxRouteDelay)
	return row{
		what: "longest from decision to the route's write", figure: float64(slowestRoute(all).Microseconds()) / 1000, unit: " ms", limit: &limit,
	}, err
}

// gone is when the route last began to give the canary nothing.
func gone(seen *harness.Recorder) time.Time {
	var since time.Time
	last := int32(-1)
	for _, p := range seen.Points() {
		if p.Route == 0 && last != 0 {
			since = p.At
		}
		last = p.Route
	}
	return since
}

// pausedShop makes a shop whose second version waits at 50 %.
func (m meter) pausedShop(ctx context.Context) (*harness.Shop, error) {
	shop, err := m.openShop(ctx, "abort", harness.Weight(10), harness.Weight(50), harness.Pause())
	if err != nil {
		return nil, err
	}
	generation, err := shop.Change(ctx, harness.Version("v2"))
	if err != nil {
		return nil, err
	}
	if err := m.reaches(ctx, shop, harness.Reached(v1alpha1.PhasePaused, generation)); err != nil {
		return nil, err
	}
	return shop, m.quiet(ctx)
}

// openShop makes a shop with two pods of version v1 and the delays that are the
// API's own defaults, and waits until nothing happens any more.
func (m meter) openShop(ctx context.Context, name string, steps ...v1alpha1.Step) (*harness.Shop, error) {
	shop, err := m.shops.NewShop(ctx, name)
	if err != nil {
		return nil, err
	}
	defaults := func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.ScaleDownDelaySeconds, r.Spec.Strategy.Canary.AbortScaleDownDelaySeconds = nil, nil
	}
	if err := shop.Create(ctx, defaults, harness.Steps(steps...)); err != nil {
		return nil, err
	}
	if err := m.reaches(ctx, shop, harness.Reached(v1alpha1.PhaseHealthy, 1)); err != nil {
		return nil, err
	}
	return shop, m.quiet(ctx)
}

// trace lists every request of a span, and what the Rollout said meanwhile.
func (m meter) trace(during span, seen *harness.Recorder) error {
	if !m.verbose {
		return nil
	}
	all, err := requests(m.api.AuditLog(), during)
	said := seen.Points()
	for _, r := range all {
		for len(said) > 0 && said[0].At.Before(r.Received) {
			m.say(during, said[0])
			said = said[1:]
		}
		if r.kind() != kindLease {
			fmt.Fprintf(m.out, "  %7.3f s  %s\n", r.Received.Sub(during.from).Seconds(), r.words())
		}
	}
	for _, p := range said {
		m.say(during, p)
	}
	return err
}

func (m meter) say(during span, p harness.Point) {
	fmt.Fprintf(m.out, "  %7.3f s      %s: %s\n", p.At.Sub(during.from).Seconds(), p.Phase, p.Message)
}
