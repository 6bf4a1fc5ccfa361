// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

// scenario is a release, or several, told in a fixed order.
type scenario struct {
	// tells what it is about, in a sentence.
	tells    string
	strategy v1alpha1.Strategy
	// replicas wanted; 4 when not said.
	replicas int32
	// silent has no data plane report what it serves.
	silent bool
	// workload has a Deployment run v1 before.
	workload bool
	acts     []act
	// ends is true of the world that the scenario has to end in.
	ends func(*World) bool
}

// act is what people do once something is so.
type act struct {
	when func(*World) bool
	do   func(*people)
}

func then(when func(*World) bool, do func(*people)) act { return act{when, do} }

func want(image string) func(*people)      { return func(h *people) { h.want(image) } }
func say(verb v1alpha1.Verb) func(*people) { return func(h *people) { h.say(verb) } }
func scale(n int32) func(*people)          { return func(h *people) { h.scale(n) } }
func deletion(h *people)                   { h.w.logf("user deletes the Rollout"); h.w.deletion() }
func switchTo(s v1alpha1.Strategy) func(*people) {
	return func(h *people) {
		h.w.logf("user changes the strategy to %s", strategyName(s))
		h.w.editRollout(true, func(r *v1alpha1.Rollout) { r.Spec.Strategy = s })
	}
}

func status(w *World) v1alpha1.RolloutStatus {
	if w.live.rollout == nil {
		return v1alpha1.RolloutStatus{}
	}
	return w.live.rollout.Status
}

func healthy(image string) func(*World) bool {
	return func(w *World) bool {
		s := status(w)
		return s.Phase == v1alpha1.PhaseHealthy && w.name(s.StableRevision) == image && w.live.rollout.Generation == s.ObservedGeneration
	}
}

// aborted: an abort is complete and all traffic is with stable.
func aborted(image, stable string) func(*World) bool {
	return func(w *World) bool {
		s := status(w)
		return s.Phase == v1alpha1.PhaseDegraded && s.Abort != nil && w.name(s.Abort.Revision) == image && w.name(s.StableRevision) == stable
	}
}

// at: a revision is at a step, counted from 1, and nothing but a person can move it on.
func at(image string, step int32) func(*World) bool {
	return func(w *World) bool {
		s := status(w)
		return w.name(s.CanaryRevision) == image && s.CurrentStep != nil && s.CurrentStep.Index == step-1 && s.Phase == v1alpha1.PhasePaused
	}
}

// walks: a revision has come to a step, counted from 1.
func walks(image string, step int32) func(*World) bool {
	return func(w *World) bool {
		s := status(w)
		return w.name(s.CanaryRevision) == image && s.CurrentStep != nil && s.CurrentStep.Index >= step-1
	}
}

func gone(w *World) bool { return w.live.rollout == nil }

// heldAt pauses after each of some weights until somebody promotes.
func heldAt(weights ...int32) []v1alpha1.Step {
	var steps []v1alpha1.Step
	for _, n := range weights {
		steps = append(steps, weight(n), v1alpha1.Step{Pause: &v1alpha1.Pause{}})
	}
	return steps
}

func canaryWith(steps []v1alpha1.Step, edit ...func(*v1alpha1.CanaryStrategy)) v1alpha1.Strategy {
	c := &v1alpha1.CanaryStrategy{
		StableService: stableName, CanaryService: canaryName, Routes: routeRefs(), Steps: steps,
		ScaleDownDelaySeconds: new(int32(5)), AbortScaleDownDelaySeconds: new(int32(5)),
	}
	for _, e := range edit {
		e(c)
	}
	return v1alpha1.Strategy{Canary: c}
}

func analysed(c *v1alpha1.CanaryStrategy)    { c.Analysis = analysis() }
func dynamically(c *v1alpha1.CanaryStrategy) { c.ScaleStable = v1alpha1.ScaleStableDynamic }
func byPods(c *v1alpha1.CanaryStrategy) {
	c.StableService, c.CanaryService, c.Routes, c.Service = "", "", nil, stableName
}

func blueGreenWith(edit ...func(*v1alpha1.BlueGreenStrategy)) v1alpha1.Strategy {
	b := &v1alpha1.BlueGreenStrategy{
		ActiveService: stableName, PreviewService: canaryName,
		ScaleDownDelaySeconds: new(int32(30)), AbortScaleDownDelaySeconds: new(int32(5)),
	}
	for _, e := range edit {
		e(b)
	}
	return v1alpha1.Strategy{BlueGreen: b}
}

func watchedAfter(b *v1alpha1.BlueGreenStrategy) {
	b.PostPromotion = &v1alpha1.PostPromotion{Analysis: *analysis(), Analyze: &v1alpha1.Analyze{MaxDuration: &v1alpha1.Duration{Duration: 3 * time.Minute}}}
}

func byHand(b *v1alpha1.BlueGreenStrategy) { b.AutoPromote = new(false) }

// stage makes the world of a scenario.
func (s scenario) stage(t *testing.T, c Catalogue, transcript bool, decide func(plan.Snapshot) plan.Plan) (*World, *people) {
	t.Helper()
	r := &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: callerName, Namespace: "test"},
		Spec:       v1alpha1.RolloutSpec{Replicas: new(int32(4)), ProgressDeadlineSeconds: new(int32(120)), Strategy: s.strategy},
	}
	if s.replicas > 0 {
		r.Spec.Replicas = &s.replicas
	}
	setup := Setup{
		Rollout: r, Catalogue: c, Lags: Calm(), Routes: 1, Services: [...]string{stableName, canaryName, callerName},
		Seed: 1, Transcript: transcript, Decide: decide, Silent: s.silent,
	}
	if s.workload {
		setup.Workload = *r.Spec.Replicas
	}
	w := New(setup)
	w.mischief.restarts = Exactly(3 * time.Second)
	return w, newPeople(w)
}

// play lets a scenario happen to its end; every law is checked after every event.
func (s scenario) play(w *World, h *people) error {
	done, shown := 0, ""
	for w.happened < 20000 {
		if done < len(s.acts) && s.acts[done].when(w) {
			s.acts[done].do(h)
			done++
		}
		if now := w.picture(); now != shown {
			shown = now
			w.logf("   | %s", now)
		}
		more, err := w.step()
		if err != nil {
			return err
		}
		if !more && done == len(s.acts) {
			break
		}
		if !more {
			return fmt.Errorf("act %d never comes: %s", done+1, w.standing())
		}
	}
	if !s.ends(w) {
		return fmt.Errorf("ends otherwise: %s", w.standing())
	}
	return nil
}

// picture is what a person sees at a glance: who gets how much, and the pods.
func (w *World) picture() string {
	if !w.talks {
		return ""
	}
	var parts []string
	for slot := range slots {
		if svc := w.live.services[slot]; svc != nil && svc.Selects != "" {
			parts = append(parts, fmt.Sprintf("%s %d %% (%s)", slots[slot], w.plane.most(slots[slot]), w.name(svc.Selects)))
		}
	}
	pods := func(name string, set *podSet) {
		ready := 0
		for _, p := range set.pods {
			if p.serves() {
				ready++
			}
		}
		parts = append(parts, fmt.Sprintf("%s %d/%d pods", name, ready, len(set.pods)))
	}
	if w.live.workload != nil {
		pods("Deployment", w.pods.set(""))
	}
	for _, r := range w.live.sets {
		pods(w.name(r.Hash), w.pods.set(r.Hash))
	}
	return strings.Join(parts, ", ")
}
