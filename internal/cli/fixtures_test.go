// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/view"
)

const (
	stableHash = "bcdfghjklm"
	canaryHash = "xz24567892"
)

// now is the time at which every fixture is looked at.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now().Add(-d)) }

func ptr[T any](v T) *T { return &v }

// situation is a Rollout and what is below it, changed by modifiers.
type situation struct{ view.Objects }

type change func(*situation)

// situate starts from a settled Rollout of four pods and applies changes.
func situate(changes ...change) situation {
	r := newRollout("shop", "checkout")
	r.UID, r.Generation = "rollout-uid", 3
	r.CreationTimestamp = ago(48 * time.Hour)
	s := situation{view.Objects{Now: now(), Rollout: r}}
	r.Status = v1alpha1.RolloutStatus{
		ObservedGeneration: 3, Phase: v1alpha1.PhaseHealthy, Strategy: "Canary", Image: "shop:v1",
		Message: "revision bcdfghjklm carries all traffic", StableRevision: stableHash,
		Release: 1, StartedAt: ptr(ago(3 * time.Hour)), ReadyReplicas: 4,
		Conditions: []metav1.Condition{
			condition(v1alpha1.ConditionReady, "True", v1alpha1.ReasonPromoted, ""),
			condition(v1alpha1.ConditionSpecValid, "True", v1alpha1.ReasonValid, ""),
		},
	}
	s.split(0, ptr(int32(0)))
	s.revision(stableHash, 1, v1alpha1.RoleStable, "shop:v1", 4)
	s.pods(stableHash, 4, time.Hour)
	for _, c := range changes {
		c(&s)
	}
	return s
}

func newRollout(namespace, name string) *v1alpha1.Rollout {
	return &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.RolloutSpec{
			Replicas: ptr(int32(4)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: &corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop:v2"}}},
			},
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
				StableService: name + "-stable", CanaryService: name + "-canary",
				Routes: []v1alpha1.RouteRef{{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Name: name}},
				Analysis: &v1alpha1.Analysis{Metrics: []v1alpha1.Metric{
					{Name: "error-rate", Threshold: &v1alpha1.Threshold{Query: "errors", Max: ptr("0.01")}},
				}},
				Steps: []v1alpha1.Step{
					{SetWeight: ptr(int32(5))},
					{Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: 15 * time.Minute}}},
					{SetWeight: ptr(int32(25))},
					{Pause: &v1alpha1.Pause{For: &v1alpha1.Duration{Duration: 10 * time.Minute}}},
					{SetWeight: ptr(int32(50))},
					{Pause: &v1alpha1.Pause{}},
				},
			}},
		},
	}
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: ago(time.Minute)}
}

// split sets the requested weight of the canary and, unless nil, the confirmed one.
func (s *situation) split(requested int32, confirmed *int32) {
	st := &s.Rollout.Status
	shares := func(w int32) []v1alpha1.RevisionWeight {
		canary := st.CanaryRevision
		if canary == "" {
			canary = stableHash
		}
		return []v1alpha1.RevisionWeight{
			{Service: "checkout-stable", Revision: stableHash, Weight: 100 - w},
			{Service: "checkout-canary", Revision: canary, Weight: w},
		}
	}
	st.Traffic = &v1alpha1.TrafficStatus{Requested: shares(requested), CanaryWeight: requested, Since: ptr(ago(12 * time.Second))}
	if confirmed != nil {
		st.Traffic.Confirmed = shares(*confirmed)
	}
}

func (s *situation) revision(hash string, number int64, role v1alpha1.RevisionRole, image string, replicas int32) {
	st := &s.Rollout.Status
	st.Revisions = append(st.Revisions, v1alpha1.RevisionStatus{Hash: hash, Number: number, Role: role, Images: []string{image}, Replicas: replicas})
	rs := appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "checkout-" + hash, UID: types.UID(hash),
			Labels:          map[string]string{v1alpha1.RolloutLabel: "checkout", v1alpha1.RevisionLabel: hash},
			OwnerReferences: owned("Rollout", "checkout", "rollout-uid"),
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas},
	}
	s.ReplicaSets = append(s.ReplicaSets, rs)
}

// pods adds ready pods to a revision.
func (s *situation) pods(hash string, n int, old time.Duration) {
	for range n {
		s.pod(hash, old, corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Ready: true}},
		})
	}
	for i := range s.ReplicaSets {
		if s.ReplicaSets[i].Labels[v1alpha1.RevisionLabel] == hash {
			s.ReplicaSets[i].Status.ReadyReplicas += int32(n)
			s.ReplicaSets[i].Status.AvailableReplicas += int32(n)
		}
	}
}

func (s *situation) pod(hash string, old time.Duration, status corev1.PodStatus) {
	s.Pods = append(s.Pods, corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("checkout-%s-%05d", hash, len(s.Pods)), CreationTimestamp: ago(old),
			Labels:          map[string]string{v1alpha1.RevisionLabel: hash},
			OwnerReferences: owned("ReplicaSet", "checkout-"+hash, types.UID(hash)),
		},
		Spec:   corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "main"}}},
		Status: status,
	})
}

func owned(kind, name string, uid types.UID) []metav1.OwnerReference {
	return []metav1.OwnerReference{{Kind: kind, Name: name, UID: uid, Controller: ptr(true)}}
}

// releasing puts the canary in flight at a step.
func releasing(step int32, phase v1alpha1.RolloutPhase, message string) change {
	return func(s *situation) {
		st := &s.Rollout.Status
		st.Phase, st.Message, st.CanaryRevision, st.Image = phase, message, canaryHash, "shop:v2"
		st.Release, st.StartedAt = 2, ptr(ago(4*time.Minute))
		st.CurrentStep = &v1alpha1.CurrentStep{Index: step, Position: fmt.Sprintf("%d/6", step+1), Since: ago(90 * time.Second)}
		st.Conditions = []metav1.Condition{condition(v1alpha1.ConditionReady, "False", string(phase), message)}
		s.revision(canaryHash, 2, v1alpha1.RoleCanary, "shop:v2", 1)
	}
}

// measuring adds the AnalysisRun of the canary.
func measuring(phase v1alpha1.AnalysisPhase, message string, m v1alpha1.MetricStatus) change {
	return func(s *situation) {
		m.Name = "error-rate"
		s.Rollout.Status.Analysis = &v1alpha1.AnalysisStatus{Run: "checkout-2", Phase: phase, Message: message}
		s.Runs = append(s.Runs, v1alpha1.AnalysisRun{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "checkout-2",
				Labels: map[string]string{v1alpha1.RolloutLabel: "checkout", v1alpha1.RevisionLabel: canaryHash},
			},
			Spec: v1alpha1.AnalysisRunSpec{Metrics: s.Rollout.Spec.Strategy.Canary.Analysis.Metrics, Block: v1alpha1.Duration{Duration: 10 * time.Second}},
			Status: v1alpha1.AnalysisRunStatus{
				Phase: phase, Message: message, StartedAt: ptr(ago(3 * time.Minute)), Metrics: []v1alpha1.MetricStatus{m},
			},
		})
	}
}

func with(conditions ...metav1.Condition) change {
	return func(s *situation) { s.Rollout.Status.Conditions = append(s.Rollout.Status.Conditions, conditions...) }
}
