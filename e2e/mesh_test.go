// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && mesh

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
	"github.com/sluice-dev/sluice/e2e/load"
)

// meshNames are the stories of this file.
var meshNames = []string{"istio-host-split", "istio-subset-split", "istio-header-match", "istio-mirror", "istio-sticky", "mesh-httproute", "mesh-grpcroute", "mesh-sticky"}

const (
	// meshRate gives meshLeast requests in well under a minute.
	meshRate = 120
	// meshLeast is how many requests the share in a mesh is judged by.
	meshLeast = 5000
	// meshLevel is the probability that the share must lie within.
	meshLevel = 0.999
)

// overServices splits between two Services. There are no retries: whatever
// goes wrong is the caller's to see.
func overServices() harness.Mesh {
	return harness.Mesh{
		Route: v1alpha1.RouteRef{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: harness.Name},
		Objects: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: NAMESPACE}
spec:
  hosts: [shop]
  http:
  - name: main
    retries: {attempts: 0}
    route:
    - {destination: {host: shop-stable}, weight: 100}
    - {destination: {host: shop-canary}, weight: 0}
`,
	}
}

// overSubsets splits between two subsets of one host.
func overSubsets() harness.Mesh {
	return harness.Mesh{
		Made:  true,
		Route: v1alpha1.RouteRef{APIVersion: "networking.istio.io/v1", Kind: "VirtualService", Name: harness.Name, DestinationRule: harness.Name},
		Objects: `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: NAMESPACE}
spec:
  host: shop
  subsets: [{name: stable}, {name: canary}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: NAMESPACE}
spec:
  hosts: [shop]
  http:
  - retries: {attempts: 0}
    route:
    - {destination: {host: shop, subset: stable}, weight: 100}
    - {destination: {host: shop, subset: canary}, weight: 0}
`,
	}
}

// ofService is a route of the Gateway API whose parent is a Service.
func ofService(kind string) harness.Mesh {
	return harness.Mesh{
		Route: v1alpha1.RouteRef{APIVersion: "gateway.networking.k8s.io/v1", Kind: kind, Name: harness.Name},
		Objects: `
apiVersion: gateway.networking.k8s.io/v1
kind: ` + kind + `
metadata: {name: shop, namespace: NAMESPACE}
spec:
  parentRefs: [{group: "", kind: Service, name: shop, port: 80}]
  rules:
  - backendRefs:
    - {name: shop-stable, port: 80, weight: 100}
    - {name: shop-canary, port: 80, weight: 0}
`,
	}
}

// tellMesh sets up a story whose client speaks xDS with istiod.
func tellMesh(t *testing.T, name string, m harness.Mesh) *story {
	t.Helper()
	s := tellOf(t, name, func(c *harness.Cluster, ctx context.Context, namespace string) (*harness.Shop, error) {
		return m.NewShop(ctx, c, namespace)
	})
	s.report.ShareLevel = meshLevel
	s.report.Notes = append(s.report.Notes, "the client is a gRPC channel to xds:///shop, told by istiod; there is no Envoy")
	return s
}

// TestStoryIstioHostSplit: a VirtualService splits between two Services; one
// release is promoted, the next one is taken back.
func TestStoryIstioHostSplit(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "istio-host-split", overServices())
	s.splits(v1alpha1.EvidenceSettleTime, nil)
}

// TestStoryIstioSubsetSplit: a VirtualService splits between two subsets, whose
// labels follow the revisions.
func TestStoryIstioSubsetSplit(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "istio-subset-split", overSubsets())
	s.splits("", func(stable, canary string) {
		s.observed()
		out, err := s.shop.Kubectl(t.Context(), "get", "destinationrules", harness.Name, "-o",
			`jsonpath={range .spec.subsets[*]}{.name}={.labels.sluice\.dev/revision} {end}`)
		s.must(err)
		if want := fmt.Sprintf("stable=%s canary=%s", s.hash(stable), s.hash(canary)); strings.TrimSpace(out.Stdout) != want {
			t.Errorf("subsets %q, want %q: %s", out.Stdout, want, out.Stderr)
		}
	}, counting(s.shop.Cluster.Settings.PrometheusURL))
}

// counting has an analysis count the calls that either revision's pods have answered.
func counting(address string) harness.Modifier {
	calls := func(more string) string {
		return `grpc_server_handled_total{namespace="$(namespace)",revision="$(revision)"` + more + `}`
	}
	return func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Analysis = &v1alpha1.Analysis{
			Judgement:  v1alpha1.Judgement{Noise: "1", Settle: &v1alpha1.Duration{Duration: 5 * time.Second}},
			Prometheus: &v1alpha1.Prometheus{Address: address},
			Block:      &v1alpha1.Duration{Duration: 5 * time.Second}, WarmUp: &v1alpha1.Duration{},
			Metrics: []v1alpha1.Metric{{
				Name: "calls", Objective: "99%", Proportion: &v1alpha1.Proportion{Total: calls(""), Bad: calls(`,grpc_code!="OK"`)},
			}},
		}
	}
}

// observed waits until the requests that the analysis counted are the evidence
// for 25 %, and looks at the figures.
func (s *story) observed() {
	s.Helper()
	s.wait("the share to be observed", func(r *v1alpha1.Rollout) bool {
		return r.Status.Traffic != nil && r.Status.Traffic.ConfirmedBy == v1alpha1.EvidenceObservedShare
	})
	o := s.seen.Latest().Status.Traffic.Observed
	if got := float64(o.Canary) / float64(o.Requests); o.Requests < 300 || got < 0.15 || got > 0.35 {
		s.Errorf("observed %+v, want about a quarter of some hundreds", *o)
	}
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("the weight counts as served by %d of %d requests that Prometheus saw (%s)", o.Canary, o.Requests, o.Share))
}

// TestStoryMeshHTTPRoute: an HTTPRoute whose parent is a Service splits in the mesh.
func TestStoryMeshHTTPRoute(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "mesh-httproute", ofService("HTTPRoute"))
	s.splits(v1alpha1.EvidenceRouteStatus, nil)
}

// TestStoryMeshGRPCRoute: the same with a GRPCRoute.
func TestStoryMeshGRPCRoute(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "mesh-grpcroute", ofService("GRPCRoute"))
	s.splits(v1alpha1.EvidenceRouteStatus, nil)
}

// splits releases v2 over 25 % and keeps it, then releases v3 and takes it
// back. At 25 % it counts enough requests, and looks at what else has to be so.
func (s *story) splits(evidence v1alpha1.Evidence, look func(stable, canary string), mods ...harness.Modifier) {
	s.Helper()
	s.rate = meshRate
	s.open(append(mods, harness.Steps(harness.Weight(25), harness.Pause()))...)
	quarter := func(stable, canary string) int64 {
		generation := s.release(harness.Version(canary))
		s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
		s.reaches(canary, 25)
		if by := s.seen.Latest().Status.Traffic.ConfirmedBy; evidence != "" && by != evidence {
			s.Errorf("confirmed by %q, want %q", by, evidence)
		}
		if look != nil {
			look(stable, canary)
		}
		return generation
	}

	generation := quarter("v1", "v2")
	s.many("v2", 25)
	s.truth("until promoted")
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.neverBack("v2")

	generation = quarter("v2", "v3")
	s.share("v3", 25)
	asked := time.Now()
	s.plugin(0, "abort", harness.Name, "--reason", "guests complain")
	s.wait("the abort", harness.Reached(v1alpha1.PhaseDegraded, generation))
	s.share("v3", 0)
	s.rolledBack(asked, "v3")
	s.truth("aborted", "guests complain")
}

// many waits until a version's share at a weight is judged by meshLeast requests.
func (s *story) many(version string, percent int32) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, fmt.Sprintf("%d requests with %s at %d %%", meshLeast, version, percent), func(context.Context) (bool, string, error) {
		n := 0
		for _, m := range s.measure(time.Now()) {
			if m.Version == version && m.Canary == percent {
				n = max(n, m.N)
			}
		}
		return n >= meshLeast, fmt.Sprintf("%d requests", n), nil
	}))
}

// TestStoryIstioHeaderMatch: requests with a header get the canary, all others
// stable, until a weight is set.
func TestStoryIstioHeaderMatch(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "istio-header-match", overServices())
	testers := v1alpha1.MatchRoute{Name: "testers", Match: []v1alpha1.RequestMatch{{
		Headers: []v1alpha1.ValueMatch{{Name: "X-Canary", Exact: ptr.To("1")}},
	}}}
	s.open(harness.Steps(v1alpha1.Step{MatchRoute: &testers}, harness.Pause(), harness.Weight(50), harness.Pause()))
	tagged, err := s.shop.LoadWith(http.Header{"X-Canary": {"1"}}, rate/2, longest)
	s.must(err)
	tagged.Start(context.WithoutCancel(t.Context()))
	defer tagged.Stop()

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	s.share("v2", 0) // None of the untagged is answered by v2.
	s.answers(tagged.History(), time.Now().Add(settled), "v2")
	s.truth("until promoted")

	s.plugin(0, "promote", harness.Name)
	s.reaches("v2", 50)
	s.share("v2", 50)
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	tagged.Stop()
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("requests with X-Canary: 1: %v", tagged.History().Count(time.Time{}, time.Now())))
	for _, f := range tagged.History().FirstFailures(5) {
		t.Errorf("a request with the header failed at %s, version %q: %s", f.At.Format(time.StampMilli), f.Version, f.Reason)
	}
	if out, err := s.shop.Kubectl(t.Context(), "get", "virtualservices", harness.Name, "-o", "yaml"); err != nil || strings.Contains(out.Stdout, "sluice.dev/") {
		t.Errorf("something of ours is left in the VirtualService: %v\n%s", err, out.Stdout)
	}
}

// settled is how long after a pass the data plane has surely acted on it.
const settled = 2 * time.Second

// answers waits for enough requests from a time on, and fails the story unless one version alone answered them.
func (s *story) answers(h *load.History, from time.Time, version string) {
	s.Helper()
	var tally load.Tally
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "requests with the header", func(context.Context) (bool, string, error) {
		tally = h.Count(from, time.Now())
		return tally.Requests >= harness.MinRequests, fmt.Sprintf("%d requests", tally.Requests), nil
	}))
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%d requests with the header while nothing else led to %s: %v", tally.Requests, version, tally.ByVersion))
	if tally.ByVersion[version] != tally.Requests {
		s.Errorf("%d requests with the header by %v, want all by %s", tally.Requests, tally.ByVersion, version)
	}
}

// TestStoryIstioMirror: a mirror of 20 % reaches the client's configuration.
// gRPC does not carry mirrors out, so what istiod tells it is what counts, and
// nothing of it may be left afterwards.
func TestStoryIstioMirror(t *testing.T) {
	t.Parallel()
	s := tellMesh(t, "istio-mirror", overServices())
	s.report.Notes = append(s.report.Notes, "mirrored requests are not seen: gRPC ignores mirrors; what istiod told the client is")
	s.open(harness.Steps(v1alpha1.Step{Mirror: &v1alpha1.Mirror{Percent: 20}}, harness.Pause()))
	s.told("no mirror", func(dump string) bool { return !strings.Contains(dump, "requestMirrorPolicies") })

	generation := s.release(harness.Version("v2"))
	s.wait("the pause", harness.Reached(v1alpha1.PhasePaused, generation))
	cluster := fmt.Sprintf("outbound|80||%s.%s.svc.cluster.local", harness.CanaryService, s.shop.Namespace)
	s.told("a mirror of 20 % to the canary", func(dump string) bool {
		_, mirror, found := strings.Cut(dump, "requestMirrorPolicies")
		mirror = mirror[:min(len(mirror), 500)]
		return found && strings.Contains(mirror, cluster) && strings.Contains(mirror, "200000")
	})
	s.share("v2", 0)
	s.plugin(0, "promote", harness.Name)
	s.promoted(generation)
	s.share("v2", 100)
	s.told("no mirror any more", func(dump string) bool { return !strings.Contains(dump, "requestMirrorPolicies") })
}

// told waits until what istiod told the client is so.
func (s *story) told(what string, is func(dump string) bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 15*time.Second)
	defer cancel()
	s.must(harness.Poll(ctx, "istiod to have told the client "+what, func(ctx context.Context) (bool, string, error) {
		dump, err := s.shop.Told(ctx)
		if err == nil && !strings.Contains(dump, harness.StableService) {
			return false, fmt.Sprintf("%d bytes without the shop's routes: %.300s", len(dump), dump), nil
		}
		at := max(0, strings.Index(dump, harness.StableService)-400)
		return is(dump), fmt.Sprintf("%d bytes, among them: %.1200s", len(dump), dump[at:]), err
	}))
}
