// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

func baselineStep(replicas, weight int32) v1alpha1.Step {
	return v1alpha1.Step{Baseline: &v1alpha1.Baseline{Replicas: replicas, Weight: weight}}
}

// TestEachControlHasItsOwnRun: which AnalysisRun speaks at which step, so that
// the evidence of one control never counts for another.
func TestEachControlHasItsOwnRun(t *testing.T) {
	cases := map[string]struct {
		reason string
		steps  []v1alpha1.Step
		want   []string
	}{
		"None":    {"a strategy without a baseline has one run", []v1alpha1.Step{weightStep(5), weightStep(50)}, []string{"shop-3", "shop-3"}},
		"Begins":  {"it is compared with from when it is in place", []v1alpha1.Step{weightStep(5), baselineStep(1, 5), weightStep(50)}, []string{"shop-3", "shop-3", "shop-3-b2"}},
		"Grows":   {"more of the same pods are the same control", []v1alpha1.Step{baselineStep(1, 5), baselineStep(2, 20), weightStep(50)}, []string{"shop-3", "shop-3-b1", "shop-3-b1"}},
		"Ends":    {"and no more from when it is to go", []v1alpha1.Step{baselineStep(1, 5), baselineStep(0, 0), weightStep(50)}, []string{"shop-3", "shop-3-s2", "shop-3-s2"}},
		"Again":   {"another one begins anew", []v1alpha1.Step{baselineStep(1, 5), baselineStep(0, 0), baselineStep(1, 5), weightStep(50)}, []string{"shop-3", "shop-3-s2", "shop-3-s2", "shop-3-b3"}},
		"EndsNot": {"what never began does not end", []v1alpha1.Step{baselineStep(0, 0), weightStep(50)}, []string{"shop-3", "shop-3"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			spec := v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: tc.steps}}}
			for _, step := range Steps(spec) {
				got = append(got, step.Run("shop", 3))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want, +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCanaryAndBaselineShareOneHundred(t *testing.T) {
	cases := map[string]struct {
		reason string
		steps  []v1alpha1.Step
		want   string
	}{
		"Fits":        {reason: "all for the two of them is possible", steps: []v1alpha1.Step{baselineStep(2, 40), weightStep(60)}},
		"Ended":       {reason: "what has ended takes no room", steps: []v1alpha1.Step{baselineStep(2, 40), weightStep(60), baselineStep(0, 0), weightStep(80)}},
		"Promotion":   {reason: "the promotion ends it", steps: []v1alpha1.Step{baselineStep(2, 40), weightStep(60), weightStep(100)}},
		"ByWeight":    {reason: "the later of the two is named", steps: []v1alpha1.Step{baselineStep(2, 40), weightStep(61), weightStep(20)}, want: "spec.strategy.canary.steps[1]"},
		"ByBaseline":  {reason: "whichever that is", steps: []v1alpha1.Step{weightStep(61), baselineStep(2, 40)}, want: "spec.strategy.canary.steps[1]"},
		"NotYetAtEnd": {reason: "all traffic in mid-release is no promotion", steps: []v1alpha1.Step{baselineStep(2, 40), weightStep(100), weightStep(20)}, want: "spec.strategy.canary.steps[1]"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := facts{&said{strategy: strategyOf(v1alpha1.RolloutSpec{Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: tc.steps}}})}}
			field := ""
			for _, p := range overfull(f) {
				field = p.Field
				if !strings.Contains(p.Message, "baseline: {replicas: 0}") {
					t.Errorf("%q has no remedy", p.Message)
				}
			}
			if field != tc.want {
				t.Errorf("%s: problem with %q, want %q", tc.reason, field, tc.want)
			}
		})
	}
}

func TestBaselineOf(t *testing.T) {
	for revision, want := range map[string]string{"bcdfghjklm": "", "bcdfghjklm-b12": "bcdfghjklm", "": ""} {
		stable, is := BaselineOf(revision)
		if is != (want != "") || is && stable != want || !is && stable != revision {
			t.Errorf("BaselineOf(%q) = %q, %t", revision, stable, is)
		}
	}
}

// TestNobodyKnowsSinceWhenTheBaselineIsListed: a controller that starts anew finds
// that the baseline gets a share, and no word of since when its pods are listed.
func TestNobodyKnowsSinceWhenTheBaselineIsListed(t *testing.T) {
	split := traffic.Split{Stable: 80, Canary: 10, Baseline: 10}
	shrunk := func(s *Snapshot) { // by another release's baseline, with stable at what its share needs
		s.Rollout.Spec.Replicas = ptr.To(int32(6))
		s.Rollout.Spec.Strategy.Canary.ScaleStable = v1alpha1.ScaleStableDynamic
		s.Revisions = []Revision{revision("v1", 1, 5), revision("v2", 2, 1), revision("v1-b1", 0, 1)}
		s.StableService, s.BaselineService = service("stable", "v1", 5), service("shop-baseline", "v1-b1", 1)
		s.Traffic = carried(split)
	}
	cases := map[string]struct {
		reason  string
		watched time.Duration
		want    int32
	}{
		"Watched":    {"pods that came up before our eyes are known to no data plane yet, so stable gets what is lost", time.Hour, 0},
		"ForEver":    {"so are those of one who has always watched", 0, 0},
		"StartsAnew": {"who has just begun to watch leaves them what stable can't carry", time.Second / 2, 7},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := scene(inSteps(weightStep(10), baselineStep(1, 10)), canaryOf(0, 1, 10), shrunk, settledNow)
			tr := s.Rollout.Status.Traffic
			tr.Endpoints = slices.DeleteFunc(tr.Endpoints, func(e v1alpha1.ServiceEndpoints) bool { return e.Service == "shop-baseline" })
			if tc.watched > 0 {
				s.Watched = s.Now.Add(-tc.watched)
			}
			got := int32(-1)
			for _, a := range Decide(s).Actions {
				if shift, ok := a.(ShiftTraffic); ok {
					got = shift.Split.Baseline
				}
			}
			if got == -1 {
				got = split.Baseline
			}
			if got != tc.want {
				t.Errorf("%s: the baseline gets %d %%, want %d %%", tc.reason, got, tc.want)
			}
		})
	}
}

// TestAFormerBaselineThatAServiceMayReach: a Service that came back without a revision
// reaches the pods of a former baseline as soon as they are ready, whatever it lists now.
func TestAFormerBaselineThatAServiceMayReach(t *testing.T) {
	for name, tc := range map[string]struct {
		stable, canary string
		goes           bool
	}{
		"ReachedByNobody":      {"v1", "v2", true},
		"BehindTheCanarysWide": {"v1", "", false},
		"BehindStablesWide":    {"", "v2", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene(inSteps(weightStep(0), pauseStep()), canaryOf(0, 1, 0), settledNow, func(s *Snapshot) {
				s.Revisions = append(s.Revisions, revision("v1-b1", 0, 2))
				s.StableService.Selects, s.CanaryService.Selects = tc.stable, tc.canary
			})
			got := slices.ContainsFunc(Decide(s).Actions, func(a Action) bool {
				scale, ok := a.(ScaleRevision)
				return ok && scale.Name == revision("v1-b1", 0, 2).Name && scale.Replicas == 0
			})
			if got != tc.goes {
				t.Errorf("its pods go: %t, want %t; actions %v", got, tc.goes, Decide(s).Actions)
			}
		})
	}
}
