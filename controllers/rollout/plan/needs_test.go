// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// roles puts labels on the pods of both roles.
func roles(s *Snapshot) {
	c := s.Rollout.Spec.Strategy.Canary
	c.StableMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "stable"}}
	c.CanaryMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"role": "canary"}}
}

// inOrder gives what is done, in short.
func inOrder(p Plan) []string {
	var all []string
	for _, a := range p.Actions {
		all = append(all, a.String())
	}
	return all
}

// TestWayBackComesFirst: traffic returns before anything else is written that may be refused or take long.
func TestWayBackComesFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		scene  Snapshot
		want   []string
	}{
		"AbortBesideMetadata": {"marking is a write for each pod, and each may meet a webhook that is down", scene(canaryOf(1, 2, 25), settledNow, roles, says(v1alpha1.VerbAbort)),
			[]string{"shift traffic to stable 100 %, canary 0 %", "put the role's metadata on shop-v1"}},
		"AbortBesideAService": {"a Service that is to be made again may be refused",
			scene(canaryOf(1, 2, 25), settledNow, func(s *Snapshot) {
				s.BaselineService = Service{Name: "baseline", Missing: true}
				s.StableService.Version = "1"
			}, says(v1alpha1.VerbAbort)),
			[]string{"shift traffic to stable 100 %, canary 0 %", "create Service baseline as a copy of stable"}},
		"AbortBesideCapacity": {"stable is kept in full and is asked for more pods at the same moment", scene(canaryOf(1, 2, 25), settledNow, replicas(5), says(v1alpha1.VerbAbort)),
			[]string{"shift traffic to stable 100 %, canary 0 %", "scale shop-v1 from 4 to 5"}},
		"ForwardBesideMetadata": {"on the way forward capacity comes before traffic, and metadata last", scene(canaryOf(2, 2, 25), settledNow, roles),
			[]string{"shift traffic to stable 50 %, canary 50 %", "put the role's metadata on shop-v1", "put the role's metadata on shop-v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, inOrder(Decide(tc.scene))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWithout: what fails stops what needs it, and nothing else.
func TestWithout(t *testing.T) {
	var (
		shift, widen = ShiftTraffic{Split: traffic.CanaryAt(0)}, SelectRevision{Service: "stable"}
		grow, shrink = ScaleRevision{Name: "shop-v1", From: 1, Replicas: 4}, ScaleRevision{Name: "shop-v2", From: 2}
		let          = DropFinalizer{}
	)
	for name, tc := range map[string]struct {
		reason     string
		failed     Action
		rest, want []Action
	}{
		"Metadata":   {"it carries nobody", MarkRevision{}, []Action{shift, shrink, let}, []Action{shift, shrink}},
		"Service":    {"whoever needs it waits for it anyway", CreateService{}, []Action{grow, shift}, []Action{grow, shift}},
		"Capacity":   {"traffic goes by the pods there are, and none is taken away", grow, []Action{shift, MarkRevision{}, shrink}, []Action{shift, MarkRevision{}}},
		"Selection":  {"the routes lead to who can serve", SelectRevision{Service: "canary", Revision: "v1"}, []Action{shift, shrink}, []Action{shift}},
		"Traffic":    {"pods it may still reach stay, and nothing is measured yet", shift, []Action{StartRun{}, StopRun{}, EvictPod{}, shrink}, []Action{StopRun{}}},
		"Routes":     {"Services are widened once their routes are given back", ReleaseTraffic{}, []Action{widen, DropRoute{}, ScaleWorkload{Restore: true}, let}, nil},
		"Finalizer":  {"nothing is changed that nobody would hand back", HoldFinalizer{}, []Action{shift, grow, MarkRevision{}}, nil},
		"GateAndJob": {"they are for people", StartJob{}, []Action{shift, shrink, AskGate{}}, []Action{shift, shrink, AskGate{}}},
	} {
		t.Run(name, func(t *testing.T) {
			rest := slices.Clone(tc.rest)
			got := Without(rest, tc.failed)
			if !slices.Equal(texts(got), texts(tc.want)) || !slices.Equal(texts(rest), texts(tc.rest)) {
				t.Errorf("%s: goes on with %v, want %v; what was planned is now %v", tc.reason, got, tc.want, rest)
			}
		})
	}
}

func texts(all []Action) []string { return inOrder(Plan{Actions: all}) }
