// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

const (
	own     = v1alpha1.KindAnalysisTemplate
	cluster = v1alpha1.KindClusterAnalysisTemplate
)

// withAnalysis has a canary of 25 % asked at its second step whether 50 % is affordable.
func withAnalysis(a v1alpha1.Analysis, templates ...Template) Snapshot {
	return scene(canaryOf(1, 1, 25), func(s *Snapshot) {
		c := s.Rollout.Spec.Strategy.Canary
		c.Analysis = &a
		c.Steps = []v1alpha1.Step{weightStep(25), analyzeStep(""), weightStep(50)}
		s.Templates = templates
	}, settledNow)
}

func slo() v1alpha1.Analysis {
	return v1alpha1.Analysis{Judgement: v1alpha1.Judgement{
		Preset: "Istio", Objectives: &v1alpha1.Objectives{Availability: "99.9%"},
	}}
}

// runOf is the spec of the run that a snapshot starts.
func runOf(t *testing.T, s Snapshot) v1alpha1.AnalysisRunSpec {
	t.Helper()
	for _, a := range Decide(s).Actions {
		if start, ok := a.(StartRun); ok {
			return start.Spec
		}
	}
	t.Fatal("no run is started")
	return v1alpha1.AnalysisRunSpec{}
}

func TestTheRunKnowsWhatIsMeasured(t *testing.T) {
	got := runOf(t, withAnalysis(slo()))
	want := &v1alpha1.Subject{
		Canary: v1alpha1.SubjectArm{Service: "canary", Workload: "shop-v2", Revision: "v2"},
		Stable: &v1alpha1.SubjectArm{Service: "stable", Workload: "shop-v1", Revision: "v1"},
	}
	if diff := cmp.Diff(want, got.Subject); diff != "" {
		t.Errorf("subject: -want +got:\n%s", diff)
	}
	if got.Question == nil || got.Question.NextWeight != 50 || got.Question.Step != 1 {
		t.Errorf("question %+v, want one of step 1 about 50 %%", got.Question)
	}
	if got.Preset != "Istio" || got.Objectives.Availability != "99.9%" {
		t.Errorf("judgement %+v", got.Judgement)
	}
}

// TestPlacesOfBackends: a data plane that counts by place is told the places, as
// far as they stay where they are.
func TestPlacesOfBackends(t *testing.T) {
	known := []traffic.Backend{
		{Slot: traffic.Stable, Kind: "HTTPRoute", Name: "shop", Rule: 1, Index: 0},
		{Slot: traffic.Canary, Kind: "HTTPRoute", Name: "shop", Rule: 1, Index: 1},
	}
	envoy := slo()
	envoy.Preset = v1alpha1.PresetEnvoyGateway
	place := func(index int32) []v1alpha1.SubjectBackend {
		return []v1alpha1.SubjectBackend{{Kind: "HTTPRoute", Name: "shop", Rule: 1, Index: index}}
	}
	for name, tc := range map[string]struct {
		reason         string
		analysis       v1alpha1.Analysis
		change         edit
		canary, stable []v1alpha1.SubjectBackend
	}{
		"Envoy":  {"each arm has its own", envoy, settledNow, place(1), place(0)},
		"Others": {"who counts by name needs none", slo(), settledNow, nil, nil},
		"MatchRoute": {"rules that are added move the others, and with them what their numbers mean", envoy, func(s *Snapshot) {
			c := s.Rollout.Spec.Strategy.Canary
			c.Steps = append(c.Steps, v1alpha1.Step{MatchRoute: &v1alpha1.MatchRoute{Name: "testers"}})
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := withAnalysis(tc.analysis)
			s.Traffic.Backends = known
			tc.change(&s)
			got := runOf(t, s).Subject
			if diff := cmp.Diff([][]v1alpha1.SubjectBackend{tc.canary, tc.stable}, [][]v1alpha1.SubjectBackend{got.Canary.Backends, got.Stable.Backends}); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestMovedPlaces: a rule that somebody moved makes the places of a run those of
// other backends, and nothing is promoted by them.
func TestMovedPlaces(t *testing.T) {
	at := func(rule int32) traffic.Observed {
		return traffic.Observed{Backends: []traffic.Backend{{Slot: traffic.Canary, Kind: "HTTPRoute", Name: "shop", Rule: rule, Index: 1}}}
	}
	run := v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Name: "shop-7"}}
	run.Spec.Preset = v1alpha1.PresetEnvoyGateway
	run.Spec.Subject = &v1alpha1.Subject{Canary: v1alpha1.SubjectArm{Backends: placesOf(traffic.Canary, at(0))}}
	over := run
	over.Spec.Stop = true
	moved := Problem{Field: "spec.strategy.canary.routes", Message: "a rule was moved since AnalysisRun shop-7 began, and EnvoyGateway counts requests by the rule's place; put the rules back in their order, or abort and release again"}
	for name, tc := range map[string]struct {
		reason string
		run    v1alpha1.AnalysisRun
		now    traffic.Observed
		want   []Problem
	}{
		"Moved":  {"another rule is at the place", run, at(1), []Problem{moved}},
		"Same":   {"nothing moved", run, at(0), nil},
		"Unread": {"what can't be read has not moved", run, traffic.Observed{}, nil},
		"Over":   {"a run that is over counts nothing", over, at(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, CheckPlaces(Snapshot{Runs: []v1alpha1.AnalysisRun{tc.run}, Traffic: tc.now})); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTemplatesBuildOnTemplates(t *testing.T) {
	metric := func(name string) v1alpha1.Metric {
		return v1alpha1.Metric{Name: name, Threshold: &v1alpha1.Threshold{Query: "q", Max: ptr.To("1")}}
	}
	a := v1alpha1.Analysis{
		Judgement: v1alpha1.Judgement{Objectives: &v1alpha1.Objectives{Availability: "99.95%"}},
		Metrics:   []v1alpha1.Metric{metric("own")},
		Templates: []v1alpha1.TemplateRef{{Name: "team"}, {Name: "org", Kind: cluster}},
		Args:      []v1alpha1.Arg{{Name: "token", ValueFrom: &v1alpha1.ArgSource{SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "vendor", Key: "token"}}}},
	}
	team := Template{Kind: own, Name: "team", Spec: v1alpha1.AnalysisTemplateSpec{
		Metrics: []v1alpha1.Metric{metric("team")}, Templates: []v1alpha1.TemplateRef{{Name: "org", Kind: cluster}, {Name: "team"}},
		Args: []v1alpha1.TemplateArg{{Name: "window", Value: ptr.To("1m")}},
	}}
	org := Template{Kind: cluster, Name: "org", Spec: v1alpha1.AnalysisTemplateSpec{
		Preset: "Linkerd", Metrics: []v1alpha1.Metric{metric("org")},
		Objectives: &v1alpha1.Objectives{Availability: "99%", Latency: &v1alpha1.LatencyObjectives{P99: &v1alpha1.Duration{Duration: time.Second}}},
		Args:       []v1alpha1.TemplateArg{{Name: "window", Value: ptr.To("5m")}},
	}}
	got := runOf(t, withAnalysis(a, org, team))
	var names []string
	for _, m := range got.Metrics {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"own", "team", "org"}, names); diff != "" {
		t.Errorf("metrics: each once, in the order referred to: -want +got:\n%s", diff)
	}
	if got.Preset != "Linkerd" || got.Objectives.Availability != "99.95%" || got.Objectives.Latency.P99.Duration != time.Second {
		t.Errorf("what is said first counts, and the rest is added: %+v", got.Judgement)
	}
	args := map[string]v1alpha1.ResolvedArg{}
	for _, arg := range got.Args {
		args[arg.Name] = arg
	}
	if args["window"].Value != "1m" || args["token"].SecretKeyRef == nil || args["token"].Value != "" {
		t.Errorf("args: %+v", got.Args)
	}
}

func TestCheckAnalysis(t *testing.T) {
	with := func(change func(*v1alpha1.Analysis)) v1alpha1.Analysis {
		a := slo()
		change(&a)
		return a
	}
	team := Template{Kind: own, Name: "team", Spec: v1alpha1.AnalysisTemplateSpec{
		Templates: []v1alpha1.TemplateRef{{Name: "org", Kind: cluster}}, Args: []v1alpha1.TemplateArg{{Name: "shard"}},
	}}
	tests := map[string]struct {
		reason    string
		analysis  v1alpha1.Analysis
		templates []Template
		want      []string
	}{
		"sound": {"nothing is wrong", slo(), nil, nil},
		"no such template": {
			"the reference leads nowhere", with(func(a *v1alpha1.Analysis) { a.Templates = []v1alpha1.TemplateRef{{Name: "teem"}} }), []Template{team},
			[]string{"spec.strategy.canary.analysis.templates[0].name: AnalysisTemplate teem does not exist in namespace test; create it or correct the name"},
		},
		"nor below": {
			"the template that refers to it is named", with(func(a *v1alpha1.Analysis) {
				a.Templates = []v1alpha1.TemplateRef{{Name: "team"}}
				a.Args = []v1alpha1.Arg{{Name: "shard", Value: ptr.To("1")}}
			}), []Template{team},
			[]string{"spec.strategy.canary.analysis.templates: ClusterAnalysisTemplate org does not exist in the cluster; create it or correct the name in AnalysisTemplate team"},
		},
		"no preset": {
			"nobody knows which series count", with(func(a *v1alpha1.Analysis) { a.Preset = "" }), nil,
			[]string{"spec.strategy.canary.analysis.preset: no template sets a preset, and objectives need one to know which series count requests; set it to your data plane's"},
		},
		"vetted": {
			"what can't be asked is known at rest", with(func(a *v1alpha1.Analysis) { a.Metrics = []v1alpha1.Metric{{Name: "odd"}} }), nil,
			[]string{`spec.strategy.canary.analysis: metric "odd": no kind is set; correct it there, or in the template that it is from`},
		},
	}
	vet := func(spec v1alpha1.AnalysisRunSpec) error {
		if len(spec.Metrics) > 0 && spec.Metrics[0].Name == "odd" {
			return errors.New(`metric "odd": no kind is set`)
		}
		return nil
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range CheckAnalysis(withAnalysis(tc.analysis).Rollout, tc.templates, vet) {
				got = append(got, p.Field+": "+p.Message)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestVettedAfterTheSwitch: without a preview Service what is judged is the active one's.
func TestVettedAfterTheSwitch(t *testing.T) {
	s := scene(func(s *Snapshot) {
		s.Rollout.Spec.Strategy = v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{ActiveService: "shop", PostPromotion: &v1alpha1.PostPromotion{Analysis: slo()}}}
	})
	var got []string
	CheckAnalysis(s.Rollout, nil, func(spec v1alpha1.AnalysisRunSpec) error {
		got = append(got, spec.Subject.Canary.Service)
		return nil
	})
	if diff := cmp.Diff([]string{"shop"}, got); diff != "" {
		t.Errorf("Services: -want +got:\n%s", diff)
	}
}

// TestVettedAsItRuns: what is vetted at rest has the variables of the run that is started later.
func TestVettedAsItRuns(t *testing.T) {
	a := slo()
	a.Args = []v1alpha1.Arg{{Name: "shard", Value: ptr.To("1")}, {Name: "of", ValueFrom: &v1alpha1.ArgSource{Revision: v1alpha1.RoleStable}}}
	a.DryRun = []string{"availability", "queue"}
	a.Templates = []v1alpha1.TemplateRef{{Name: "team"}}
	s := withAnalysis(a,
		Template{Kind: own, Name: "team", Spec: v1alpha1.AnalysisTemplateSpec{Templates: []v1alpha1.TemplateRef{{Name: "org", Kind: cluster}}}},
		Template{Kind: cluster, Name: "org", Spec: v1alpha1.AnalysisTemplateSpec{Metrics: []v1alpha1.Metric{{Name: "queue"}}}})
	runs := []v1alpha1.AnalysisRunSpec{runOf(t, s)}
	CheckAnalysis(s.Rollout, s.Templates, func(spec v1alpha1.AnalysisRunSpec) error {
		runs = append(runs, spec)
		return nil
	})
	if len(runs) != 2 || len(runs[1].Metrics) != 1 {
		t.Fatalf("%d runs, want one started and one vetted, with the metric of the template's template", len(runs))
	}
	for i := range runs {
		runs[i] = *runs[i].DeepCopy()
		for j := range runs[i].Args {
			runs[i].Args[j].Value = ""
		}
	}
	if diff := cmp.Diff(runs[0].Args, runs[1].Args); diff != "" {
		t.Errorf("arguments: -started +vetted:\n%s", diff)
	}
	if diff := cmp.Diff([]any{runs[0].Judgement, runs[0].Metrics, runs[0].DryRun, runs[0].Subject.Stable != nil}, []any{runs[1].Judgement, runs[1].Metrics, runs[1].DryRun, runs[1].Subject.Stable != nil}); diff != "" {
		t.Errorf("what is judged: -started +vetted:\n%s", diff)
	}
}

func TestOldRunsAreDeleted(t *testing.T) {
	s := scene(func(s *Snapshot) {
		s.Rollout.Spec.RevisionHistoryLimit = ptr.To(int32(2))
		for i, name := range []string{"shop-4", "shop-2", "shop-3"} {
			at := metav1.NewTime(noon.Add(-time.Duration(i) * time.Hour))
			s.Runs = append(s.Runs, v1alpha1.AnalysisRun{
				ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.AnalysisRunStatus{CompletedAt: &at},
			})
		}
	})
	var got []string
	for _, a := range Decide(s).Actions {
		if d, ok := a.(DeleteRun); ok {
			got = append(got, d.Name)
		}
	}
	if diff := cmp.Diff([]string{"shop-3"}, got); diff != "" {
		t.Errorf("the one that ended first: -want +got:\n%s", diff)
	}
}

// TestWhatAStepWentOnWithIsRecorded: Promote says what was known.
func TestWhatAStepWentOnWithIsRecorded(t *testing.T) {
	s := withAnalysis(slo())
	s.Rollout.Spec.Strategy.Canary.Analysis.OnInconclusive = v1alpha1.OnInconclusivePromote
	at := metav1.NewTime(noon)
	spec := runOf(t, s)
	s.Runs = []v1alpha1.AnalysisRun{{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-2", Generation: 1}, Spec: spec,
		Status: v1alpha1.AnalysisRunStatus{
			Phase: v1alpha1.AnalysisRunning, ObservedGeneration: 1,
			Answer:  &v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisInconclusive, Message: "its rate is below 4 %"},
			Metrics: []v1alpha1.MetricStatus{{Name: "availability", Verdict: v1alpha1.MetricUndecided, Evidence: &v1alpha1.MetricEvidence{LastBlockEnd: &at, Block: spec.Block}}},
		},
	}}
	st := Decide(s).Status
	if st.CurrentStep == nil || st.CurrentStep.Index != 2 || len(st.Approvals) != 1 || st.Approvals[0].Reason != "its rate is below 4 %" {
		t.Errorf("step %+v, approvals %+v; want the next step, and what it went on with", st.CurrentStep, st.Approvals)
	}
}

// answering gives the run of a snapshot an answer to the question that it is asked.
func answering(t *testing.T, s Snapshot, a v1alpha1.Answer) Snapshot {
	t.Helper()
	for _, action := range Decide(s).Actions {
		if start, ok := action.(StartRun); ok {
			run := v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Name: start.Name}, Spec: start.Spec}
			run.Status = v1alpha1.AnalysisRunStatus{Phase: v1alpha1.AnalysisRunning, Answer: &a}
			s.Runs = append(s.Runs, run)
			return s
		}
	}
	t.Fatal("no run is started")
	return s
}

// While an analysis collects evidence the Rollout says how far it is, and warns
// when the traffic can't bring it.
func TestTheRolloutSaysHowFarTheAnalysisIs(t *testing.T) {
	const words = "availability: canary 0 % bad (0/41), stable 0 % (0/360); 41 of about 200 requests, ETA 13 min"
	const few = "availability: passing takes about 200 requests, and at about 0.2 a second the canary gets 180 within maxDuration 15m; give more"
	for reason, tc := range map[string]struct {
		answer  v1alpha1.Answer
		message string
		warned  bool
	}{
		"nothing known":  {v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning}, "step 2/3: analyze: waiting for the analysis to pass", false},
		"under way":      {v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning, Message: words}, "step 2/3: analyze: waiting for the analysis to pass: " + words, false},
		"another step's": {v1alpha1.Answer{Step: 0, Verdict: v1alpha1.AnalysisRunning, Message: words, Warning: few}, "step 2/3: analyze: waiting for the analysis to pass", false},
		"too little":     {v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning, Message: words, Warning: few}, "step 2/3: analyze: waiting for the analysis to pass: " + words, true},
	} {
		status := Decide(answering(t, withAnalysis(slo()), tc.answer)).Status
		if status.Message != tc.message {
			t.Errorf("%s: message %q, want %q", reason, status.Message, tc.message)
		}
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionTrafficSuffices)
		if (c != nil) != tc.warned || c != nil && (c.Status != metav1.ConditionFalse || c.Message != few || c.Reason != v1alpha1.ReasonTooLittleTraffic) {
			t.Errorf("%s: condition %+v, want it there: %t", reason, c, tc.warned)
		}
	}
}
