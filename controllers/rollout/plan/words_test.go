// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// TestWaitsNameTheirObjects: whoever reads the message knows what to look at, what is
// there in its place, and where nothing comes by itself, what to do.
func TestWaitsNameTheirObjects(t *testing.T) {
	late := func(s *Snapshot) {
		s.Rollout.Status.CurrentStep.WaitingSince = ptr.To(metav1.NewTime(noon.Add(-time.Hour)))
		s.Rollout.Spec.OnDeadline = v1alpha1.OnDeadlineDegrade
		s.Revisions[1].Ready, s.Revisions[1].Available = 0, 0
	}
	silentSince := func(ago time.Duration) edit {
		return func(s *Snapshot) {
			canaryOf(0, 1, 25)(s)
			settledNow(s)
			s.Traffic.Confirmed = nil
			s.Rollout.Status.Traffic.Since = ptr.To(metav1.NewTime(noon.Add(-ago)))
			s.Rollout.Status.Traffic.AcceptedAt = nil
		}
	}
	gate := inSteps(v1alpha1.Step{Gate: &v1alpha1.Gate{URL: "https://gate.example.com"}}, weightStep(50))
	twoRoutes := func(s *Snapshot) {
		c := s.Rollout.Spec.Strategy.Canary
		c.Routes = append(c.Routes, v1alpha1.RouteRef{Kind: "GRPCRoute", Name: "rpc"})
		canaryOf(0, 1, 25)(s)
		s.Traffic.Requested = []traffic.Split{traffic.CanaryAt(25), traffic.CanaryAt(0)}
		s.Traffic.Confirmed = nil
		settledNow(s)
	}
	listing := func(selects string, ready map[string]int32) edit {
		return func(s *Snapshot) { s.CanaryService.Selects, s.CanaryService.Ready = selects, ready }
	}
	shrunk := func(s *Snapshot) {
		s.Revisions[0] = revision("v1", 1, 2)
		s.Revisions[0].Replicas = 4
		s.Revisions[0].Trouble = "pod a: Unschedulable"
	}
	podsSplit := func(ready map[string]int32) edit {
		return func(s *Snapshot) { byPods("1")(s); s.CallerService.Ready = ready }
	}
	for name, m := range map[string]moment{
		"Others": {"a Service lists what it should not", scene(canaryOf(0, 1, 0), settledNow, listing("v2", map[string]int32{"v2": 1, "v1": 3})),
			[]string{"waiting for Service canary to list 1 ready endpoint of v2 alone, has 1 and 3 of others"}, []string{"selects"}},
		"Selects": {"it stands for another revision", scene(canaryOf(0, 1, 0), settledNow, listing("v1", map[string]int32{"v1": 4})),
			[]string{"of v2 alone, has 0 and 4 of others, and selects v1"}, nil},
		"Unnarrowed": {"or for all", scene(canaryOf(0, 1, 0), settledNow, listing("", map[string]int32{"v2": 1})),
			[]string{"of v2 alone, has 1, and selects those of every revision"}, nil},
		"Unconfirmed":   {"the data plane is waited for", scene(silentSince(time.Second)), []string{"waiting for the data plane of HTTPRoute shop to confirm stable 75 %, canary 25 %"}, []string{"look at"}},
		"UnconfirmedOn": {"and not for ever", scene(silentSince(time.Hour)), []string{"not confirmed within convergence.timeout (2m0s)", "; look at the status of HTTPRoute shop, and whether its controller runs"}, nil},
		"Differ":        {"several routes are waited for", scene(twoRoutes), []string{"HTTPRoute shop, GRPCRoute rpc"}, []string{"all routes"}},
		"Gate":          {"nobody has to wait for a URL for ever", scene(canaryOf(0, 1, 0), settledNow, gate), []string{"gate https://gate.example.com: waiting for permission (not asked yet), at the latest at ", ", then Abort; promote goes on without"}, nil},
		"Overdue":       {"the deadline does not abort", scene(canaryOf(0, 1, 0), settledNow, late), []string{"for longer than progressDeadlineSeconds (10m0s), waiting for pods: 0 of 1 available; mend that and it goes on, or abort"}, nil},
		"ShortStable":   {"the way back waits for pods", scene(canaryOf(2, 2, 50), latched("Bad"), settledNow, shrunk), []string{"Aborting", "; waiting for pods of v1: 2 of 4 available; pod a: Unschedulable; aborted because"}, nil},
		"PodsBack": {"so it does where pods are the split", scene(canaryOf(1, 1, 25), latched("Bad"), settledNow, podsSplit(map[string]int32{"v1": 3, "v2": 1}), shrunk),
			[]string{"returning all traffic to v1: waiting for its pods: 2 of 4 available; pod a: Unschedulable"}, []string{"pods are the split;"}},
		"PodsUnlisted": {"callers do not reach one of them", scene(canaryOf(1, 1, 25), latched("Bad"), settledNow, podsSplit(map[string]int32{"v1": 3})),
			[]string{"4 of 4 available; waiting for Service shop to list 4 ready endpoints of v1, has 3"}, nil},
		"PodsLeave": {"the others have to leave", scene(canaryOf(1, 1, 25), latched("Bad"), settledNow, podsSplit(map[string]int32{"v1": 4, "v2": 1})),
			[]string{"returning all traffic to v1: waiting for pods of v2 to leave: 1 are left"}, nil},
		"NoRun":      {"a run is to start", scene(canaryOf(0, 1, 25), settledNow, inSteps(weightStep(25)), analysed(0, "", "")), []string{"waiting for AnalysisRun shop-2 to start"}, nil},
		"Unmeasured": {"or to measure", scene(canaryOf(0, 1, 25), settledNow, inSteps(weightStep(25)), analysed(0, v1alpha1.AnalysisRunning, "")), []string{"waiting for the first measurements of AnalysisRun shop-2"}, nil},
	} {
		t.Run(name, m.check)
	}
}
