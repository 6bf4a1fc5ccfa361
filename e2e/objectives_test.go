// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	s.promoted(generation)
	s.share("v2", 100)
	s.neverBack("v2")
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

// TestStoryMeasuringThroughTrouble: during an analysis pods come and go, a
// container begins its counters anew, and Prometheus can't be reached for a
// minute. Nothing of it is evidence, and none of the evidence is lost.
func TestStoryMeasuringThroughTrouble(t *testing.T) {
	t.Parallel()
	s := tell(t, "measuring-through-trouble")
	proxy, err := s.shop.Cluster.NewProxy(t.Context())
	s.must(err)
	s.must(proxy.Open(t.Context()))
	s.open(
		harness.Replicas(4), // so that the canary has a second pod when one begins anew
		harness.Objectives(proxy.URL(), application),
		harness.Steps(harness.Weight(50), harness.PauseFor(2*time.Minute), v1alpha1.Step{Analyze: &v1alpha1.Analyze{
			MaxDuration: &metav1.Duration{Duration: 5 * time.Minute},
		}}),
	)
	generation := s.release(harness.Version("v2"))
	s.reaches("v2", 50)
	blameless := func(r *rollout) bool { return r.Status.Abort == nil && r.Status.CanaryRevision != "" }
	s.must(s.shop.Trouble.Restart(t.Context(), "v2"))
	s.stays("counters that begin anew are no evidence", 20*time.Second, blameless)
	s.must(s.shop.Trouble.DeletePod(t.Context(), "v1"))
	s.stays("a pod that goes is no evidence", 10*time.Second, blameless)
	proxy.Close()
	s.stays("silence is no evidence", time.Minute, blameless)
	s.must(proxy.Open(t.Context()))
	s.promoted(generation)
	s.share("v2", 100)
}
