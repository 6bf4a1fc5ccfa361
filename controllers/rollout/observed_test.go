// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// requests answers the queries of blocks: 5000 requests, none of them bad, of
// which the canary got as many percent as are served.
func (s *shop) requests(served *atomic.Int64) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, value := r.FormValue("query"), int64(0)
		switch percent := served.Load(); {
		case strings.Contains(query, `code="500"`), strings.HasPrefix(query, "quantile("):
		case strings.Contains(query, `arm="canary"`):
			value = 50 * percent
		default:
			value = 50 * (100 - percent)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"%d"]}]}}`, value)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// TestRequestsTellOfIstio: a mesh that ignores the VirtualService holds the
// release with the figures, and one that follows is confirmed by its requests.
func TestRequestsTellOfIstio(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	var served atomic.Int64
	over := v1alpha1.Step{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: 8 * time.Second}}}
	ro := s.subsets(weight(25), over, weight(50), pause())
	canary := ro.Spec.Strategy.Canary
	canary.Convergence.Timeout = &v1alpha1.Duration{Duration: 10 * time.Second}
	canary.Analysis = &v1alpha1.Analysis{
		Judgement:  v1alpha1.Judgement{Noise: "1", Settle: &v1alpha1.Duration{Duration: time.Second}},
		Prometheus: &v1alpha1.Prometheus{Address: s.requests(&served)},
		Block:      &v1alpha1.Duration{Duration: time.Second}, WarmUp: &v1alpha1.Duration{},
		Metrics: []v1alpha1.Metric{{Name: "errors", Objective: "99%", Proportion: &v1alpha1.Proportion{
			Total: `requests_total{arm="$(arm)"}`, Bad: `requests_total{arm="$(arm)",code="500"}`,
		}}},
	}
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	s.release("shop:v2")
	held := s.until("held by requests", func(ro *v1alpha1.Rollout) bool {
		ready := apimeta.FindStatusCondition(ro.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == v1alpha1.ReasonTrafficNotObserved
	})
	second := held.Status.CanaryRevision
	if held.Status.Phase != v1alpha1.PhaseHolding || held.Status.CurrentStep.Index != 1 || len(held.Status.Traffic.Confirmed) > 0 ||
		!strings.Contains(held.Status.Message, "the routes give the canary 25 %, but metric errors saw it get 0 % of ") {
		t.Errorf("at step %d, confirmed %v, %s: %s", held.Status.CurrentStep.Index, held.Status.Traffic.Confirmed, held.Status.Phase, held.Status.Message)
	}
	s.carries("while it is held", mesh{75, 25, first, second})

	served.Store(50) // twice as much as at 25 % is within what is tolerated
	s.until("the next weight, and requests since", func(ro *v1alpha1.Rollout) bool {
		at := ro.Status.Traffic.AcceptedAt
		if ro.Status.CurrentStep.Index != 3 || at == nil || s.mesh().Canary != 50 {
			return false
		}
		last := s.run(ro).Status.Metrics[0].Evidence.LastBlockEnd
		return last.After(at.Add(3 * time.Second))
	})
	s.command(`{"id": "a", "verb": "pause", "by": "jane"}`) // which takes along what waits to be written
	seen := s.until("confirmed by requests", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Traffic.ConfirmedBy == v1alpha1.EvidenceObservedShare
	}).Status.Traffic
	if diff := cmp.Diff([2]string{"errors", "50%"}, [2]string{seen.Observed.Metric, string(seen.Observed.Share)}); diff != "" || seen.Observed.Requests < 5000 {
		t.Errorf("seen of %d requests (-want, +got):\n%s", seen.Observed.Requests, diff)
	}
	if served := seen.Confirmed[1].Weight; served != 50 {
		t.Errorf("confirmed at %d %%, want 50", served)
	}
}
