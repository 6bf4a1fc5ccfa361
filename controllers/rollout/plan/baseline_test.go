// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
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
