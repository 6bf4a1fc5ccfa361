// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/e2e/load"
)

// summary says what users got. It is an error when a request failed that no
// version failed on purpose, or when a share was out of its interval.
func (d *demo) summary(ctx context.Context) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	h := d.traffic.History()
	t := h.Count(time.Time{}, time.Now())
	bad, failed := t.ByOutcome[load.InjectedFault], t.ByOutcome[load.Failed]
	d.out.title("Summary, as the client saw it")
	d.out.say("  requests                              %d (v1 %d, v2 %d, v3 %d)", t.Requests, t.ByVersion["v1"], t.ByVersion["v2"], t.ByVersion["v3"])
	d.out.say("  good v2: time to promote              %s", seconds(d.promoted))
	d.out.say("  bad v3: first bad response to 0 %%     %s", seconds(d.exposure(h)))
	d.out.say("  bad v3: share of all requests         %.2f %% (%d), of which it answered %d with 500", 100*float64(t.ByVersion["v3"])/float64(max(t.Requests, 1)), t.ByVersion["v3"], bad)
	d.out.say("  failed requests beyond those          %s", paint(red, fmt.Sprint(failed), failed > 0))
	if err := d.table(); err != nil {
		return err
	}
	d.out.title("Look around")
	d.out.say("  make cluster-shell                    then:")
	d.out.say("    kubectl sluice get rollout shop -n %s", namespace)
	d.out.say("    kubectl describe rollout shop -n %s", namespace)
	d.out.say("    kubectl get rollouts,analysisruns,httproutes,pods -n %s", namespace)
	d.out.say("  make cluster-down                     tears everything down")
	for _, f := range h.FirstFailures(5) {
		d.out.say(red+"  failed at %s: %s"+plain, clock(f.At.Sub(d.started)), f.Reason)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d requests failed that no version failed on purpose", failed, t.Requests)
	}
	return nil
}

// exposure is the time from the first bad response to the last request that the bad version answered.
func (d *demo) exposure(h *load.History) time.Duration {
	first, _, _ := h.Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
	_, last, _ := h.Span(func(r load.Record) bool { return r.Version == "v3" })
	return last.Sub(first)
}

// table shows the share that each weight gave.
func (d *demo) table() error {
	shares, err := d.shares()
	if err != nil {
		return err
	}
	d.out.say("  share at each settled weight          (what chance allows with %g %%)", 100*d.cluster.Settings.ShareLevel)
	out := 0
	for _, s := range shares {
		note := ""
		if !s.Within || s.Strangers > 0 {
			out++
			note = red + " outside" + plain
		}
		d.out.say("    %s at %3d %%                         %6.2f %% of %d (%.2f to %.2f %%)%s", s.Version, s.Canary,
			100*s.ObservedShare, s.N, 100*s.Low, 100*s.High, note)
	}
	if out > 0 {
		return fmt.Errorf("%d of %d shares lie outside of what chance allows", out, len(shares))
	}
	return nil
}
