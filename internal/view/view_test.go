// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

func ptr[T any](v T) *T { return &v }

func span10m() *v1alpha1.Duration { return &v1alpha1.Duration{Duration: 10 * time.Minute} }

func TestDescribeStep(t *testing.T) {
	cases := map[string]struct {
		reason string
		step   v1alpha1.Step
		want   string
	}{
		"SetWeight":      {"A weight is in percent.", v1alpha1.Step{SetWeight: ptr(int32(25))}, "set weight 25 %"},
		"PauseFor":       {"Durations are written as people do.", v1alpha1.Step{Pause: &v1alpha1.Pause{For: span10m()}}, "pause 10m"},
		"PauseForHours":  {"So are hours.", v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: 2 * time.Hour}}}, "pause 2h"},
		"PauseForMixed":  {"Nothing is cut off.", v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: 80*time.Minute + 10*time.Second}}}, "pause 1h20m10s"},
		"Pause":          {"A pause without an end needs a person.", v1alpha1.Step{Pause: &v1alpha1.Pause{}}, "pause until promoted"},
		"AnalyzeDefault": {"The default bound is shown.", v1alpha1.Step{Analyze: &v1alpha1.Analyze{}}, "analyze up to 15m"},
		"Analyze": {"Both bounds and the end are shown.", v1alpha1.Step{Analyze: &v1alpha1.Analyze{
			MinDuration: &v1alpha1.Duration{Duration: 30 * time.Second}, MaxDuration: span10m(), OnInconclusive: v1alpha1.OnInconclusiveAbort,
		}}, "analyze 30s to 10m, abort if inconclusive"},
		"Unknown": {"A newer API does not break an older plugin.", v1alpha1.Step{}, "unknown step: this version of the plugin does not know its kind"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, DescribeStep(plan.Step{Step: tc.step})); diff != "" {
				t.Errorf("%s\nDescribeStep(…): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestProgressOf(t *testing.T) {
	workload := v1alpha1.RolloutSpec{WorkloadRef: &v1alpha1.WorkloadRef{Kind: "Deployment", Name: "web"}}
	cases := map[string]struct {
		reason string
		r      v1alpha1.Rollout
		wanted string
		want   Standing
	}{
		"Promoted": {
			reason: "Healthy for the newest spec is promoted.",
			r:      v1alpha1.Rollout{Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseHealthy}},
			want:   StandingPromoted,
		},
		"StaleHealthy": {
			reason: "Healthy for an older spec proves nothing.",
			r: v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Generation: 2},
				Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseHealthy}},
			want: StandingUnderway,
		},
		"StaleDegraded": {
			reason: "Degraded for an older spec proves nothing: the newer one may mend it.",
			r: v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Generation: 2},
				Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseDegraded}},
			want: StandingUnderway,
		},
		"WorkloadUnseen": {
			reason: "A changed Deployment does not raise the Rollout's generation.",
			r:      v1alpha1.Rollout{Spec: workload, Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseHealthy, ObservedTemplate: "a"}},
			wanted: "b",
			want:   StandingUnderway,
		},
		"WorkloadPromoted": {
			reason: "Healthy for the Deployment's newest template is promoted, whatever undo or trackConfig made of it.",
			r:      v1alpha1.Rollout{Spec: workload, Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseHealthy, ObservedTemplate: "b"}},
			wanted: "b",
			want:   StandingPromoted,
		},
		"WorkloadMended": {
			reason: "An abort of another template than the one wanted now is history.",
			r: v1alpha1.Rollout{Spec: workload, Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseDegraded,
				ObservedTemplate: "bad"}},
			wanted: "a",
			want:   StandingUnderway,
		},
		"WorkloadAborted": {
			reason: "An abort of the wanted template is failure.",
			r: v1alpha1.Rollout{Spec: workload, Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseDegraded,
				ObservedTemplate: "bad"}},
			wanted: "bad",
			want:   StandingFailed,
		},
		"Aborting": {
			reason: "While traffic returns the abort is not over.",
			r:      v1alpha1.Rollout{Status: v1alpha1.RolloutStatus{ObservedGeneration: 1, Phase: v1alpha1.PhaseAborting}},
			want:   StandingAborting,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ProgressOf(&tc.r, tc.wanted).Standing); diff != "" {
				t.Errorf("%s\nProgressOf(…): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWeights(t *testing.T) {
	type want struct{ requested, confirmed *int32 }
	cases := map[string]struct {
		reason   string
		traffic  *Traffic
		revision string
		want     want
	}{
		"Unknown": {reason: "Without a split nothing is known.", revision: "a"},
		"Unconfirmed": {
			reason:   "One unknown share makes every confirmed weight unknown.",
			traffic:  &Traffic{Shares: []Share{{Revision: "a", Requested: 75, Confirmed: ptr(int32(95))}, {Revision: "b", Requested: 25}}},
			revision: "a", want: want{requested: ptr(int32(75))},
		},
		"Promoting": {
			reason: "While a canary is promoted both Services stand for it.",
			traffic: &Traffic{Shares: []Share{{Revision: "b", Requested: 100, Confirmed: ptr(int32(0))},
				{Revision: "b", Requested: 0, Confirmed: ptr(int32(100))}}},
			revision: "b", want: want{ptr(int32(100)), ptr(int32(100))},
		},
		"None": {
			reason:   "A revision behind no Service gets nothing.",
			traffic:  &Traffic{Shares: []Share{{Revision: "b", Requested: 100, Confirmed: ptr(int32(100))}}},
			revision: "a", want: want{ptr(int32(0)), ptr(int32(0))},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			requested, confirmed := tc.traffic.weights(tc.revision)
			if diff := cmp.Diff(tc.want, want{requested, confirmed}, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s\nweights(%s): -want, +got:\n%s", tc.reason, tc.revision, diff)
			}
		})
	}
}

// TestTrafficWithoutServices looks at shares that the number of pods makes: nothing but the revision tells them apart.
func TestTrafficWithoutServices(t *testing.T) {
	shares := func(stable, canary int32) []v1alpha1.RevisionWeight {
		return []v1alpha1.RevisionWeight{{Revision: "a", Weight: stable}, {Revision: "b", Weight: canary}}
	}
	got := trafficOf(&v1alpha1.TrafficStatus{Requested: shares(75, 25), Confirmed: shares(80, 20), ConfirmedBy: v1alpha1.EvidencePods})
	want := []Share{{Revision: "a", Requested: 75, Confirmed: ptr(int32(80))}, {Revision: "b", Requested: 25, Confirmed: ptr(int32(20))}}
	if diff := cmp.Diff(want, got.Shares); diff != "" {
		t.Errorf("trafficOf(…): -want, +got:\n%s", diff)
	}
}

// TestBuildForeign hands in what other Rollouts own.
func TestBuildForeign(t *testing.T) {
	r := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "ours"},
		Status: v1alpha1.RolloutStatus{CanaryRevision: "a"}}
	rs := func(namespace, uid string) appsv1.ReplicaSet {
		return appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-a",
			Labels:          map[string]string{v1alpha1.RolloutLabel: "web", v1alpha1.RevisionLabel: "a"},
			OwnerReferences: []metav1.OwnerReference{{UID: r.UID, Controller: ptr(uid == "ours")}}}}
	}
	run := v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other-1",
		Labels: map[string]string{v1alpha1.RolloutLabel: "other", v1alpha1.RevisionLabel: "a"}}}
	got := Build(Objects{Rollout: r, ReplicaSets: []appsv1.ReplicaSet{rs("shop", "foreign"), rs("else", "ours")}, Runs: []v1alpha1.AnalysisRun{run}})
	if len(got.Revisions) != 0 || got.Analysis != nil {
		t.Errorf("Build(…) shows what belongs to others: %+v, %+v", got.Revisions, got.Analysis)
	}
}

// TestBuildRevisionOrder looks at an order that does not depend on the order of reading.
func TestBuildRevisionOrder(t *testing.T) {
	r := &v1alpha1.Rollout{Status: v1alpha1.RolloutStatus{Revisions: []v1alpha1.RevisionStatus{
		{Hash: "old", Number: 1, Role: v1alpha1.RoleRetired}, {Hash: "stable", Number: 3, Role: v1alpha1.RoleStable},
		{Hash: "older", Number: 2, Role: v1alpha1.RoleRetired}, {Hash: "canary", Number: 4, Role: v1alpha1.RoleCanary},
	}}}
	var got []string
	for _, revision := range Build(Objects{Rollout: r}).Revisions {
		got = append(got, revision.Hash)
	}
	if diff := cmp.Diff([]string{"canary", "stable", "older", "old"}, got); diff != "" {
		t.Errorf("Build(…) orders revisions: -want, +got:\n%s", diff)
	}
}

// TestTreeJSON holds that a dashboard can read back what the view wrote.
func TestTreeJSON(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Local())
	r := &v1alpha1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "web", CreationTimestamp: at},
		Status: v1alpha1.RolloutStatus{StartedAt: &at, Abort: &v1alpha1.AbortStatus{Revision: "a", At: at}}}
	want := Build(Objects{Now: at.Time, Rollout: r})
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Tree
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Tree through JSON: -want, +got:\n%s", diff)
	}
}
