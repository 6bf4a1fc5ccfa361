// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/view"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestTree compares what people see in each situation with testdata/NAME.golden.
func TestTree(t *testing.T) {
	cases := map[string]struct {
		reason string
		s      situation
		look   look
	}{
		"fresh": {
			reason: "Without a status the tree says that the controller has not come by yet.",
			s: situate(func(s *situation) {
				s.Rollout.Status = v1alpha1.RolloutStatus{}
				s.ReplicaSets, s.Pods = nil, nil
			}),
		},
		"healthy": {
			reason: "At rest there is one revision, and retired ones take one line.",
			s: situate(func(s *situation) {
				s.revision("qqqqqqqqqq", 0, v1alpha1.RoleRetired, "shop:v0", 0)
			}),
		},
		"healthy-wide": {
			reason: "Wide shows nodes and retired revisions.",
			s: situate(func(s *situation) {
				s.revision("qqqqqqqqqq", 0, v1alpha1.RoleRetired, "shop:v0", 0)
			}),
			look: look{wide: true},
		},
		"waiting-for-pods": {
			reason: "The step, the pod that is missing and the weight that is not confirmed are all named.",
			s:      waitingForPods(),
		},
		"waiting-for-pods-colour": {
			reason: "Colours change nothing but colours.",
			s:      waitingForPods(),
			look:   look{colour: true},
		},
		"paused": {
			reason: "A timed pause says when it ends.",
			s: situate(releasing(3, v1alpha1.PhasePaused, "step 4/6: paused for 10m, until 12:08:30"),
				func(s *situation) { s.split(25, ptr(int32(25))); s.pods(canaryHash, 1, time.Minute) },
				measuring(v1alpha1.AnalysisRunning, "1 metric passing", passing()),
			),
		},
		"observed": {
			reason: "Where no data plane reports, what the weights rest on is shown with its figures.",
			s: situate(releasing(3, v1alpha1.PhasePaused, "step 4/6: paused for 10m, until 12:08:30"), observed("24.8%", 1984),
				func(s *situation) {
					s.Rollout.Status.Traffic.Confirmed, s.Rollout.Status.Traffic.ConfirmedBy = s.Rollout.Status.Traffic.Requested, v1alpha1.EvidenceObservedShare
				}),
		},
		"not-observed": {
			reason: "Requests that go another way are told of, with their figures.",
			s: situate(releasing(3, v1alpha1.PhaseHolding, "step 4/6: pause: the routes give the canary 25 %, but metric errors saw it get 0 % of 8000 requests"), observed("0%", 0),
				func(s *situation) {
					s.Rollout.Status.Traffic.Message = "the routes give the canary 25 %, but metric errors saw it get 0 % of 8000 requests (0, from 11:58:40 to 12:00:00 UTC)"
				},
				with(condition(v1alpha1.ConditionTrafficConverged, "False", v1alpha1.ReasonWaitingForTraffic, "the routes give the canary 25 %"))),
		},
		"by-pods": {
			reason: "Without Services shares are those of revisions, each with its own confirmed weight.",
			s: situate(releasing(3, v1alpha1.PhasePaused, "step 4/6: paused for 10m, until 12:08:30"), func(s *situation) {
				s.split(25, ptr(int32(20)))
				traffic := s.Rollout.Status.Traffic
				for _, shares := range [][]v1alpha1.RevisionWeight{traffic.Requested, traffic.Confirmed} {
					for i := range shares {
						shares[i].Service = ""
					}
				}
				traffic.Since, traffic.ConfirmedBy = nil, v1alpha1.EvidencePods
			}),
		},
		"by-pods-first": {
			reason: "Before the first revision has pods nothing stands for the share of stable.",
			s: situate(func(s *situation) {
				s.Rollout.Status = v1alpha1.RolloutStatus{
					ObservedGeneration: s.Rollout.Status.ObservedGeneration, Phase: v1alpha1.PhaseProgressing, Message: "first revision bcdfghjklm: waiting for pods: 0 of 4 available", CanaryRevision: stableHash,
					Traffic: &v1alpha1.TrafficStatus{Requested: []v1alpha1.RevisionWeight{{Weight: 100}, {Revision: stableHash}}},
				}
				s.ReplicaSets, s.Pods = nil, nil
			}),
		},
		"analyzing": {
			reason: "An analyze step shows the question, the value and the bounds.",
			s: situate(releasing(1, v1alpha1.PhaseProgressing, "step 2/6: analyzing, 2 of 3 measurements in a row within bounds"),
				func(s *situation) { s.split(5, ptr(int32(5))); s.pods(canaryHash, 1, time.Minute) },
				measuring(v1alpha1.AnalysisRunning, "error-rate undecided", v1alpha1.MetricStatus{
					Verdict: v1alpha1.MetricUndecided, Message: "2 of 3 measurements in a row within bounds", InBounds: 2,
					Measurements: []v1alpha1.Measurement{{At: ago(time.Second), Value: "0.00123456789", Outcome: v1alpha1.OutcomeInBounds}},
				}),
				func(s *situation) {
					s.Runs[0].Status.Answer = &v1alpha1.Answer{Step: 1, Verdict: v1alpha1.AnalysisRunning, Message: "2 of 3"}
				},
			),
		},
		"holding-no-data": {
			reason: "Missing data holds the release, and the provider's error can be read.",
			s: situate(releasing(1, v1alpha1.PhaseHolding, "step 2/6: holding, metric error-rate has no data for 40s"),
				func(s *situation) { s.split(5, ptr(int32(5))); s.pods(canaryHash, 1, time.Minute) },
				measuring(v1alpha1.AnalysisRunning, "error-rate has no data", v1alpha1.MetricStatus{
					Verdict: v1alpha1.MetricNoData, Message: "Post http://prometheus:9090/api/v1/query: connection refused\n", NoData: 4,
					Measurements: []v1alpha1.Measurement{{At: ago(time.Second), Outcome: v1alpha1.OutcomeNoData}},
				}),
				with(condition(v1alpha1.ConditionAnalysisHealthy, "False", v1alpha1.ReasonAnalysisNoData, "metric error-rate has no data for 40s")),
			),
		},
		"aborted": {
			reason: "An abort says why, with the numbers, and when the pods leave.",
			s: situate(releasing(2, v1alpha1.PhaseDegraded, "revision xz24567892 was aborted; revision bcdfghjklm carries all traffic"),
				func(s *situation) {
					s.split(0, ptr(int32(0)))
					s.pods(canaryHash, 1, time.Minute)
					st := &s.Rollout.Status
					st.Revisions[1].ScaleDownAt = ptr(metav1.NewTime(now().Add(20 * time.Second)))
					st.Abort = &v1alpha1.AbortStatus{Revision: canaryHash, Reason: v1alpha1.ReasonAnalysisFailed,
						Message: "error-rate 0.12 is above 0.01, 3 measurements in a row", At: ago(10 * time.Second), By: "sluice"}
				},
				measuring(v1alpha1.AnalysisFailed, "error-rate failed", v1alpha1.MetricStatus{
					Verdict: v1alpha1.MetricFailed, OutOfBounds: 3, Message: "3 measurements in a row above 0.01",
					Measurements: []v1alpha1.Measurement{{At: ago(time.Second), Value: "0.12", Outcome: v1alpha1.OutcomeOutOfBounds}},
				}),
				with(condition(v1alpha1.ConditionAnalysisHealthy, "False", v1alpha1.ReasonAnalysisFailed, "error-rate failed")),
			),
		},
		"invalid-spec": {
			reason: "A mistake names field and remedy.",
			s: situate(func(s *situation) {
				message := "spec.strategy.canary.stableService: there is no Service shop/checkout-stable; create it"
				s.Rollout.Status = v1alpha1.RolloutStatus{ObservedGeneration: 3, Phase: v1alpha1.PhasePending, Message: message,
					Conditions: []metav1.Condition{
						condition(v1alpha1.ConditionReady, "False", v1alpha1.ReasonInvalid, message),
						condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonInvalid, message),
						condition(v1alpha1.ConditionSpecValid, "False", v1alpha1.ReasonInvalid, message),
					}}
				s.ReplicaSets, s.Pods = nil, nil
			}),
		},
		"workload-ref": {
			reason: "A referenced Deployment is shown with what is left of its own pods; the command handled last too.",
			s: situate(func(s *situation) {
				s.Rollout.Spec.Template, s.Rollout.Spec.Selector = nil, nil
				s.Rollout.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}
				s.Workload = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
					Spec: appsv1.DeploymentSpec{Replicas: ptr(int32(2))}, Status: appsv1.DeploymentStatus{ReadyReplicas: 3}}
				s.Rollout.Generation = 4
				s.Rollout.Status.LastCommand = &v1alpha1.CommandStatus{ID: "1", Verb: v1alpha1.VerbPromote, Revision: stableHash,
					By: "ada", At: ago(time.Hour), Result: v1alpha1.CommandRefused, Message: "step 3 was passed already; ask again for step 4"}
			}),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			drawTree(&got, view.Build(tc.s.Objects), tc.look)
			if diff := cmp.Diff(golden(t, name, got.Bytes()), got.String()); diff != "" {
				t.Errorf("%s\ndrawTree(…): -want, +got:\n%s", tc.reason, diff)
			}
			if !tc.look.colour && strings.Contains(got.String(), "\x1b") {
				t.Error("A tree without colours holds an escape sequence.")
			}
		})
	}
}

// observed has 8000 requests been counted at 25 %.
func observed(share v1alpha1.Percentage, canary int64) func(*situation) {
	return func(s *situation) {
		s.split(25, nil)
		s.pods(canaryHash, 1, time.Minute)
		s.Rollout.Status.Traffic.Observed = &v1alpha1.ObservedTraffic{
			Share: share, Canary: canary, Requests: 8000, Metric: "errors", Since: ago(80 * time.Second), Until: ago(0),
		}
	}
}

func waitingForPods() situation {
	return situate(releasing(2, v1alpha1.PhaseProgressing, "step 3/6: weight 25 % requested, waiting for 1 of 2 canary pods"),
		func(s *situation) {
			s.split(25, ptr(int32(5)))
			s.Rollout.Status.Traffic.Message = "HTTPRoute checkout is not accepted in its newest generation yet"
			s.ReplicaSets[1].Spec.Replicas = ptr(int32(2))
			s.pods(canaryHash, 1, time.Minute)
			s.pod(canaryHash, 5*time.Second, corev1.PodStatus{Phase: corev1.PodPending,
				ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2, State: corev1.ContainerState{
					Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}}}}})
		},
		with(condition(v1alpha1.ConditionTrafficConverged, "False", v1alpha1.ReasonWaitingForTraffic, "HTTPRoute checkout: 5 % confirmed")),
	)
}

func passing() v1alpha1.MetricStatus {
	return v1alpha1.MetricStatus{Verdict: v1alpha1.MetricPassing, InBounds: 7, OutOfBounds: 1, DryRun: true,
		Measurements: []v1alpha1.Measurement{{At: ago(time.Second), Value: "0", Outcome: v1alpha1.OutcomeInBounds}}}
}

// golden returns the expected text, after rewriting it when asked to.
func golden(t *testing.T, name string, got []byte) string {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	return string(want)
}

func TestDrawRows(t *testing.T) {
	paused := situate(releasing(3, v1alpha1.PhasePaused, "paused")).Rollout
	fresh := newRollout("shop", "basket")
	var got bytes.Buffer
	if err := drawRows(&got, view.Rows([]v1alpha1.Rollout{*paused, *fresh}), true, now()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden(t, "list", got.Bytes()), got.String()); diff != "" {
		t.Errorf("drawRows(…): -want, +got:\n%s", diff)
	}
}
