// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/load"
)

// widest is the most of the Rollout's message that is shown, in characters.
const widest = 80

// beat is the time between two lines.
const beat = 2 * time.Second

// titles name the columns of a line. The counts are of the responses since the line before.
const titles = "  time  canary    v1    v2    v3   5xx  failed  analysis         what the Rollout says"

// show writes a line every beat, and one at each change of weight or phase, until the Rollout satisfies a condition.
func (d *demo) show(ctx context.Context, until func(*v1alpha1.Rollout) bool) error {
	d.out.say(dim + titles + plain)
	from := time.Now()
	last := ""
	for {
		changed := d.seen.Changed()
		r := d.seen.Latest()
		done := until(r)
		at := time.Now()
		now := fmt.Sprint(r.Status.Phase, weight(r))
		if done || now != last || at.Sub(from) >= beat {
			if err := d.line(ctx, r, from, at); err != nil {
				return err
			}
			from, last = at, now
		}
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(time.Until(from.Add(beat))):
		case <-ctx.Done():
			return fmt.Errorf("the demo took too long: %w; the Rollout says: %s", context.Cause(ctx), r.Status.Message)
		}
	}
}

// showShare goes on showing until a version has had a weight for long enough to judge its share.
func (d *demo) showShare(ctx context.Context, version string, percent int32) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(beat / 4)
	defer tick.Stop()
	for {
		shares, err := d.shares()
		if err != nil {
			return err
		}
		for _, s := range shares {
			if s.Version == version && s.Canary == percent {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the demo took too long: %w", context.Cause(ctx))
		}
	}
}

// line writes what the client counted between two times, and what the Rollout says.
func (d *demo) line(ctx context.Context, r *v1alpha1.Rollout, from, to time.Time) error {
	t := d.traffic.History().Count(from, to)
	counts := ""
	for _, v := range []string{"v1", "v2", "v3"} {
		counts += fmt.Sprintf("%6s", dash(t.ByVersion[v]))
	}
	verdict, err := d.verdict(ctx, r)
	if err != nil {
		return err
	}
	bad := paint(red, fmt.Sprintf("%6s", dash(t.ByOutcome[load.InjectedFault])), t.ByOutcome[load.InjectedFault] > 0)
	failed := paint(red, fmt.Sprintf("%8d", t.ByOutcome[load.Failed]), t.ByOutcome[load.Failed] > 0)
	d.out.say("%6s  %s%s%s%s  %s %s", clock(to.Sub(d.started)), paint(blue, fmt.Sprintf("%4d %%", weight(r)), weight(r) > 0),
		counts, bad, failed, pad(verdict, 16), short(r))
	return nil
}

// verdict says in a few words what the analysis found last.
func (d *demo) verdict(ctx context.Context, r *v1alpha1.Rollout) (string, error) {
	if r.Status.Analysis == nil {
		return "", nil
	}
	var run v1alpha1.AnalysisRun
	key := client.ObjectKey{Namespace: namespace, Name: r.Status.Analysis.Run}
	if err := client.IgnoreNotFound(d.cluster.Client.Get(ctx, key, &run)); err != nil {
		return "", fmt.Errorf("read the analysis: %w", err)
	}
	if len(run.Status.Metrics) == 0 {
		return string(r.Status.Analysis.Phase), nil
	}
	m := run.Status.Metrics[0]
	if len(m.Measurements) == 0 || m.Measurements[len(m.Measurements)-1].Value == "" {
		return string(m.Verdict), nil
	}
	return fmt.Sprintf("%s %.6s", m.Verdict, m.Measurements[len(m.Measurements)-1].Value), nil
}

// short is the message, cut to what fits beside the figures.
func short(r *v1alpha1.Rollout) string {
	words := string(r.Status.Phase) + ": " + strings.Join(strings.Fields(r.Status.Message), " ")
	if runes := []rune(words); len(runes) > widest {
		words = string(runes[:widest-1]) + "…"
	}
	return words
}

func weight(r *v1alpha1.Rollout) int32 {
	if r.Status.Traffic == nil {
		return 0
	}
	return r.Status.Traffic.CanaryWeight
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func paint(colour, text string, when bool) string {
	if !when {
		return text
	}
	return colour + text + plain
}

func pad(text string, width int) string { return fmt.Sprintf("%-*s", width, text) }
