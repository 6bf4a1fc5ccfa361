// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

// TestACorrectedAddressReachesTheRunUnderWay: nobody has to abort a release
// because its Prometheus was named wrongly, or has moved.
func TestACorrectedAddressReachesTheRunUnderWay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	ro := s.analysed(s.rollout(weight(25), analyze(), weight(50)))
	right := ro.Spec.Strategy.Canary.Analysis.Prometheus.Address
	wrong := "http://127.0.0.1:1"
	value := "7"
	ro.Spec.Strategy.Canary.Analysis.Prometheus.Address = wrong
	ro.Spec.Strategy.Canary.Analysis.Prometheus.Headers = []v1alpha1.Header{{Name: "X-Scope-OrgID", Value: &value}}
	s.create(ro)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision

	s.release("shop:v2")
	s.until("held for want of data", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CanaryRevision != "" && strings.Contains(ro.Status.Message, wrong)
	})
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.Analysis.Prometheus = &v1alpha1.Prometheus{Address: right}
	})
	done := s.until("v2 promoted", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && ro.Status.StableRevision != first
	})
	if done.Status.Release != 2 {
		t.Errorf("it took %d releases, want the one that was under way", done.Status.Release)
	}
	run := &v1alpha1.AnalysisRun{}
	if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-2"}, run); err != nil {
		t.Fatal(err)
	}
	if p := run.Spec.Prometheus; p.Address != right || len(p.Headers) != 0 {
		t.Errorf("the run asks %+v, want all of %s and no header of before", p, right)
	}
}

// TestAHandOnTheAdoptedDeploymentIsTold: who scales it by hand sees it undone,
// and has to learn why and what to do instead.
func TestAHandOnTheAdoptedDeploymentIsTold(t *testing.T) {
	t.Parallel()
	s, ro := adopted(t, v1alpha1.ScaleDownProgressively)
	s.create(ro)
	s.until("taken over", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhaseHealthy && strings.Contains(ro.Status.Message, "Deployment shop is kept at 0 replicas, so scale the Rollout")
	})
	if told := s.told("WorkloadDrift"); len(told) > 0 {
		t.Errorf("the takeover itself is told as %q", told)
	}
	s.untilTold("WorkloadScaled")
	if told := s.told("WorkloadScaled"); len(told) != 1 || !strings.Contains(told[0], "scale the Rollout") {
		t.Errorf("the takeover is told as %q", told)
	}
	for _, n := range []int32{3, 2} {
		d := s.deployment()
		s.edit(d, func() { d.Spec.Replicas = &n })
		s.until("scaled back", func(*v1alpha1.Rollout) bool { return *s.deployment().Spec.Replicas == 0 })
		s.untilTold("WorkloadDrift")
	}
	s.oneEvent("WorkloadDrift")
	if told := s.told("WorkloadDrift"); len(told) != 1 || !strings.Contains(told[0], "Scale the Rollout instead") {
		t.Errorf("told %q", told)
	}
}

// TestAHandOnASelectorIsTold: the same of a Service.
func TestAHandOnASelectorIsTold(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, nil, weight(25), pause())
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	s.command(`{"id":"1","verb":"promote-full","by":"ann"}`)
	first := s.untilPhase(v1alpha1.PhaseHealthy).Status.StableRevision
	if told := s.told("ServiceDrift"); len(told) > 0 {
		t.Errorf("our own doing is told as %q", told)
	}
	for range 2 {
		svc := &corev1.Service{}
		if err := s.client.Get(s.ctx, client.ObjectKey{Namespace: s.ns, Name: "shop-stable"}, svc); err != nil {
			t.Fatal(err)
		}
		s.edit(svc, func() { delete(svc.Spec.Selector, v1alpha1.RevisionLabel) })
		s.until("put right", func(*v1alpha1.Rollout) bool { return s.selects("shop-stable") == first })
		s.untilPhase(v1alpha1.PhaseHealthy)
		s.untilTold("ServiceDrift")
	}
	s.oneEvent("ServiceDrift")
}

// TestAnAbortKeepsSayingWhatIsMissing: a route that was deleted is what the way
// back waits for, and its words stay until it is there.
func TestAnAbortKeepsSayingWhatIsMissing(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, nil, weight(25), pause())
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	if err := s.client.Delete(s.ctx, route(s.ns)); err != nil {
		t.Fatal(err)
	}
	const missing = "/shop does not exist; create it"
	s.until("held", func(ro *v1alpha1.Rollout) bool { return strings.Contains(ro.Status.Message, missing) })
	s.command(`{"id":"1","verb":"abort","by":"ann"}`)
	aborting := s.untilPhase(v1alpha1.PhaseAborting)
	if !strings.Contains(aborting.Status.Message, missing) || !strings.Contains(aborting.Status.Message, "aborted by ann") {
		t.Errorf("says %q, want what is missing, and why it was aborted", aborting.Status.Message)
	}
	s.create(route(s.ns))
	s.untilPhase(v1alpha1.PhaseDegraded)
}

// TestPromoteUnderAPauseOfEverything: a promote ends its step, and both its
// answer and the status say that a pause still holds the rest.
func TestPromoteUnderAPauseOfEverything(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	startController(t, testenv.Start(t), s.ns)
	s.create(s.rollout(weight(25), pause(), weight(75), pause()))
	s.untilPhase(v1alpha1.PhaseHealthy)
	s.release("shop:v2")
	s.untilPhase(v1alpha1.PhasePaused)
	obeyed := func(id, verb string) *v1alpha1.Rollout {
		s.command(`{"id":"` + id + `","verb":"` + verb + `","by":"ann"}`)
		return s.until("answered", func(ro *v1alpha1.Rollout) bool { return ro.Status.LastCommand != nil && ro.Status.LastCommand.ID == id })
	}
	obeyed("1", "pause")
	ro := obeyed("2", "promote")
	const held = "paused by ann; resume to go on"
	if c := ro.Status.LastCommand; c.Result != v1alpha1.CommandAccepted || !strings.Contains(c.Message, held) || !strings.Contains(ro.Status.Message, held) {
		t.Errorf("command %+v, message %q; want both to say %q", c, ro.Status.Message, held)
	}
	ro = obeyed("3", "promote")
	if c := ro.Status.LastCommand; c.Result != v1alpha1.CommandRefused || !strings.Contains(c.Message, held) {
		t.Errorf("a second promote: %+v; want it refused with %q", c, held)
	}
	obeyed("4", "resume")
	s.until("on", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.CurrentStep != nil && ro.Status.CurrentStep.Index == 3
	})
}

// TestOneMistakeIsOneProblem: what follows from a mistake is not told beside it.
func TestOneMistakeIsOneProblem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mistake func(*v1alpha1.Rollout)
		want    string
	}{
		"a Service's name": {
			func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.StableService = "shop-stabel" },
			"spec.strategy.canary.stableService: Service shop-stabel does not exist",
		},
		"a label": {
			func(ro *v1alpha1.Rollout) { ro.Spec.Template.Labels = map[string]string{"app": "shpo"} },
			"spec.template.metadata.labels: must match spec.selector (app=shop)",
		},
		"a rule's name": {
			func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Routes[0].Rules = []string{"mian"} },
			"spec.strategy.canary.routes[0].rules: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			startController(t, testenv.Start(t), s.ns)
			ro := s.rollout(weight(25))
			tc.mistake(ro)
			s.create(ro)
			message := s.untilPhase(v1alpha1.PhasePending).Status.Message
			if !strings.HasPrefix(message, tc.want) || strings.Contains(message, "more, see condition") {
				t.Errorf("says %q, want %q alone", message, tc.want)
			}
		})
	}
}

// TestAnEditOfStepsPromotesNothing: a release that waits for an approval is not
// promoted because the list of steps has got shorter than where it is.
func TestAnEditOfStepsPromotesNothing(t *testing.T) {
	t.Parallel()
	approve := v1alpha1.Step{Approve: &v1alpha1.Approve{}}
	s, first := opened(t, nil, weight(25), approve, weight(50), pause())
	s.release("shop:v2")
	s.atStep(1)
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Steps = []v1alpha1.Step{weight(25)} })
	held := s.untilPhase(v1alpha1.PhaseHolding)
	if st := held.Status; st.StableRevision != first || st.CurrentStep.Position != "2/4" || st.CurrentStep.Weight != 25 ||
		!strings.Contains(st.Message, "an edit of spec.strategy.canary.steps") {
		t.Errorf("held as %+v with stable %s: %q", st.CurrentStep, st.StableRevision, st.Message)
	}
	s.patch(func(ro *v1alpha1.Rollout) {
		ro.Spec.Strategy.Canary.Steps = []v1alpha1.Step{weight(25), approve, weight(50)}
	})
	s.until("waiting as before", func(ro *v1alpha1.Rollout) bool {
		return ro.Status.Phase == v1alpha1.PhasePaused && ro.Status.CurrentStep.Position == "2/3"
	})
	s.patch(func(ro *v1alpha1.Rollout) { ro.Spec.Strategy.Canary.Steps = nil })
	s.untilPhase(v1alpha1.PhaseHolding)
	s.command(`{"id":"1","verb":"promote","by":"ann"}`)
	done := s.untilPhase(v1alpha1.PhaseHealthy)
	if o := done.Status.History[0]; done.Status.StableRevision == first || len(o.Approvals) != 1 || o.Approvals[0].By != "ann" {
		t.Errorf("ends with stable %s, history %+v", done.Status.StableRevision, o)
	}
}
