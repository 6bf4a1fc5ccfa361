// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// noon is when every scene is looked at.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// edit changes a scene before it is looked at.
type edit func(*Snapshot)

// weightStep and pauseStep are steps of scenes.
func weightStep(w int32) v1alpha1.Step { return v1alpha1.Step{SetWeight: ptr.To(w)} }

func pauseStep() v1alpha1.Step { return v1alpha1.Step{Pause: &v1alpha1.Pause{}} }

func analyzeStep(then v1alpha1.OnInconclusive) v1alpha1.Step {
	return v1alpha1.Step{Analyze: &v1alpha1.Analyze{OnInconclusive: then}}
}

// scene is a Rollout by routes at rest on v1 with four pods, steps 25, pause
// and 50, and everything settled long ago.
func scene(edits ...edit) Snapshot {
	s := Snapshot{
		Now: noon,
		Rollout: &v1alpha1.Rollout{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "test", Generation: 1, Finalizers: []string{v1alpha1.Finalizer}},
			Spec: v1alpha1.RolloutSpec{
				Replicas: ptr.To(int32(4)),
				Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
					StableService: "stable", CanaryService: "canary", AbortScaleDownDelaySeconds: ptr.To(int32(30)),
					Routes: []v1alpha1.RouteRef{{Kind: "HTTPRoute", Name: "shop"}},
					Steps:  []v1alpha1.Step{weightStep(25), pauseStep(), weightStep(50)},
				}},
			},
		},
		Template: &corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "shop"}}},
		},
		Target: "v1", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
		Revisions:     []Revision{revision("v1", 1, 4)},
		StableService: service("stable", "v1", 4), CanaryService: service("canary", "v1", 4),
		Traffic: carried(traffic.CanaryAt(0)),
	}
	s.Rollout.Status = v1alpha1.RolloutStatus{StableRevision: "v1", Release: 1}
	for _, e := range edits {
		e(&s)
	}
	return s
}

// revision has n pods, all available.
func revision(hash string, number int64, n int32) Revision {
	return Revision{Hash: hash, Name: "shop-" + hash, Number: number, Replicas: n, Current: n, Ready: n, Available: n}
}

func service(name, selects string, n int32) Service {
	s := Service{Name: name, Selects: selects, Ready: map[string]int32{}}
	if n > 0 {
		s.Ready[selects] = n
	}
	return s
}

// carried is a split that is requested and confirmed.
func carried(s traffic.Split) traffic.Observed {
	return traffic.Observed{Requested: []traffic.Split{s}, Confirmed: []traffic.Split{s}}
}

// canaryOf puts v2 in flight at a step with n pods and a weight.
func canaryOf(step, n, weight int32) edit {
	return func(s *Snapshot) {
		s.Target = "v2"
		s.Revisions = append(s.Revisions, revision("v2", 2, n))
		s.CanaryService = service("canary", "v2", n)
		s.Traffic = carried(traffic.CanaryAt(weight))
		st := &s.Rollout.Status
		st.CanaryRevision, st.Release = "v2", 2
		st.CurrentStep = &v1alpha1.CurrentStep{Index: step, Since: metav1.NewTime(noon.Add(-time.Minute))}
	}
}

// settledNow has everything been as it is for a minute.
func settledNow(s *Snapshot) {
	at := metav1.NewTime(noon.Add(-time.Minute))
	f := assess(*s)
	t := &v1alpha1.TrafficStatus{Requested: f.weights(s.Traffic.Requested), Beside: beside(s.Traffic.Requested), Since: &at, AcceptedAt: &at}
	for _, slot := range slots {
		if svc := f.slot(slot); svc.Ready[svc.Selects] > 0 {
			t.Endpoints = append(t.Endpoints, v1alpha1.ServiceEndpoints{Service: svc.Name, Revision: svc.Selects, Ready: svc.Ready[svc.Selects], Since: at})
		}
	}
	s.Rollout.Status.Traffic = t
}

// wants has another template written.
func wants(hash string) edit { return func(s *Snapshot) { s.Target = hash } }

// inSteps replaces the steps.
func inSteps(steps ...v1alpha1.Step) edit {
	return func(s *Snapshot) { s.Rollout.Spec.Strategy.Canary.Steps = steps }
}

// latched has the revision in flight aborted for a reason.
func latched(reason string) edit {
	return func(s *Snapshot) {
		s.Rollout.Status.Abort = &v1alpha1.AbortStatus{Revision: "v2", Reason: reason, Message: "as a test says", At: metav1.NewTime(noon)}
	}
}

// says writes a command.
func says(verb v1alpha1.Verb) edit {
	return func(s *Snapshot) {
		s.Rollout.Annotations = map[string]string{v1alpha1.CommandAnnotation: `{"id":"1","verb":"` + string(verb) + `","by":"ann"}`}
	}
}

// analysed gives the canary an analysis whose run stands so; it answers the step's question when verdict is given.
func analysed(step int32, phase, verdict v1alpha1.AnalysisPhase, metrics ...v1alpha1.MetricStatus) edit {
	return func(s *Snapshot) {
		c := s.Rollout.Spec.Strategy.Canary
		c.Analysis = &v1alpha1.Analysis{Metrics: []v1alpha1.Metric{{Name: "errors"}}}
		if phase == "" {
			return
		}
		at, f := cursorOf(s.Rollout.Status), assess(*s)
		run := v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Name: runName(at, f), Generation: 1}}
		if spec := desireRun(at, f, traffic.CanaryAt(1)); spec != nil {
			run.Spec = *spec
		}
		run.Status = v1alpha1.AnalysisRunStatus{ObservedGeneration: 1, Phase: phase, Message: "as a test says", Metrics: metrics}
		if verdict != "" {
			run.Spec.Question = &v1alpha1.Question{Step: step}
			run.Status.Answer = &v1alpha1.Answer{Step: step, Verdict: verdict, Message: "as a test says"}
		}
		s.Runs = append(s.Runs, run)
	}
}

// metric stands so, measured a moment ago.
func metric(verdict v1alpha1.MetricVerdict) v1alpha1.MetricStatus {
	return v1alpha1.MetricStatus{Name: "errors", Verdict: verdict, Measurements: []v1alpha1.Measurement{{At: metav1.NewTime(noon)}}}
}

// rebound has the spec name another Service than the one in force.
func rebound(s *Snapshot) {
	b := WantedBindings(s.Rollout)
	s.Rollout.Status.Bindings = &b
	s.Rollout.Spec.Strategy.Canary.StableService = "other"
}
