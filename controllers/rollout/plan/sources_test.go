// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

func token(secret string) v1alpha1.Arg {
	return v1alpha1.Arg{Name: "token", ValueFrom: &v1alpha1.ArgSource{SecretKeyRef: &v1alpha1.SecretKeyRef{Name: secret, Key: "token"}}}
}

func server(address, secret string) *v1alpha1.Prometheus {
	p := &v1alpha1.Prometheus{Address: address}
	if secret != "" {
		p.Bearer = &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: "token"}}
	}
	return p
}

// TestARunFollowsWhomItAsks: what an analysis says of its servers reaches the
// run of the release under way; what is judged does not, and the Rollout says so.
func TestARunFollowsWhomItAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		change func(*v1alpha1.Analysis)
		want   *Sources
		words  string
	}{
		"nothing": {"equal specs cause no write", func(*v1alpha1.Analysis) {}, nil, ""},
		"address": {"the old server may be gone", func(a *v1alpha1.Analysis) { a.Prometheus = server("http://new:9090", "old") },
			&Sources{Prometheus: server("http://new:9090", "old")}, ""},
		"secret": {"the old token may have been withdrawn", func(a *v1alpha1.Analysis) { a.Prometheus = server("http://old:9090", "new") },
			&Sources{Prometheus: server("http://old:9090", "new")}, ""},
		"no server": {"then the controller's own is asked", func(a *v1alpha1.Analysis) { a.Prometheus = nil }, &Sources{}, ""},
		"no answer": {"what no answer leads to is no evidence", func(a *v1alpha1.Analysis) {
			a.OnNoData, a.NoDataTimeout = v1alpha1.OnNoDataIgnore, &v1alpha1.Duration{Duration: time.Minute}
		}, &Sources{Prometheus: server("http://old:9090", "old"), OnNoData: v1alpha1.OnNoDataIgnore, NoDataTimeout: v1alpha1.Duration{Duration: time.Minute}}, ""},
		"query": {"evidence for one query is none for another", func(a *v1alpha1.Analysis) { a.Metrics[0].Threshold.Query = "other" }, nil,
			"this release is judged by the metrics that it began with, not by what spec.strategy.canary.analysis says now: to have that, abort and retry"},
		"objective": {"evidence for one objective is none for another", func(a *v1alpha1.Analysis) { a.Objectives.Availability = "99%" }, nil, "judged by the objectives that it began with"},
		"argument":  {"it fills a query in", func(a *v1alpha1.Analysis) { a.Args[0] = v1alpha1.Arg{Name: "shard", Value: ptr.To("2")} }, nil, "judged by the args that it began with"},
	} {
		t.Run(name, func(t *testing.T) {
			a := slo()
			a.Prometheus, a.Metrics = server("http://old:9090", "old"), []v1alpha1.Metric{{Name: "errors", Threshold: &v1alpha1.Threshold{Query: "q", Max: ptr.To("1")}}}
			a.Args = []v1alpha1.Arg{{Name: "shard", Value: ptr.To("1")}, token("old")}
			s := answering(t, withAnalysis(a), v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning})
			s.Runs[0].Spec = *s.Runs[0].Spec.DeepCopy()
			tc.change(s.Rollout.Spec.Strategy.Canary.Analysis)
			p := Decide(s)
			var got *Sources
			for _, action := range p.Actions {
				if r, ok := action.(RedirectRun); ok {
					got = &r.Sources
				}
			}
			if tc.want != nil {
				before := SourcesOf(s.Runs[0].Spec)
				tc.want.Args = before.Args
				if tc.want.OnNoData == "" {
					tc.want.OnNoData, tc.want.NoDataTimeout = before.OnNoData, before.NoDataTimeout
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
			healthy := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionAnalysisHealthy)
			if said := strings.Contains(healthy.Message, "judged by"); !strings.Contains(healthy.Message, tc.words) || said != (tc.words != "") {
				t.Errorf("%s: condition says %q, want %q", tc.reason, healthy.Message, tc.words)
			}
			if got == nil {
				return
			}
			got.Into(&s.Runs[0].Spec)
			for _, action := range Decide(s).Actions {
				if r, ok := action.(RedirectRun); ok {
					t.Errorf("redirected once more: %+v", r)
				}
			}
		})
	}
}

// TestASecretArgumentFollows: it is what lets the run in.
func TestASecretArgumentFollows(t *testing.T) {
	a := slo()
	a.Args = []v1alpha1.Arg{token("old")}
	s := answering(t, withAnalysis(a), v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning})
	s.Rollout.Spec.Strategy.Canary.Analysis.Args[0] = token("new")
	for _, action := range Decide(s).Actions {
		if r, ok := action.(RedirectRun); ok {
			for _, arg := range r.Sources.Args {
				if arg.Name == "token" && arg.SecretKeyRef.Name == "new" {
					return
				}
			}
		}
	}
	t.Error("the run goes on with the Secret of before")
}
