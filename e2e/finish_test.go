// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// finish ends the load, holds the promises of every story, and writes the report.
func (s *story) finish() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), time.Minute)
	defer cancel()
	end := time.Now()
	s.traffic.Stop()
	s.countBeside("to the Service's own address", s.direct)
	s.countBeside("with the header", s.testers)
	if err := s.learn(ctx); err != nil {
		s.Error(err)
	}
	s.count()
	s.report.Weights = s.measure(end)
	if s.direct != nil && s.judgesDirect {
		s.report.Direct = s.measureIn(s.direct.History(), end)
	}
	for _, w := range slices.Concat(s.report.Weights, s.report.Direct) {
		if !w.Within || w.Strangers > 0 {
			s.Errorf("version %s at %d %%: %.4f of %d responses (%d of versions without weight), want between %.4f and %.4f and none",
				w.Version, w.Canary, w.ObservedShare, w.N, w.Strangers, w.Low, w.High)
		}
	}
	s.report.Seconds = time.Since(s.report.StartedAt).Seconds()
	s.report.Passed = !s.Failed()
	if s.Failed() {
		s.keepEvidence(ctx)
	}
	if err := s.report.Write(s.shop.Cluster.Settings.Out); err != nil {
		s.Error(err)
	}
	s.Logf("%d requests, %d failed, %d bad responses, by version %v", s.report.Requests, s.report.FailedRequests, s.report.BadResponses, s.report.ByVersion)
}

// count fills in what the client saw.
func (s *story) count() {
	s.Helper()
	h := s.traffic.History()
	tally := h.Count(time.Time{}, time.Now())
	s.report.Requests, s.report.ByVersion = tally.Requests, tally.ByVersion
	s.report.FailedRequests = tally.ByOutcome[load.Failed]
	s.report.BadResponses = tally.ByOutcome[load.InjectedFault]
	for _, f := range h.FirstFailures(5) {
		s.report.Failures = append(s.report.Failures, fmt.Sprintf("%s after %s, version %q: %s",
			f.At.Format(time.StampMilli), f.Took.Round(time.Millisecond), f.Version, f.Reason))
	}
	if repeated := tally.Repeated; repeated > 0 {
		s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d requests were given up by the client's own library before they were sent, and made again", repeated))
	}
	if s.report.FailedRequests > 0 {
		s.Errorf("%d of %d requests failed, want none; the first:\n%s", s.report.FailedRequests, tally.Requests, strings.Join(s.report.Failures, "\n"))
	}
	if tally.Requests < s.least {
		s.Errorf("%d requests, want at least %d", tally.Requests, s.least)
	}
}

// countBeside holds the promise for traffic beside that of every story; nil is none.
func (s *story) countBeside(what string, g *load.Generator) {
	s.Helper()
	if g == nil {
		return
	}
	g.Stop()
	tally := g.History().Count(time.Time{}, time.Now())
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d requests %s, %d failed, by version %v",
		tally.Requests, what, tally.ByOutcome[load.Failed], tally.ByVersion))
	for _, f := range g.History().FirstFailures(5) {
		s.Errorf("failed %s at %s, version %q: %s", what, f.At.Format(time.StampMilli), f.Version, f.Reason)
	}
}

// wasAt fails the story unless a version's share was judged at each of the weights.
func (s *story) wasAt(version string, percents ...int32) {
	s.Helper()
	shares := s.measure(time.Now())
	for _, percent := range percents {
		if !slices.ContainsFunc(shares, func(m harness.Share) bool { return m.Version == version && m.Canary == percent }) {
			s.Errorf("the share of %s was never judged at %d %%", version, percent)
		}
	}
}

// neverBack fails the story if a version's requested share ever fell.
func (s *story) neverBack(version string) {
	s.Helper()
	hash := s.hash(version)
	var most int32
	for _, p := range s.seen.Points() {
		if p.Requested == nil {
			continue
		}
		share := p.Requested[hash]
		if share < most {
			s.Errorf("the share of %s fell from %d to %d %% at %s", version, most, share, p.At.Format(time.StampMilli))
		}
		most = max(most, share)
	}
}

// keepEvidence writes what a person wants to see of a story that failed, beside its report.
func (s *story) keepEvidence(ctx context.Context) {
	var b strings.Builder
	if busy, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(&b, "load average of this machine: %s", busy)
	}
	for _, p := range s.seen.Points() {
		fmt.Fprintf(&b, "%s %s step %d stable %s canary %s requested %v confirmed %v route %d settled %v: %s\n", p.At.Format(time.StampMilli),
			p.Phase, p.Step, p.Stable, p.Canary, p.Requested, p.Confirmed, p.Route, p.Settled, p.Message)
	}
	for _, args := range [][]string{
		{"sluice", "get", "rollout", harness.Name, "-o", "wide"},
		{"get", "rollouts,analysisruns,httproutes,services,replicasets,endpointslices", "-o", "yaml"},
		{"get", "virtualservices,destinationrules,grpcroutes,tcproutes,tlsroutes", "-o", "yaml"},
		{"get", "pods", "-o", "wide"},
		{"get", "events", "--sort-by", ".metadata.creationTimestamp"},
	} {
		out, err := s.shop.Kubectl(ctx, args...)
		fmt.Fprintf(&b, "\n$ kubectl %s\n%s%s", strings.Join(args, " "), out.Stdout, out.Stderr)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	path := filepath.Join(s.shop.Cluster.Settings.Out, s.report.Story+".log")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		s.Error(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		s.Error(err)
	}
	s.Logf("evidence in %s", path)
}
