// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// atRest is what it may take from the moment at which the block that decides is
// over and its samples have settled until the route gives the canary nothing.
const atRest = time.Second

// counts answers the queries of blocks: 100 requests of the canary and 900 of
// stable, of which 30 and 1 are bad; the canary's only while it is bad.
func (s *shop) counts(bad *atomic.Bool) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, value := r.FormValue("query"), "900"
		canary, errors := strings.Contains(query, `arm="canary"`), strings.Contains(query, `code="500"`)
		switch {
		case strings.HasPrefix(query, "quantile("):
			value = "0.2"
		case canary && errors && bad.Load():
			value = "30"
		case canary && errors:
			value = "0"
		case canary:
			value = "100"
		case errors:
			value = "1"
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,%q]}]}}`, value)
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// TestFromTheBadBlockToTheRoute measures what the controllers add to the time
// that evidence takes. It is no parallel test: others must not be measured too.
func TestFromTheBadBlockToTheRoute(t *testing.T) {
	const rounds = 3
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	var bad atomic.Bool
	ro := s.rollout(weight(25), pause())
	ro.Spec.Strategy.Canary.Analysis = &v1alpha1.Analysis{
		Judgement:  v1alpha1.Judgement{Noise: "1", Settle: &v1alpha1.Duration{Duration: time.Second}},
		Prometheus: &v1alpha1.Prometheus{Address: s.counts(&bad)},
		Block:      &v1alpha1.Duration{Duration: time.Second}, WarmUp: &v1alpha1.Duration{},
		Metrics: []v1alpha1.Metric{{Name: "errors", Objective: "99%", Proportion: &v1alpha1.Proportion{
			Total: `requests_total{arm="$(arm)"}`, Bad: `requests_total{arm="$(arm)",code="500"}`,
		}}},
	}
	s.create(ro)
	s.untilPhase(v1alpha1.PhaseHealthy)
	var took []time.Duration
	for i := range rounds {
		bad.Store(false)
		s.release(fmt.Sprintf("shop:v%d", i+2))
		generation := s.get().Generation
		s.until("judged at 25 %", func(ro *v1alpha1.Rollout) bool {
			return ro.Status.ObservedGeneration == generation && ro.Status.Phase == v1alpha1.PhasePaused && s.usable(ro) > 2
		})
		left := s.routeLeaves()
		bad.Store(true)
		at := <-left
		aborted := s.until("aborted", func(ro *v1alpha1.Rollout) bool {
			return ro.Status.Abort != nil && ro.Status.Phase == v1alpha1.PhaseDegraded
		})
		ev := s.run(aborted).Status.Metrics[0].Evidence
		took = append(took, at.Sub(ev.LastBlockEnd.Add(ev.Settle.Duration)))
	}
	slices.Sort(took)
	t.Logf("from the block that decides, closed and settled, to weight 0 on the route: median %s of %v", took[rounds/2], took)
	if took[0] < 0 || took[rounds/2] > atRest {
		t.Errorf("median %s of %v, want at most %s", took[rounds/2], took, atRest)
	}
}

// run is the AnalysisRun that a Rollout points at; empty without one.
func (s *shop) run(ro *v1alpha1.Rollout) *v1alpha1.AnalysisRun {
	s.t.Helper()
	run := &v1alpha1.AnalysisRun{}
	if ro.Status.Analysis == nil {
		return run
	}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: ro.Status.Analysis.Run}, run); client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
	return run
}

// usable counts the blocks that spoke so far.
func (s *shop) usable(ro *v1alpha1.Rollout) int64 {
	metrics := s.run(ro).Status.Metrics
	if len(metrics) == 0 || metrics[0].Evidence == nil {
		return 0
	}
	return metrics[0].Evidence.Usable
}

// routeLeaves tells when the route was seen to give the canary nothing.
func (s *shop) routeLeaves() <-chan time.Time {
	s.t.Helper()
	routes, err := s.client.Watch(s.ctx, &gatewayv1.HTTPRouteList{}, client.InNamespace(s.ns))
	if err != nil {
		s.t.Fatal(err)
	}
	left := make(chan time.Time, 1)
	go func() {
		defer routes.Stop()
		for e := range routes.ResultChan() {
			if r, ok := e.Object.(*gatewayv1.HTTPRoute); ok && *r.Spec.Rules[0].BackendRefs[1].Weight == 0 {
				left <- time.Now()
				return
			}
		}
		close(left)
	}()
	return left
}
