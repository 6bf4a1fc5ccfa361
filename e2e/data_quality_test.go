// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// few errors are neither a reason to abort nor, within the objective, to hold.
const few = 3

// TestStoryFirstErrors: the first errors of a canary make a series that was not
// there before. Every one of them counts, at the value that it is born with.
func TestStoryFirstErrors(t *testing.T) {
	t.Parallel()
	s := tell(t, "first-errors")
	s.open(watched(s.shop.Cluster.Settings.PrometheusURL)...)
	generation := s.release(harness.Version("v2"))
	s.blocks(2)
	s.must(s.shop.Trouble.FailNext(t.Context(), "v2", few))
	s.counted(few)
	s.goesOn(generation)
}

// TestStoryPrometheusRestarts: Prometheus begins anew, twice, and what happens
// meanwhile is counted when it is back. Nobody is blamed for its absence.
func TestStoryPrometheusRestarts(t *testing.T) {
	t.Parallel()
	s := tell(t, "prometheus-restarts")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	own, err := harness.Monitor(ctx, s.shop)
	s.must(err)
	s.open(watched(own.URL)...)
	generation := s.release(harness.Version("v2"))
	s.blocks(2)
	away := time.Now()
	restarted := make(chan error, 1)
	go func() { restarted <- own.Restart(ctx) }()
	s.must(s.shop.Trouble.FailNext(ctx, "v2", few))
	s.must(<-restarted)
	s.must(own.Restart(ctx)) // the kubelet lets it wait this time
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("Prometheus was ended twice within %.1f s", time.Since(away).Seconds()))
	s.counted(few)
	s.goesOn(generation)
}

// watched are a pause at 25 %, during which evidence grows, and an analysis.
func watched(prometheus string) []harness.Modifier {
	return []harness.Modifier{
		harness.Objectives(prometheus, application),
		harness.Steps(harness.Weight(25), harness.Pause(), harness.AnalyzeWithin(5*time.Minute)),
	}
}

// goesOn ends the pause and sees the canary pass.
func (s *story) goesOn(generation int64) {
	s.Helper()
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.neverBack("v2")
}

// blocks waits until there are so many blocks that spoke, and gives the evidence.
func (s *story) blocks(least int64) *v1alpha1.MetricEvidence {
	s.Helper()
	return s.untilEvidence(fmt.Sprintf("%d usable blocks", least), func(ev *v1alpha1.MetricEvidence) bool { return ev.Usable >= least })
}

// untilEvidence waits for the evidence on availability to be so.
func (s *story) untilEvidence(what string, is func(*v1alpha1.MetricEvidence) bool) *v1alpha1.MetricEvidence {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var found *v1alpha1.MetricEvidence
	s.must(harness.Poll(ctx, what, func(ctx context.Context) (bool, string, error) {
		run, err := s.run(ctx)
		if err != nil || run == nil {
			return false, harness.Describe(s.seen.Latest()), err
		}
		for _, m := range run.Status.Metrics {
			if m.Evidence != nil && is(m.Evidence) {
				found = m.Evidence
				return true, "", nil
			}
		}
		return false, fmt.Sprintf("%s %q", run.Status.Phase, run.Status.Message), nil
	}))
	return found
}

// run is the AnalysisRun that the Rollout points at; nil without one.
func (s *story) run(ctx context.Context) (*v1alpha1.AnalysisRun, error) {
	st := s.seen.Latest().Status.Analysis
	if st == nil || st.Run == "" {
		return nil, nil
	}
	return s.shop.Run(ctx, st.Run)
}

// counted waits until the failed requests of the canary are in the evidence, and
// holds all of it against what the client counted.
func (s *story) counted(bad int) {
	s.Helper()
	last, failed := s.lastFault(bad)
	ev := s.untilEvidence(fmt.Sprintf("%d failed requests in the evidence", bad), func(ev *v1alpha1.MetricEvidence) bool {
		late := ev.LastBlockEnd != nil && ev.LastBlockEnd.After(last.Add(2*time.Second))
		return late && ev.Canary != "" && !strings.HasPrefix(ev.Canary, "0/")
	})
	if abort := s.seen.Latest().Status.Abort; abort != nil {
		s.Fatalf("aborted: %+v, want it to go on", abort)
	}
	from := ev.LastBlockEnd.Add(-time.Duration(ev.Usable+ev.Unusable) * ev.Block.Duration)
	sent := s.traffic.History().Count(from, ev.LastBlockEnd.Time).ByVersion
	for version, of := range map[string]string{"v2": ev.Canary, "v1": ev.Stable} {
		var errors, total float64
		if _, err := fmt.Sscanf(strings.ReplaceAll(of, "/", " "), "%g %g", &errors, &total); err != nil {
			s.Fatalf("evidence on %s %q: %v", version, of, err)
		}
		if version == "v2" && errors != float64(failed) {
			s.Errorf("%g failed requests of v2 are in the evidence, want the %d that the client saw", errors, failed)
		}
		// A sample is up to a second old at either end, and a request under way is counted when it is answered.
		apart := 0.0
		if version == "v1" {
			apart = stableApart(ev)
		}
		if slack := 0.01*float64(sent[version]) + 1.5*float64(s.rate); math.Abs(total+apart-float64(sent[version])) > slack {
			s.Errorf("%g requests of %s are in the evidence and %g in blocks that compare nothing, want %d as the client sent, give or take %.0f", total, version, apart, sent[version], slack)
		}
		s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s: %s in the evidence of %d blocks, %d unusable; the client sent %d", version, of, ev.Usable, ev.Unusable, sent[version]))
	}
}

// stableApart counts what stable has in blocks that compare nothing, as when one
// of its pods was scraped again before the canary was: that is no evidence, and not lost.
func stableApart(ev *v1alpha1.MetricEvidence) float64 {
	sum := 0.0
	for _, b := range ev.Blocks {
		_, total, found := strings.Cut(b.Stable, "/")
		if n, err := strconv.ParseFloat(total, 64); b.Reason != "" && found && err == nil {
			sum += n
		}
	}
	return sum
}

// lastFault waits until the client has met so many faults, and gives the time of the last.
func (s *story) lastFault(n int) (last time.Time, met int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("the client to meet %d faults", n), func(context.Context) (bool, string, error) {
		met = s.traffic.History().Count(time.Time{}, time.Now()).ByOutcome[load.InjectedFault]
		_, last, _ = s.traffic.History().Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
		return met >= n, fmt.Sprintf("%d", met), nil
	}))
	return last, met
}

// TestStoryMeasuringThroughTrouble: during an analysis pods come and go, a
// container begins its counters anew, nothing can be scraped for a while, and
// Prometheus can't be reached for a minute. Nothing of it is evidence, and none
// of the evidence is lost.
func TestStoryMeasuringThroughTrouble(t *testing.T) {
	t.Parallel()
	s := tell(t, "measuring-through-trouble")
	proxy, err := s.shop.Cluster.NewProxy(t.Context())
	s.must(err)
	s.must(proxy.Open(t.Context()))
	s.open(
		harness.Replicas(4), // so that the canary has a second pod when one begins anew
		harness.Objectives(proxy.URL(), application),
		harness.Steps(harness.Weight(50), harness.Pause(), v1alpha1.Step{Analyze: &v1alpha1.Analyze{
			MaxDuration: &v1alpha1.Duration{Duration: 5 * time.Minute},
		}}),
	)
	generation := s.release(harness.Version("v2"))
	s.reaches("v2", 50)
	blameless := func(r *rollout) bool { return r.Status.Abort == nil && r.Status.CanaryRevision != "" }
	s.must(s.shop.Trouble.Restart(t.Context(), "v2"))
	s.stays("counters that begin anew are no evidence", 20*time.Second, blameless)
	s.must(s.shop.Trouble.DeletePod(t.Context(), "v1"))
	s.stays("a pod that goes is no evidence", 10*time.Second, blameless)
	s.must(s.shop.Trouble.Unmeasure(t.Context(), true))
	s.stays("what is not scraped is no evidence", 15*time.Second, blameless)
	s.must(s.shop.Trouble.Unmeasure(t.Context(), false))
	before := s.blocks(2)
	proxy.Close()
	s.stays("silence is no evidence", time.Minute, blameless)
	s.must(proxy.Open(t.Context()))
	// The minute is made up for, block by block: twelve of them, whose requests all count.
	after := s.blocks(before.Usable + 12)
	if over := after.LastBlockEnd.Sub(before.LastBlockEnd.Time); over != time.Duration(after.Usable+after.Unusable-before.Usable-before.Unusable)*after.Block.Duration {
		t.Errorf("%d blocks in %s, want each once", after.Usable+after.Unusable-before.Usable-before.Unusable, over)
	}
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("before the outage %d usable and %d unusable blocks, with it %d and %d; canary %s, then %s",
		before.Usable, before.Unusable, after.Usable, after.Unusable, before.Canary, after.Canary))
	s.goesOn(generation)
}
