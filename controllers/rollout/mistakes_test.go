// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// answers is a server that says the same to everybody.
func answers(t *testing.T, contentType, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestNothingIsPromotedByAMistake: what is wrong with an analysis is said in one
// condition, with the remedy, and nothing is promoted meanwhile.
func TestNothingIsPromotedByAMistake(t *testing.T) {
	t.Parallel()
	const (
		unhealthy = v1alpha1.ConditionAnalysisHealthy
		invalid   = v1alpha1.ConditionSpecValid
		nothing   = `{"status":"success","data":{"resultType":"vector","result":[]}}`
	)
	metric := func(total string) []v1alpha1.Metric {
		return []v1alpha1.Metric{{Name: "errors", Objective: "99%", Proportion: &v1alpha1.Proportion{Total: total, Bad: `requests_total{arm="$(arm)",code="500"}`}}}
	}
	for name, tc := range map[string]struct {
		reason    string
		change    func(*v1alpha1.Analysis)
		condition string
		says      []string
	}{
		"MetricDoesNotParse": {"a typo in a metric", func(a *v1alpha1.Analysis) { a.Metrics = metric(`requests_total{arm="$(arm)"`) }, invalid,
			[]string{`metric "errors"`, "is not PromQL"}},
		"MetricOfNoSeries": {"a typo in the name of a metric", func(a *v1alpha1.Analysis) { a.Metrics = metric(`reqests_total{arm="$(arm)"}`) }, unhealthy,
			[]string{"errors", "NoSeries", "the canary has no series", "check that it is scraped"}},
		"UnknownVariable": {"a typo in a variable", func(a *v1alpha1.Analysis) { a.Metrics = metric(`requests_total{arm="$(arn)"}`) }, invalid,
			[]string{`metric "errors": proportion.total`, "$(arn) is unknown; known are $(arm)"}},
		"DryRunOfNothing": {"a typo in a name that dryRun lists", func(a *v1alpha1.Analysis) { a.DryRun = []string{"erors"} }, invalid,
			[]string{"spec.strategy.canary.analysis", `dryRun: no metric has the name "erors"`, "errors"}},
		"NoTemplate": {"a template that does not exist", func(a *v1alpha1.Analysis) { a.Templates = []v1alpha1.TemplateRef{{Name: "http-slo"}} }, invalid,
			[]string{"spec.strategy.canary.analysis.templates[0].name", "AnalysisTemplate http-slo does not exist", "create it"}},
		"NoSecret": {"a Secret that is missing", func(a *v1alpha1.Analysis) {
			a.Prometheus.Bearer = &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.SecretKeyRef{Name: "token", Key: "token"}}
		}, unhealthy, []string{"there is no Secret token", "create it"}},
		"NotAllowed": {"an address that is not allowed", func(a *v1alpha1.Analysis) { a.Prometheus.Address = "http://metadata.example:80" }, unhealthy,
			[]string{"metadata.example:80 may not be asked", "--analysis-allowed-hosts"}},
		"HTML": {"a login page in place of JSON", func(a *v1alpha1.Analysis) {
			a.Prometheus.Address = answers(t, "text/html", "<html>please log in</html>")
		}, unhealthy, []string{"errors", "check the address"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			startWith(t, testenv.Start(t), s.ns, func(p *controllers.Parts) { p.AnalysisHosts = []string{"127.0.0.1"} })
			s.create(s.rollout())
			stable := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
			promoted := s.always(func(context.Context) string {
				if _, canary := s.weights(); canary > 25 {
					return fmt.Sprintf("%s: the canary gets %d %%", tc.reason, canary)
				}
				return ""
			})
			s.patch(func(ro *v1alpha1.Rollout) {
				ro.Spec.Template = podTemplate("shop:v2")
				a := &v1alpha1.Analysis{
					Prometheus: &v1alpha1.Prometheus{Address: answers(t, "application/json", nothing)}, Metrics: metric(`requests_total{arm="$(arm)"}`),
					Judgement: v1alpha1.Judgement{Settle: seconds(1), Noise: "1"}, Block: seconds(1), WarmUp: &v1alpha1.Duration{}, NoDataTimeout: ptr.To(v1alpha1.Duration{Duration: time.Second}),
				}
				tc.change(a)
				ro.Spec.Strategy.Canary.Analysis = a
				ro.Spec.Strategy.Canary.Steps = []v1alpha1.Step{weight(25), analyze(), weight(50)}
			})
			said := s.until(strings.Join(tc.says, ", "), func(ro *v1alpha1.Rollout) bool {
				c := meta.FindStatusCondition(ro.Status.Conditions, tc.condition)
				return c != nil && c.Status == metav1.ConditionFalse && contains(c.Message, tc.says) && contains(ro.Status.Message, tc.says)
			})
			promoted()
			if said.Status.StableRevision != stable || said.Status.Phase == v1alpha1.PhaseHealthy || said.Status.Abort != nil {
				t.Errorf("%s: phase %s, stable %s, abort %+v; want %s to stay stable", tc.reason, said.Status.Phase, said.Status.StableRevision, said.Status.Abort, stable)
			}
			t.Log(said.Status.Message)
		})
	}
}

func contains(text string, phrases []string) bool {
	for _, phrase := range phrases {
		if !strings.Contains(text, phrase) {
			return false
		}
	}
	return true
}

// TestAbortBesideMetadataThatIsRefused: an abort comes within seconds although
// each pass has something to write that the API server does not take.
func TestAbortBesideMetadataThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason, condition, says string
		metadata                v1alpha1.PodMetadata
	}{
		"Label": {"a slip that the planner finds", v1alpha1.ConditionSpecValid, "stableMetadata.labels",
			v1alpha1.PodMetadata{Labels: map[string]string{"team": "shop & cart"}}},
		"Annotation": {"more than a pod can carry, which only the API server finds", v1alpha1.ConditionApplied, "Too long",
			v1alpha1.PodMetadata{Annotations: map[string]string{"example.com/long": strings.Repeat("x", 270_000)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := opened(t, nil, weight(50), pause())
			s.release("shop:v2")
			s.atStep(1)
			s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.StableMetadata = &tc.metadata })
			s.until(tc.reason+" is told", func(ro *v1alpha1.Rollout) bool {
				c := meta.FindStatusCondition(ro.Status.Conditions, tc.condition)
				return c != nil && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, tc.says)
			})
			s.say(v1alpha1.VerbAbort)
			s.within(10*time.Second, "no traffic for the canary", func(*v1alpha1.Rollout) bool {
				_, canary := s.weights()
				return canary == 0
			})
		})
	}
}
