// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && mesh

package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// TestStoryIstioSticky: what istiod makes of a VirtualService that keeps users.
// gRPC clients keep no cookies, so what istiod tells them is what counts.
func TestStoryIstioSticky(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "istio-sticky", overServices())
	s.keeps()
}

// TestStoryMeshSticky: the same of an HTTPRoute whose parent is a Service, whose
// filters on backends istiod carries out.
func TestStoryMeshSticky(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "mesh-sticky", ofService("HTTPRoute"))
	_, err := s.shop.Kubectl(t.Context(), "annotate", "services", harness.Name, v1alpha1.FeaturesAnnotation+"=HTTPRouteBackendResponseHeaderModification")
	s.must(err)
	s.keeps()
}

// keeps releases v2 over 20 % and 60 % with users who stay, and takes it back.
func (s *story) keeps() {
	s.Helper()
	s.report.Notes = append(s.report.Notes, "answers' headers are not seen: gRPC ignores changes of them; what istiod told the client is")
	s.rate = meshRate
	s.open(harness.Steps(harness.Weight(20), harness.Pause(), harness.Weight(60), harness.Pause()), func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Stickiness = &v1alpha1.Stickiness{Cookie: "shop-version", MaxAge: &v1alpha1.Duration{Duration: time.Hour}}
	})
	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.reaches("v2", 20)
	value := s.hash("v2") + "-[0-9a-f]{8}"
	s.toldDraws("at 20 %", value, map[string]draw{"": {20, 80}, "20": {0, 100}, "canary": {100, 0}})
	s.share("v2", 20) // whoever brings no cookie is drawn by the weight

	s.plugin(0, "promote", harness.Name)
	s.reaches("v2", 60)
	s.toldDraws("at 60 %", value, map[string]draw{"": {60, 40}, "60": {0, 100}, "20": {50, 50}, "canary": {100, 0}})
	s.share("v2", 60)

	asked := time.Now()
	s.plugin(0, "abort", harness.Name, "--reason", "guests complain")
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v2", 0)
	s.rolledBack(asked, "v2")
	s.told("nothing of a cookie any more", func(dump string) bool { return !strings.Contains(dump, "shop-version") })
	s.truth("aborted", "guests complain")
}

// draw is what becomes of requests, in percent rounded to the nearest.
type draw struct{ canary, stable int }

// toldDraws waits until istiod told the client what becomes of the bearers of
// each cookie, by the weight that it names, and of everybody else; and that each
// destination hands the right one out.
func (s *story) toldDraws(when, value string, want map[string]draw) {
	s.Helper()
	named := regexp.MustCompile("shop-version=" + value + "(?:-([0-9]+))?")
	s.told("whom to keep "+when, func(dump string) bool {
		var all any
		if json.Unmarshal([]byte(dump), &all) != nil {
			return false
		}
		got := map[string]draw{}
		for _, r := range routesIn(all) {
			if !strings.Contains(fmt.Sprint(r["route"]), harness.StableService) && !strings.Contains(fmt.Sprint(r["route"]), harness.CanaryService) {
				continue
			}
			of := ""
			if found := named.FindStringSubmatch(fmt.Sprint(r["match"])); found != nil {
				if of = found[1]; of == "" {
					of = "canary"
				}
			}
			got[of] = drawOf(r, named)
		}
		s.Logf("istiod tells: %v", got)
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
}

// routesIn finds the routes of a dump: whatever has a match and a route.
func routesIn(of any) []map[string]any {
	var all []map[string]any
	switch v := of.(type) {
	case []any:
		for _, one := range v {
			all = append(all, routesIn(one)...)
		}
	case map[string]any:
		if v["match"] != nil && v["route"] != nil {
			return []map[string]any{v}
		}
		for _, one := range v {
			all = append(all, routesIn(one)...)
		}
	}
	return all
}

// drawOf is what a route does; nobody is drawn where a cluster does not hand out
// the cookie of its version.
func drawOf(r map[string]any, named *regexp.Regexp) draw {
	action, _ := r["route"].(map[string]any)
	weighted, _ := action["weightedClusters"].(map[string]any)
	clusters, _ := weighted["clusters"].([]any)
	if len(clusters) == 0 { // one alone, whose headers are the route's
		clusters = []any{map[string]any{"name": action["cluster"], "weight": 100.0, "responseHeadersToAdd": r["responseHeadersToAdd"]}}
	}
	var canary, sum float64
	for _, entry := range clusters {
		c, _ := entry.(map[string]any)
		weight, _ := c["weight"].(float64)
		isCanary := strings.Contains(fmt.Sprint(c["name"]), harness.CanaryService)
		handed := named.FindStringSubmatch(fmt.Sprint(c["responseHeadersToAdd"]))
		if weight > 0 && (len(handed) < 2 || (handed[1] == "") != isCanary) {
			return draw{}
		}
		sum += weight
		if isCanary {
			canary += weight
		}
	}
	if sum == 0 {
		return draw{}
	}
	share := int(canary/sum*100 + 0.5)
	return draw{share, 100 - share}
}
