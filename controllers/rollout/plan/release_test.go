// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// leaving is a deleted Rollout of four pods beside a Deployment that has its four pods back.
func leaving() plan.Snapshot {
	at := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	ro := ofFour(v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
		StableService: "stable", CanaryService: "canary", Routes: []v1alpha1.RouteRef{{Kind: "HTTPRoute", Name: "shop"}},
		Steps: []v1alpha1.Step{{SetWeight: ptr.To(int32(50))}},
	}})
	ro.DeletionTimestamp = &at
	ro.Status = v1alpha1.RolloutStatus{StableRevision: "ours", Release: 1, StartedAt: &at}
	return plan.Snapshot{
		Now: at.Add(time.Minute), Rollout: ro, Template: ro.Spec.Template, Target: "ours", Selector: ro.Spec.Selector,
		Revisions:     []plan.Revision{{Hash: "ours", Name: "shop-ours", Number: 1, Replicas: 4, Current: 4, Ready: 4, Available: 4}},
		Workload:      &plan.Workload{Name: "shop", Replicas: 4, Current: 4, Available: 4, Before: ptr.To(int32(4))},
		StableService: plan.Service{Name: "stable", Selects: "ours", Ready: map[string]int32{"ours": 4}},
		CanaryService: plan.Service{Name: "canary", Selects: "ours", Ready: map[string]int32{"ours": 4}},
		Traffic:       traffic.Observed{Requested: []traffic.Split{traffic.CanaryAt(0)}, Confirmed: []traffic.Split{traffic.CanaryAt(0)}},
	}
}

// listing gives the stable Service back, with the Deployment's pods listed since a while.
func listing(s *plan.Snapshot, n int32, since time.Duration) {
	s.StableService.Selects, s.CanaryService.Selects = "", ""
	s.StableService.Ready = map[string]int32{"ours": 4, "": n}
	at := metav1.NewTime(s.Now.Add(-since))
	s.Rollout.Status.Traffic = &v1alpha1.TrafficStatus{
		Requested: []v1alpha1.RevisionWeight{{Service: "stable", Weight: 100}, {Service: "canary"}}, Since: &at, AcceptedAt: &at,
		Endpoints: []v1alpha1.ServiceEndpoints{{Service: "stable", Ready: n, Since: at}},
	}
}

// TestReleaseOfAWorkload: the Rollout, and so its pods, goes only when callers reach the Deployment's.
func TestReleaseOfAWorkload(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		of     func(*plan.Snapshot)
		goes   bool
		wakes  bool
	}{
		"Narrowed": {"Both Services still stand for our revision.", func(*plan.Snapshot) {}, false, false},
		"Listed":   {"A data plane may not know the Deployment's pods yet.", func(s *plan.Snapshot) { listing(s, 4, time.Second) }, false, true},
		"OursMissing": {"Somebody deleted a Service that is ours to make: it will never list anybody.", func(s *plan.Snapshot) {
			listing(s, 4, time.Minute)
			s.StableService = plan.Service{Name: "stable", Missing: true}
		}, true, false},
		"Fewer":        {"Three of four can't carry everything.", func(s *plan.Snapshot) { listing(s, 3, time.Minute) }, false, false},
		"Known":        {"All four have been listed for long enough.", func(s *plan.Snapshot) { listing(s, 4, time.Minute) }, true, false},
		"NobodyToHeir": {"Without a Deployment nobody takes over.", func(s *plan.Snapshot) { s.Workload = nil }, true, false},
		"NeverScaled": {
			"A Deployment that was never scaled down has to be reached as well.",
			func(s *plan.Snapshot) { s.Workload.Before = nil }, false, false,
		},
		"NoService": {
			"A Service that somebody deleted first is not waited for.",
			func(s *plan.Snapshot) {
				s.StableService = plan.Service{Name: "stable", Absent: true}
				s.Problems = []plan.Problem{{Field: "spec.strategy.canary.stableService", Message: "does not exist", Steers: true}}
			}, true, false,
		},
		"NoSelector": {
			"Nor is one that selects nobody.",
			func(s *plan.Snapshot) {
				s.StableService = plan.Service{Name: "stable", Unfit: true}
				s.Problems = []plan.Problem{{Field: "spec.strategy.canary.stableService", Message: "has no selector", Steers: true}}
			}, true, false,
		},
		"Rival": {
			"Nor is one that another Rollout has narrowed to its own pods.",
			func(s *plan.Snapshot) {
				s.StableService = plan.Service{Name: "stable", Selects: "theirs", Rival: "elder", Ready: map[string]int32{"theirs": 4}}
				s.Problems = []plan.Problem{{Field: "spec.strategy", Message: "steered by Rollout elder", Steers: true}}
			}, true, false,
		},
		"NoTemplate": {
			"What is wrong with the analysis keeps nobody from taking over.",
			func(s *plan.Snapshot) {
				s.Problems = []plan.Problem{{Field: "spec.strategy.canary.analysis.templates[0]", Message: "does not exist"}}
			}, false, false,
		},
		"NoConfig": {
			"Nor does configuration that is gone, without which there is no template to wait for.",
			func(s *plan.Snapshot) {
				listing(s, 4, time.Second)
				s.Template, s.Target = nil, ""
				s.Problems = []plan.Problem{{Field: "spec.trackConfig", Message: "does not exist"}}
			}, false, true,
		},
		"NoRoute": {
			"Where a route can't be read the Service is still what callers go through.",
			func(s *plan.Snapshot) {
				s.Traffic = traffic.Observed{}
				s.Problems = []plan.Problem{{Field: "spec.strategy.canary.routes[0]", Message: "does not exist", Steers: true}}
			}, false, false,
		},
		"NoTemplateNoGateway": {
			"Nor are routes that still send callers to our pods let go the sooner.",
			func(s *plan.Snapshot) {
				listing(s, 4, time.Minute)
				s.Traffic.Confirmed, s.Rollout.Status.Traffic.AcceptedAt = nil, nil
				s.Problems = []plan.Problem{{Field: "spec.strategy.canary.analysis.templates[0]", Message: "does not exist"}}
			}, false, true,
		},
		"NoGateway": {
			"A gateway that confirms nothing is waited for no longer than convergence.timeout.",
			func(s *plan.Snapshot) {
				listing(s, 4, 3*time.Minute)
				s.Traffic.Confirmed, s.Rollout.Status.Traffic.AcceptedAt = nil, nil
			}, true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := leaving()
			test.of(&s)
			p := plan.Decide(s)
			goes := slices.ContainsFunc(p.Actions, func(a plan.Action) bool { _, drops := a.(plan.DropFinalizer); return drops })
			if diff := cmp.Diff(test.goes, goes); diff != "" {
				t.Errorf("%s\nGoes (-want +got):\n%s%s\n%v", test.reason, diff, p.Status.Message, p.Actions)
			}
			if test.wakes && p.Wake == 0 {
				t.Error("only the clock can change this, but nothing wakes it")
			}
		})
	}
}

// TestTakingOver bounds the Deployment by what the Rollout's own pods carry, and these by what it gives up.
func TestTakingOver(t *testing.T) {
	type scaled struct {
		Workload bool
		To       int32
	}
	for name, test := range map[string]struct {
		reason string
		of     func(*plan.Snapshot)
		want   []scaled
	}{
		"StableLostPods": {
			reason: "What is left of the Deployment stays while stable can't carry everything.",
			of: func(s *plan.Snapshot) {
				s.Workload.Replicas, s.Workload.Current, s.Workload.Available = 2, 2, 2
				s.Revisions[0].Ready, s.Revisions[0].Available = 3, 3
				s.StableService.Ready["ours"] = 3
			},
			want: []scaled{{true, 1}},
		},
		"NarrowedToAnother": {
			reason: "Beside pods that carry nothing the first revision need not leave room.",
			of: func(s *plan.Snapshot) {
				s.Rollout.Status.StableRevision, s.Rollout.Status.CanaryRevision, s.Target = "", "new", "new"
				s.Revisions = append(s.Revisions, plan.Revision{Hash: "new", Name: "shop-new", Number: 2, Replicas: 2, Current: 2, Ready: 2, Available: 2})
				s.Workload.Replicas, s.Workload.Current, s.Workload.Available = 3, 3, 3
			},
			want: []scaled{{false, 4}},
		},
		"TooMany": {
			reason: "A first revision is not promoted while the Deployment has more pods than the Rollout wants.",
			of: func(s *plan.Snapshot) {
				s.Rollout.Status.StableRevision, s.Rollout.Status.CanaryRevision = "", "ours"
				s.Workload.Replicas, s.Workload.Before = 7, nil
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := leaving()
			s.Rollout.DeletionTimestamp = nil
			at := metav1.NewTime(s.Now.Add(-time.Minute))
			test.of(&s)
			s.Rollout.Status.Traffic = &v1alpha1.TrafficStatus{
				Endpoints: []v1alpha1.ServiceEndpoints{{Service: "stable", Revision: "ours", Ready: s.StableService.Ready["ours"], Since: at}},
			}
			p := plan.Decide(s)
			var got []scaled
			for _, a := range p.Actions {
				switch a := a.(type) {
				case plan.ScaleWorkload:
					got = append(got, scaled{true, a.Replicas})
				case plan.ScaleRevision:
					got = append(got, scaled{false, a.Replicas})
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s\nScales (-want +got):\n%s%s", test.reason, diff, p.Status.Message)
			}
		})
	}
}

// TestWhatAnotherRolloutCarriesIsLeftAlone: two Rollouts may have shared a
// Service before only one could. The one that goes must not widen it under the other.
func TestWhatAnotherRolloutCarriesIsLeftAlone(t *testing.T) {
	shared := leaving()
	shared.Workload = nil
	for name, test := range map[string]struct {
		reason  string
		selects string
		rival   string
		want    int
	}{
		"Ours":       {"nobody else steers them", "ours", "", 2},
		"Theirs":     {"they stand for the other's revision", "theirs", "elder", 0},
		"LeftByUs":   {"the other has not taken them over yet, and our pods leave", "ours", "elder", 2},
		"LeftByGone": {"what they stand for is nobody's", "gone", "", 2},
	} {
		s := shared
		s.StableService = plan.Service{Name: "stable", Selects: test.selects, Rival: test.rival, Ready: map[string]int32{test.selects: 4}}
		s.CanaryService = plan.Service{Name: "canary", Selects: test.selects, Rival: test.rival, Ready: map[string]int32{test.selects: 4}}
		if test.rival != "" {
			s.Problems = []plan.Problem{{Field: "spec.strategy", Message: "steered by Rollout elder"}}
		}
		widened, released := 0, false
		for _, a := range plan.Decide(s).Actions {
			switch a.(type) {
			case plan.SelectRevision:
				widened++
			case plan.ReleaseTraffic:
				released = true
			}
		}
		if widened != test.want || released != (test.want > 0) {
			t.Errorf("%s: %s: %d Services widened, routes released: %t; want %d", name, test.reason, widened, released, test.want)
		}
	}
}
