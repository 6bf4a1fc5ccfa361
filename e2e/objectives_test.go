// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// application is the view of the shop itself, gateway the one of Traefik.
const (
	application v1alpha1.Preset = "OpenTelemetryHTTP"
	gateway     v1alpha1.Preset = "TraefikGateway"
)

// judged are a weight of 25 % and an analysis of at most five minutes, by objectives.
func judged(s *story, preset v1alpha1.Preset, mods ...func(*v1alpha1.Analysis)) []harness.Modifier {
	return []harness.Modifier{
		harness.Objectives(s.shop.Cluster.Settings.PrometheusURL, preset, mods...),
		harness.Steps(harness.Weight(25), harness.AnalyzeWithin(5*time.Minute), harness.Weight(50), harness.AnalyzeWithin(5*time.Minute)),
	}
}

// TestStoryObjectiveKept: a healthy version proves, by the gateway's own
// counts, that the service keeps its objective with it, long before its time is up.
func TestStoryObjectiveKept(t *testing.T) {
	t.Parallel()
	s := tell(t, "objective-kept")
	s.open(judged(s, gateway)...)
	generation := s.release(harness.Version("v2"))
	s.reaches("v2", 25)
	s.reaches("v2", 50)
	affordable := time.Now()
	s.promoted(generation)
	s.share("v2", 100)
	s.neverBack("v2")
	s.backtest(0, gateway, affordable, "--next-weight=50", "--arm=canary="+harness.CanaryService, "--arm=stable="+harness.StableService)
	s.truth("carries all traffic")
	if took := *s.report.SecondsToPromote; took > 4*60 {
		t.Errorf("promoted after %.0f s, want it earlier than one analysis may take", took)
	}
}

// TestStoryErrorsFivePercent: one request in twenty fails. Fixed thresholds on
// rates wait for minutes; counts against stable need seconds.
func TestStoryErrorsFivePercent(t *testing.T) {
	t.Parallel()
	s := tell(t, "errors-5-percent")
	s.open(judged(s, application)...)
	s.release(harness.Version("v2"), harness.Faulty("0.05"))
	s.foundOut("availability", "bad")
	pods := func(version string) string { return harness.Name + "-" + s.hash(version) }
	s.backtest(1, application, time.Now(), "--arm=canary="+pods("v2"), "--arm=stable="+pods("v1"))
}

// backtest replays what the story has seen by itself, from the server that the
// release was judged by: the verdict must be the same.
func (s *story) backtest(code int, preset v1alpha1.Preset, to time.Time, args ...string) {
	s.Helper()
	template := filepath.Join(s.TempDir(), "template.yaml")
	text := fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: shop}\nspec: {preset: %s, objectives: {availability: \"99%%\"}}\n", preset)
	s.must(os.WriteFile(template, []byte(text), 0o600))
	said := s.plugin(code, append([]string{
		"backtest", "-f", template, "--prometheus", s.shop.Cluster.Settings.PrometheusURL, "--block=5s",
		"--from", s.releasedAt.UTC().Format(time.RFC3339), "--to", to.UTC().Format(time.RFC3339),
	}, args...)...)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	s.report.Notes = append(s.report.Notes, "backtest: "+lines[len(lines)-1])
}

// TestStoryErrorsAll: no request succeeds.
func TestStoryErrorsAll(t *testing.T) {
	t.Parallel()
	s := tell(t, "errors-all")
	s.open(judged(s, gateway)...)
	s.release(harness.Version("v2"), harness.Faulty("1"))
	s.foundOut("availability", "bad")
}

// TestStoryErrorsLate: a version is well for a minute, and then is not. The
// evidence of the good minute does not excuse it.
func TestStoryErrorsLate(t *testing.T) {
	t.Parallel()
	s := tell(t, "errors-late")
	s.open(
		harness.Objectives(s.shop.Cluster.Settings.PrometheusURL, application),
		harness.Steps(harness.Weight(25), harness.PauseFor(10*time.Minute)),
	)
	s.release(harness.Version("v2"))
	s.reaches("v2", 25)
	s.stays("a good canary keeps its weight", time.Minute, func(r *rollout) bool { return s.confirmed(r, "v2") == 25 })
	n, err := s.shop.Trouble.Misbehave(t.Context(), "v2", "0.3")
	s.must(err)
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d pods began to fail after a minute", n))
	s.foundOut("availability", "bad")
}

// TestStorySlower: every answer takes twice as long, none fails, and the
// objective says nothing of it: the comparison with stable finds it.
func TestStorySlower(t *testing.T) {
	t.Parallel()
	s := tell(t, "slower")
	s.open(append(judged(s, application, func(a *v1alpha1.Analysis) { a.CompareLatency = true }), harness.Env("LATENCY", "35ms"))...)
	generation := s.release(harness.Version("v2"), harness.Env("LATENCY", "70ms"))
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v2", 0)
	s.truth("aborted", "latency")
	s.abortedBy(v1alpha1.ReasonAnalysisFailed, "latency")
	s.decided()
}

// foundOut waits until v2 was aborted for a metric, and notes how fast.
func (s *story) foundOut(phrases ...string) {
	s.Helper()
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, s.seen.Latest().Generation))
	s.share("v2", 0)
	first, _, found := s.traffic.History().Span(func(r load.Record) bool { return r.Outcome == load.InjectedFault })
	if !found {
		s.Fatal("the bad version answered nothing badly")
	}
	s.rolledBack(first, "v2")
	s.truth("aborted")
	s.abortedBy(v1alpha1.ReasonAnalysisFailed, phrases...)
	s.decided()
}

// atRest is what it may take from the evidence to the route when nothing else is going on.
const atRest = time.Second

// decided notes what the verdict took: the canary's requests in the evidence,
// and the time from the block that decided to a route without the canary.
func (s *story) decided() {
	s.Helper()
	run, err := s.run(s.Context())
	s.must(err)
	if run == nil {
		s.Fatal("no AnalysisRun has decided")
	}
	var last *v1alpha1.MetricEvidence
	for _, m := range run.Status.Metrics {
		if ev := m.Evidence; ev != nil && ev.LastBlockEnd != nil && m.Verdict == v1alpha1.MetricFailed {
			last = ev
		}
	}
	if last == nil {
		s.Fatalf("no metric of AnalysisRun %s has failed: %+v", run.Name, run.Status)
	}
	_, total, _ := strings.Cut(last.Canary, "/")
	s.report.RequestsToVerdict, err = strconv.Atoi(total)
	s.must(err)
	settled := last.LastBlockEnd.Add(last.Settle.Duration)
	for _, p := range s.seen.Points() {
		if p.Route == 0 && p.At.After(settled) {
			s.report.SecondsFromBadBlock = since(settled, p.At)
			break
		}
	}
	if s.report.SecondsFromBadBlock == nil {
		s.Fatal("the route was never seen without the canary")
	}
	// Other stories keep this machine busy, unless this one was asked for by name.
	if alone := os.Getenv("STORY") != ""; alone && *s.report.SecondsFromBadBlock > atRest.Seconds() {
		s.Errorf("%.3f s from the bad block to the route, want at most %s at rest", *s.report.SecondsFromBadBlock, atRest)
	}
}

// abortedBy fails the story unless v2 was aborted for a reason, in words.
func (s *story) abortedBy(reason string, phrases ...string) {
	s.Helper()
	abort := s.seen.Latest().Status.Abort
	if abort == nil || abort.Reason != reason || abort.Revision != s.hash("v2") {
		s.Fatalf("abort %+v, want one of v2 for %s", abort, reason)
	}
	for _, phrase := range phrases {
		if !strings.Contains(abort.Message, phrase) {
			s.Errorf("the abort says %q, want %q in it", abort.Message, phrase)
		}
	}
	s.report.Notes = append(s.report.Notes, "aborted: "+abort.Message)
}

// TestStoryLowTraffic: with one request per second nothing can be proven. The
// release neither passes nor fails; it holds and says what is missing.
func TestStoryLowTraffic(t *testing.T) {
	t.Parallel()
	s := tell(t, "low-traffic")
	s.rate, s.least = 1, 30
	s.open(
		harness.Objectives(s.shop.Cluster.Settings.PrometheusURL, application),
		harness.Steps(harness.Weight(25), harness.AnalyzeWithin(40*time.Second), harness.Weight(50)),
	)
	s.release(harness.Version("v2"))
	s.reaches("v2", 25)
	held := func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseHolding && s.confirmed(r, "v2") == 25 && strings.Contains(r.Status.Message, "requests")
	}
	s.wait("the release to hold", held)
	s.stays("the release holds", hold, func(r *rollout) bool { return r.Status.Abort == nil && s.confirmed(r, "v2") == 25 })
	s.truth("requests")
	s.report.Notes = append(s.report.Notes, "held: "+s.seen.Latest().Status.Message)
	s.plugin(0, "abort", harness.Name)
	s.reaches("v2", 0)
}

// TestStorySharedIncident: both versions fail requests at once, as when a
// database is slow. The canary is not to blame, and is not promoted meanwhile.
func TestStorySharedIncident(t *testing.T) {
	t.Parallel()
	s := tell(t, "shared-incident")
	s.open(
		harness.Objectives(s.shop.Cluster.Settings.PrometheusURL, application),
		harness.Steps(harness.Weight(25), harness.Pause(), harness.Weight(50), harness.AnalyzeWithin(10*time.Minute)),
	)
	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v2", 25)
	_, err := s.shop.Trouble.Misbehave(t.Context(), "", "0.3")
	s.must(err)
	s.plugin(0, "promote", harness.Name)
	s.wait("the hold for an incident of both", func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseHolding && strings.Contains(r.Status.Message, "incident of both")
	})
	s.stays("nobody is blamed or promoted", 30*time.Second, func(r *rollout) bool {
		return r.Status.Abort == nil && s.confirmed(r, "v2") <= 50
	})
	s.truth("incident of both")
	s.report.Notes = append(s.report.Notes, "held: "+s.seen.Latest().Status.Message)
	_, err = s.shop.Trouble.Misbehave(t.Context(), "", "0")
	s.must(err)
	// Five minutes of health would end the hold; a person need not wait for them.
	s.plugin(0, "promote", harness.Name, "--full")
	s.promoted(generation)
	s.share("v2", 100)
}
