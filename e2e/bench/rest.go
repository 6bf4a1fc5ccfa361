// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// maxRSS is what the controller may hold, in MiB.
const maxRSS = 60

// meter takes the measurements on a tier.
type meter struct {
	*tier
	verbose bool
}

// atRest makes Rollouts, waits until all are Healthy and nothing happens any
// more, and counts for a time.
func (m meter) atRest(ctx context.Context, rollouts int, lasting time.Duration) (section, error) {
	fmt.Fprintf(m.out, "Making %d Rollouts\n", rollouts)
	if err := m.makeShops(ctx, rollouts); err != nil {
		return section{}, err
	}
	if err := m.quiet(ctx); err != nil {
		return section{}, err
	}
	fmt.Fprintf(m.out, "Watching the controller at rest for %s\n", lasting)
	before, err := m.controller.footprint(ctx)
	if err != nil {
		return section{}, err
	}
	during := span{from: time.Now()}
	if err := m.wait(ctx, lasting); err != nil {
		return section{}, err
	}
	during.to = time.Now()
	after, err := m.controller.footprint(ctx)
	if err != nil {
		return section{}, err
	}
	c, err := count(m.api.AuditLog(), during)
	if err != nil {
		return section{}, err
	}
	return section{
		title: fmt.Sprintf("At rest, %d Healthy Rollouts, %s", rollouts, lasting),
		rows: []row{
			figureOf("writes", c, kindWrite, 0).mandatory(), figureOf("Events", c, kindEvent, 0).mandatory(),
			figureOf("reads", c, kindRead, 0).mandatory(),
			figureOf("leader election (renewals of its lease)", c, kindLease, -1), figureOf("watches opened", c, kindWatch, -1),
			{what: "memory: VmRSS", figure: mib(after.RSS), unit: " MiB", limit: ptr.To[float64](maxRSS), must: true},
			{what: "memory: VmHWM, the peak since its start", figure: mib(after.Peak), unit: " MiB"},
			{what: "memory: PSS", figure: mib(after.PSS), unit: " MiB"},
			{what: "memory: Go heap in use", figure: mib(after.Heap), unit: " MiB"},
			{what: "processor time", figure: float64((after.CPU - before.CPU).Milliseconds()), unit: " ms"},
		},
	}, nil
}

// makeShops makes shops with one pod each and waits until all are Healthy.
func (m meter) makeShops(ctx context.Context, shops int) error {
	all := make([]*harness.Shop, shops)
	one := func(r *v1alpha1.Rollout) { r.Spec.Replicas = ptr.To[int32](1) }
	for i := range all {
		var err error
		if all[i], err = m.shops.NewShop(ctx, fmt.Sprintf("rest-%03d", i)); err != nil {
			return err
		}
		if err := all[i].Create(ctx, one, harness.Steps(harness.Weight(50))); err != nil {
			return err
		}
	}
	for _, shop := range all {
		if err := m.reaches(ctx, shop, harness.Reached(v1alpha1.PhaseHealthy, 1)); err != nil {
			return err
		}
	}
	return nil
}

// figureOf is a row with the requests of a kind; a limit below 0 is none.
func figureOf(what string, c counted, k kind, limit int) row {
	r := row{what: what, figure: float64(c.of(k)), parts: c.rows(k)}
	if limit >= 0 {
		r.limit = ptr.To(float64(limit))
	}
	return r
}

func (r row) mandatory() row {
	r.must = true
	return r
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
