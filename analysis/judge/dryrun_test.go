// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"testing"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// TestDryRunOfNothing: a name with a typo leaves a metric that aborts where
// somebody believes in one that only tells.
func TestDryRunOfNothing(t *testing.T) {
	s := slo()
	s.Metrics = append(s.Metrics, threshold("queue", "", "5", 3))
	const known = "; leave it out, or write one of availability, queue"
	for name, tc := range map[string]struct {
		reason  string
		entries []string
		want    string
	}{
		"own":           {"a metric of the spec", []string{"queue"}, ""},
		"objective":     {"an objective is a metric too", []string{"availability"}, ""},
		"rest":          {"a * matches the rest", []string{"que*"}, ""},
		"all":           {"whatever there is", []string{"*"}, ""},
		"typo":          {"nothing has that name", []string{"queue", "availabilty"}, `dryRun: no metric has the name "availabilty"` + known},
		"typo and rest": {"nor does anything begin so", []string{"latency-*"}, `dryRun: no metric has the name "latency-*"` + known},
		"beginning":     {"without a * it is the whole name", []string{"que"}, `dryRun: no metric has the name "que"` + known},
		"empty":         {"that is no name", []string{""}, `dryRun: no metric has the name ""` + known},
	} {
		t.Run(name, func(t *testing.T) {
			s.DryRun = tc.entries
			got := ""
			if err := Check(s); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
			}
			if st := Run(Input{Spec: s, Now: start}); (st.Phase == v1alpha1.AnalysisError) != (tc.want != "") {
				t.Errorf("%s: the run is in phase %s: %s", tc.reason, st.Phase, st.Message)
			}
		})
	}
}
