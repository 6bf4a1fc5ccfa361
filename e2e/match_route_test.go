// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryMatchRoute: those who send a header meet the canary, all of them and
// nobody else, while its weight is 0. After an abort and after a promotion the
// route is as the user wrote it.
func TestStoryMatchRoute(t *testing.T) {
	t.Parallel()
	s := tell(t, "match-route")
	s.open(harness.Steps(testers(), harness.Pause()))
	before := s.routeSpec()
	header, err := s.shop.LoadWith(http.Header{"X-Canary": {"1"}}, rate, longest)
	s.must(err)
	s.testers = header
	header.Start(context.WithoutCancel(t.Context()))

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.apart("v1", "v2")
	if s.routeSpec() == before {
		t.Error("the route has no rule for those with the header, while they meet the canary")
	}
	s.plugin(0, "abort", harness.Name)
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.apart("v1", "v1")
	s.traceless(before)

	generation = s.release(harness.Version("v3"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.apart("v1", "v3")
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.apart("v3", "v3")
	s.traceless(before)
}

func testers() v1alpha1.Step {
	return v1alpha1.Step{MatchRoute: &v1alpha1.MatchRoute{
		Name: "testers", Match: []v1alpha1.RequestMatch{{Headers: []v1alpha1.ValueMatch{{Name: "X-Canary", Exact: ptr.To("1")}}}},
	}}
}

func (s *story) routeSpec() string {
	s.Helper()
	spec, err := s.shop.RouteSpec(s.Context())
	s.must(err)
	return spec
}

// traceless fails the story unless the route is, byte for byte, what it was.
func (s *story) traceless(before string) {
	s.Helper()
	if diff := cmp.Diff(before, s.routeSpec()); diff != "" {
		s.Errorf("the route is not as the user wrote it (-before +now):\n%s", diff)
	}
}

// apart waits until requests without and with the header meet one version
// each, and fails the story if one of the next few hundred meets another.
func (s *story) apart(without, with string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	// The gateway acts a little after it has accepted the rule, as the shares' windows allow for too.
	from := time.Now().Add(2 * time.Second)
	s.must(harness.Poll(ctx, fmt.Sprintf("%d requests of either sort", harness.MinRequests), func(context.Context) (bool, string, error) {
		n, m := s.traffic.History().Count(from, time.Now()).Requests, s.testers.History().Count(from, time.Now()).Requests
		return min(n, m) >= harness.MinRequests, fmt.Sprintf("%d and %d", n, m), nil
	}))
	to := time.Now()
	for version, got := range map[string]map[string]int{
		without:                   s.traffic.History().Count(from, to).ByVersion,
		with + " with the header": s.testers.History().Count(from, to).ByVersion,
	} {
		s.report.Notes = append(s.report.Notes, fmt.Sprintf("want all at %s: %v", version, got))
		if len(got) != 1 {
			s.Errorf("requests met %v, want all of them to meet %s", got, version)
		}
	}
	if got := s.testers.History().Count(from, to).ByVersion[with]; got == 0 {
		s.Errorf("nobody with the header met %s", with)
	}
	if got := s.traffic.History().Count(from, to).ByVersion[without]; got == 0 {
		s.Errorf("nobody without the header met %s", without)
	}
}
