// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"slices"
	"strings"
	"testing"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// told gives the words of the events with a reason, oldest first. They are about
// the Rollout as a whole: kubectl shows a part of it beside its name.
func (s *shop) told(reason string) []string {
	s.t.Helper()
	var list eventsv1.EventList
	if err := s.client.List(s.ctx, &list, client.InNamespace(s.ns)); err != nil {
		s.t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	var words []string
	for _, e := range list.Items {
		if e.Reason == reason && e.Regarding.Kind == "Rollout" && e.Regarding.Name == "shop" {
			words = append(words, e.Note)
			if e.Regarding.FieldPath != "" {
				s.t.Errorf("%s is told of %s of the Rollout", e.Reason, e.Regarding.FieldPath)
			}
		}
	}
	return words
}

// TestEachTransitionIsToldInItsOwnWords: events are an audit trail, so that
// "25 %" must not be counted as one more "5 %"; and a release stays cheap.
func TestEachTransitionIsToldInItsOwnWords(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(5), weight(25), weight(50), pause(), weight(100)))
	s.untilPhase(v1alpha1.PhaseHealthy)
	before := len(s.told("TrafficShifted"))

	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	s.command(`{"id":"1","verb":"promote","by":"ann"}`)
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v3")
	s.untilPhase(v1alpha1.PhasePaused)
	s.until("all events stored", func(*v1alpha1.Rollout) bool {
		return len(s.told("TrafficShifted")) >= before+7 && len(s.told("ReleaseStarted")) == 3
	})

	var got []string
	for _, words := range s.told("TrafficShifted")[before:] {
		split, _, _ := strings.Cut(strings.TrimPrefix(words, "shift traffic to "), ":")
		got = append(got, split)
	}
	want := []string{"stable 95 %, canary 5 %", "stable 75 %, canary 25 %", "stable 50 %, canary 50 %", "stable 0 %, canary 100 %", "stable 95 %, canary 5 %", "stable 75 %, canary 25 %", "stable 50 %, canary 50 %"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if starts := s.told("ReleaseStarted"); !strings.Contains(starts[2], s.get().Status.CanaryRevision) {
		t.Errorf("the last release to start is told as %q", starts)
	}
	if holds := s.told("Holding"); len(holds) > 0 {
		t.Errorf("nothing held the release, but events say %q", holds)
	}
}
