// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

const (
	// rate of requests in each story, per second.
	rate = 80
	// hold is how long an analyze step watches at least: long enough for the requests that a share is judged by.
	hold = 10 * time.Second
	// patience is how long any one thing may take on a machine that runs several stories.
	patience = 2 * time.Minute
	// longest is how long a story's load lasts at most.
	longest = 8 * time.Minute
)

// rollout is short for what most conditions look at.
type rollout = v1alpha1.Rollout

// story is one shop under load, and what is seen of it.
type story struct {
	*testing.T
	shop       *harness.Shop
	seen       *harness.Recorder
	traffic    *load.Generator
	direct     *load.Generator   // on a Service's own address; nil without
	testers    *load.Generator   // with the header of those who try the canary; nil without
	versions   map[string]string // by revision hash
	report     harness.Report
	releasedAt time.Time
	// judgesDirect: shares are judged on the Service's own address too.
	judgesDirect bool
	// rate is the number of requests per second, and least how many there have to be for a verdict on the story.
	rate, least int
}

// installed is the cluster that all stories share, with Sluice installed once.
var installed struct {
	once    sync.Once
	cluster *harness.Cluster
	err     error
}

func cluster(t *testing.T) *harness.Cluster {
	t.Helper()
	installed.once.Do(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		ctrl.SetLogger(logr.Discard())
		settings, err := harness.FromEnvironment(os.Getenv)
		if err == nil {
			installed.cluster, err = harness.Connect(settings)
		}
		if err == nil {
			err = installed.cluster.Install(ctx, t.Output())
		}
		installed.err = err
	})
	if installed.err != nil {
		t.Fatal(installed.err)
	}
	return installed.cluster
}

// names lists every story, each the value of STORY that chooses it and the name of its report.
var names = append([]string{
	"good-release", "bad-release", "abort-by-command", "promote-by-command", "controller-killed",
	"newer-revision", "prometheus-unreachable", "wrong-input", "workload-adoption",
	"superseded", "abort-at-each-step", "promote-full-then-abort", "blue-green", "blue-green-switch-back", "scaled-in-mid-release",
	"objective-kept", "errors-5-percent", "errors-all", "errors-late", "slower", "low-traffic", "shared-incident", "measuring-through-trouble",
	"first-errors", "prometheus-restarts",
	"route-25-75", "pods-25-75", "grpc-route", "tcp-route", "tls-route", "match-route", "baseline",
}, meshNames...)

func TestMain(m *testing.M) {
	if chosen := os.Getenv("STORY"); chosen != "" && !slices.Contains(names, chosen) {
		fmt.Fprintf(os.Stderr, "STORY=%s: no such story; choose one of %s\n", chosen, strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// tell skips a story that STORY does not name, and sets up the namespace of one that is told.
func tell(t *testing.T, name string) *story {
	t.Helper()
	return tellOf(t, name, (*harness.Cluster).NewShop)
}

// tellOf tells a story of a shop that is set up in a way of its own.
func tellOf(t *testing.T, name string, open func(*harness.Cluster, context.Context, string) (*harness.Shop, error)) *story {
	t.Helper()
	if chosen := os.Getenv("STORY"); chosen != "" && chosen != name {
		t.Skipf("STORY=%s", chosen)
	}
	if !slices.Contains(names, name) {
		t.Fatalf("story %s is not in the list of names", name)
	}
	c := cluster(t)
	seed := strconv.FormatUint(uint64(rand.Uint32()), 36)
	namespace := name + "-" + seed
	shop, err := open(c, t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{T: t, shop: shop, versions: map[string]string{}, rate: rate, least: harness.MinRequests, report: harness.Report{
		Story: name, Namespace: namespace, Seed: seed, StartedAt: time.Now(), ShareLevel: c.Settings.ShareLevel,
	}}
	t.Cleanup(func() {
		if err := shop.Delete(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if s.seen, err = shop.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// open creates the Rollout with version v1, waits until it is healthy and starts the load.
func (s *story) open(mods ...harness.Modifier) {
	s.Helper()
	s.must(s.shop.Create(s.Context(), mods...))
	s.wait("the first version to be healthy", harness.Reached(v1alpha1.PhaseHealthy, 1))
	s.openFor("v1")
}

// openFor starts the load on whatever answers with a version.
func (s *story) openFor(version string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(s.shop.Answers(ctx, version))
	s.must(s.shop.WaitScraped(ctx))
	traffic, err := s.shop.Load(s.rate, longest)
	s.must(err)
	s.traffic = traffic
	// The load outlives the test's own context, so that what is under way at its end is answered.
	traffic.Start(context.WithoutCancel(s.Context()))
	s.Cleanup(s.finish)
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// wait fails the story when the Rollout does not satisfy a condition in time.
func (s *story) wait(what string, is func(*v1alpha1.Rollout) bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(s.seen.Wait(ctx, what, is))
}

// stays fails the story when something stops to be so within a time.
func (s *story) stays(what string, d time.Duration, is func(*v1alpha1.Rollout) bool) {
	s.Helper()
	s.must(harness.Stays(s.Context(), what, d, func(context.Context) (bool, string, error) {
		r := s.seen.Latest()
		return is(r), harness.Describe(r), nil
	}))
}

// release changes the Rollout as a person would, and gives the generation that holds the change.
func (s *story) release(mods ...harness.Modifier) int64 {
	s.Helper()
	s.releasedAt = time.Now()
	generation, err := s.shop.Change(s.Context(), mods...)
	s.must(err)
	return generation
}

// promoted waits until the Rollout is healthy again, and notes how long that took.
func (s *story) promoted(generation int64) {
	s.Helper()
	s.wait("the promotion", harness.Reached(v1alpha1.PhaseHealthy, generation))
	s.report.SecondsToPromote = since(s.releasedAt, time.Now())
}

// rolledBack notes how long the canary went on answering after a time.
func (s *story) rolledBack(from time.Time, version string) {
	s.Helper()
	_, last, found := s.traffic.History().Span(func(r load.Record) bool { return r.Version == version })
	if !found || last.Before(from) {
		last = from
	}
	s.report.SecondsToRollback = since(from, last)
}

func since(from, to time.Time) *float64 {
	seconds := to.Sub(from).Round(time.Millisecond).Seconds()
	return &seconds
}

// share waits until a version has had a weight for long enough to judge its share.
func (s *story) share(version string, percent int32) {
	s.Helper()
	s.split(version, percent, harness.MinRequests)
}

// split waits until a version has had a weight for a number of requests.
func (s *story) split(version string, percent int32, least int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("%d requests with %s at %d %%", least, version, percent), func(ctx context.Context) (bool, string, error) {
		if err := s.learn(ctx); err != nil {
			return false, "", err
		}
		for _, m := range s.measure(time.Now()) {
			if m.Version == version && m.Canary == percent && m.N >= least {
				return true, "", nil
			}
		}
		return false, harness.Describe(s.seen.Latest()), nil
	}))
}

// splitDirect waits for as many requests at a Service's own address.
func (s *story) splitDirect(version string, percent int32, least int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("%d requests to the Service with %s at %d %%", least, version, percent), func(ctx context.Context) (bool, string, error) {
		if err := s.learn(ctx); err != nil {
			return false, "", err
		}
		shares := s.measureIn(s.direct.History(), time.Now())
		done := slices.ContainsFunc(shares, func(m harness.Share) bool { return m.Version == version && m.Canary == percent && m.N >= least })
		return done, fmt.Sprintf("%+v; %s", shares, harness.Describe(s.seen.Latest())), nil
	}))
}

// learn asks which version each revision is. Revisions that are gone since stay known.
func (s *story) learn(ctx context.Context) error {
	versions, err := s.shop.Versions(ctx)
	maps.Copy(s.versions, versions)
	return err
}

// hash gives the revision of a version.
func (s *story) hash(version string) string {
	s.Helper()
	s.must(s.learn(s.Context()))
	for hash, v := range s.versions {
		if v == version && !strings.Contains(hash, "-b") { // not the fresh pods of one
			return hash
		}
	}
	s.Fatalf("no revision of version %s", version)
	return ""
}

// measure gives the shares of all periods that are long enough, up to a time.
func (s *story) measure(end time.Time) []harness.Share {
	s.Helper()
	return s.measureIn(s.traffic.History(), end)
}

// measureIn gives those of other traffic than that through the gateway.
func (s *story) measureIn(h *load.History, end time.Time) []harness.Share {
	s.Helper()
	shares := []harness.Share{}
	for _, p := range harness.Periods(s.seen.Points(), end) {
		if s.versions[p.Newest] == "" {
			continue // Before the first Rollout narrows its Services, a share has no revision.
		}
		m, enough, err := p.Measure(h, s.versions, s.report.ShareLevel)
		s.must(err)
		if enough {
			shares = append(shares, m)
		}
	}
	return shares
}
