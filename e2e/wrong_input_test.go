// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/e2e/harness"
)

// mistake is what a person may get wrong, and the words that should set it right.
type mistake struct {
	name   string
	change harness.Modifier
	field  string
	remedy string
}

// TestStoryWrongInput: each mistake is answered by a refusal or a condition
// that names field and remedy, nothing changes meanwhile, and mending it is enough.
func TestStoryWrongInput(t *testing.T) {
	t.Parallel()
	s := tell(t, "wrong-input")
	s.open(
		harness.Analysis(s.shop.Cluster.Settings.PrometheusURL),
		harness.Steps(harness.Weight(20), harness.Pause()),
	)
	for _, m := range refused() {
		s.refuses(m)
	}
	for _, m := range reported() {
		s.reports(m)
	}
	s.pends()
	s.unanswered()
	s.share("v1", 100)
}

// refused are the mistakes that the API server does not let in.
func refused() []mistake {
	return []mistake{
		{
			name: "weight 150", change: harness.Steps(harness.Weight(150)),
			field: "spec.strategy.canary.steps[0].setWeight", remedy: "less than or equal to 100",
		},
		{
			name: "both template and workloadRef",
			change: func(r *v1alpha1.Rollout) {
				r.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: harness.Name}
			},
			field: "spec", remedy: "set exactly one of template and workloadRef; remove the other",
		},
		{
			name: "a Prometheus address without scheme", change: harness.Analysis("prometheus:9090"),
			field: "spec.strategy.canary.analysis.prometheus.address", remedy: "http or https URL such as",
		},
	}
}

// reported are the mistakes that only the cluster can tell.
func reported() []mistake {
	return []mistake{
		{
			name:   "missing Service",
			change: func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.CanaryService = "shop-canery" },
			field:  "spec.strategy.canary.canaryService", remedy: "create it",
		},
		{
			name:   "missing route",
			change: func(r *v1alpha1.Rollout) { r.Spec.Strategy.Canary.Routes[0].Name = "shopp" },
			field:  "spec.strategy.canary.routes[0]", remedy: "create it",
		},
		{
			name:   "a mirror that Traefik does not have",
			change: harness.Steps(v1alpha1.Step{Mirror: &v1alpha1.Mirror{Percent: 10}}, harness.Pause()),
			field:  "spec.strategy.canary.routes[0]", remedy: "needs feature HTTPRouteRequestMirror",
		},
		{
			name: "unknown template",
			change: func(r *v1alpha1.Rollout) {
				r.Spec.Strategy.Canary.Analysis.Templates = []v1alpha1.TemplateRef{{Name: "http-slo"}}
			},
			field: "spec.strategy.canary.analysis.templates[0].name", remedy: "create it",
		},
	}
}

// refuses sees that the API server says no, and why.
func (s *story) refuses(m mistake) {
	s.Helper()
	before := s.world()
	_, err := s.shop.Change(s.Context(), harness.Version("v2"), m.change)
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), m.field) || !strings.Contains(err.Error(), m.remedy) {
		s.Errorf("%s: error %v, want an invalid spec with %q and %q", m.name, err, m.field, m.remedy)
	}
	if diff := cmp.Diff(before, s.world()); diff != "" {
		s.Errorf("%s changed the world, -before +after:\n%s", m.name, diff)
	}
	s.note(m, err)
}

func (s *story) note(m mistake, answer any) {
	s.report.Notes = append(s.report.Notes, fmt.Sprintf("%s: %v", m.name, answer))
}

// reports sees that the condition SpecValid says what is wrong and that nothing moves, then mends it.
func (s *story) reports(m mistake) {
	s.Helper()
	good, err := s.shop.Rollout(s.Context())
	s.must(err)
	before := s.world()
	generation := s.release(harness.Version("v2"), m.change)
	s.wait(m.name+" to be reported", func(r *rollout) bool {
		status, _, _ := condition(r, v1alpha1.ConditionSpecValid)
		return r.Status.ObservedGeneration >= generation && status == "False"
	})
	_, reason, message := condition(s.seen.Latest(), v1alpha1.ConditionSpecValid)
	if reason != v1alpha1.ReasonInvalid || !strings.Contains(message, m.field) || !strings.Contains(message, m.remedy) {
		s.Errorf("%s: condition SpecValid says %s %q, want %q and %q", m.name, reason, message, m.field, m.remedy)
	}
	s.truth(m.field, m.remedy)
	s.unchanged(m.name, before)
	s.note(m, message)

	generation = s.release(func(r *v1alpha1.Rollout) { good.Spec.DeepCopyInto(&r.Spec) })
	s.wait("the mended Rollout to be healthy", harness.Reached(v1alpha1.PhaseHealthy, generation))
}

// unchanged sees that the world stays as it was for a while.
func (s *story) unchanged(name string, before map[string]string) {
	s.Helper()
	s.must(harness.Stays(s.Context(), name+" changes nothing", 2*time.Second, func(context.Context) (bool, string, error) {
		diff := cmp.Diff(before, s.world())
		return diff == "", diff, nil
	}))
}

// world is what a mistake must not change: Services, the route's spec, pods and runs.
func (s *story) world() map[string]string {
	s.Helper()
	w, err := s.shop.World(s.Context())
	s.must(err)
	return w
}

// pends sees that a new Rollout with a mistake starts nothing at all.
func (s *story) pends() {
	s.Helper()
	before := s.world()
	broken := s.shop.New(func(r *v1alpha1.Rollout) {
		r.Name = "broken"
		r.Spec.Strategy.Canary.StableService, r.Spec.Strategy.Canary.CanaryService = "broken-stable", "broken-canary"
	})
	c := s.shop.Cluster.Client
	s.must(c.Create(s.Context(), broken))
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	s.must(harness.Poll(ctx, "the new Rollout to say what it lacks", func(ctx context.Context) (bool, string, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(broken), broken)
		said := broken.Status.Phase == v1alpha1.PhasePending && strings.Contains(broken.Status.Message, "spec.strategy.canary.stableService")
		return said, harness.Describe(broken), err
	}))
	s.unchanged("a new Rollout without its Service", before)
	s.must(c.Delete(s.Context(), broken))
}

// unanswered releases with a Prometheus that nobody answers for: the first
// traffic starts the analysis, and there it holds.
func (s *story) unanswered() {
	s.Helper()
	address := "http://" + net.JoinHostPort(s.shop.Cluster.Settings.LocalAddress, "1")
	good, err := s.shop.Rollout(s.Context())
	s.must(err)
	s.release(harness.Version("v2"), harness.Analysis(address), harness.Steps(harness.Weight(20), harness.Analyze(0), harness.Weight(60)))
	holding := func(r *rollout) bool {
		return r.Status.Phase == v1alpha1.PhaseHolding && s.confirmed(r, "v2") == 20
	}
	s.reaches("v2", 20)
	s.wait("the release to hold for want of measurements", holding)
	s.truth(address, "does not answer", "analysis.prometheus.address")
	s.share("v2", 20)
	if !holding(s.seen.Latest()) {
		s.Errorf("the release does not hold: %s", harness.Describe(s.seen.Latest()))
	}
	s.note(mistake{name: "a Prometheus URL that does not answer"}, s.seen.Latest().Status.Message)

	generation := s.release(func(r *v1alpha1.Rollout) { good.Spec.DeepCopyInto(&r.Spec) })
	s.wait("the way back to v1", harness.Reached(v1alpha1.PhaseHealthy, generation))
}
