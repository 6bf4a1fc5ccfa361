// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// places says where the routes name the Services, for a data plane that counts by
// place. It says nothing when a step is a matchRoute, which moves rules in mid-release,
// or when there is a cookie, which adds rules for the same Services: no data is better
// than another backend's.
func places(s *v1alpha1.Subject, f facts) {
	if f.strategy.sticky != nil || slices.ContainsFunc(f.strategy.steps, func(st Step) bool { return st.MatchRoute != nil }) {
		return
	}
	s.Canary.Backends = placesOf(traffic.Canary, f.Traffic)
	if s.Stable != nil {
		s.Stable.Backends = placesOf(traffic.Stable, f.Traffic)
	}
}

func placesOf(slot traffic.Slot, o traffic.Observed) []v1alpha1.SubjectBackend {
	var all []v1alpha1.SubjectBackend
	for _, b := range o.Backends {
		if b.Slot == slot {
			all = append(all, v1alpha1.SubjectBackend{Kind: b.Kind, Name: b.Name, Rule: b.Rule, Index: b.Index})
		}
	}
	return all
}

// CheckPlaces finds analyses that count by places at which other backends are by
// now, because somebody moved a rule of a route.
func CheckPlaces(s Snapshot) []Problem {
	if len(s.Traffic.Backends) == 0 {
		return nil
	}
	for i := range s.Runs {
		run := &s.Runs[i]
		of := run.Spec.Subject
		if of == nil || len(of.Canary.Backends) == 0 || run.Spec.Stop || run.Status.CompletedAt != nil {
			continue
		}
		if slices.Equal(of.Canary.Backends, placesOf(traffic.Canary, s.Traffic)) &&
			(of.Stable == nil || slices.Equal(of.Stable.Backends, placesOf(traffic.Stable, s.Traffic))) {
			continue
		}
		return []Problem{{Field: "spec.strategy.canary.routes", Message: fmt.Sprintf(
			"a rule was moved since AnalysisRun %s began, and %s counts requests by the rule's place; put the rules back in their order, or abort and release again", run.Name, run.Spec.Preset)}}
	}
	return nil
}
