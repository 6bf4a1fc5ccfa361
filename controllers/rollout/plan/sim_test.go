// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// pass is one pass of the controller, which may lose its status write or die after any action.
func (w *world) pass() error {
	p := plan.Decide(w.snapshot())
	if w.rng.IntN(10) == 0 {
		return nil // the status write conflicts
	}
	if err := w.checkCursor(p.Status); err != nil {
		return err
	}
	w.rollout.Status = *p.Status.DeepCopy()
	dies := -1
	if w.rng.IntN(5) == 0 {
		dies = w.rng.IntN(4)
	}
	for i, a := range p.Actions {
		if i == dies {
			w.logf("controller dies")
			return nil
		}
		w.logf("%s: %s", a, a.Why())
		if err := w.do(a); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) checkCursor(s v1alpha1.RolloutStatus) error {
	old := w.rollout.Status
	if old.Release != s.Release || old.CurrentStep == nil || s.CurrentStep == nil {
		return nil
	}
	if s.CurrentStep.Index < old.CurrentStep.Index {
		return fmt.Errorf("cursor goes back from %d to %d within release %d", old.CurrentStep.Index, s.CurrentStep.Index, s.Release)
	}
	if old.Abort != nil && s.Abort == nil && old.CanaryRevision == s.CanaryRevision {
		return fmt.Errorf("abort of %s is forgotten", old.CanaryRevision)
	}
	return nil
}

func (w *world) do(a plan.Action) error {
	switch a := a.(type) {
	case plan.CreateRevision:
		w.pods[a.Hash] = &pods{number: a.Number, want: a.Replicas}
	case plan.ScaleRevision:
		return w.scale(strings.TrimPrefix(a.Name, "shop-"), a.Replicas)
	case plan.DeleteRevision:
		delete(w.pods, strings.TrimPrefix(a.Name, "shop-"))
	case plan.SelectRevision:
		return w.sel(a)
	case plan.ShiftTraffic:
		return w.shift(a.Split)
	case plan.StartRun:
		w.runs[a.Name] = &v1alpha1.AnalysisRun{
			ObjectMeta: metav1.ObjectMeta{Name: a.Name, Generation: 1, Labels: map[string]string{v1alpha1.RevisionLabel: a.Revision}}, Spec: a.Spec,
		}
	case plan.AskRun:
		w.runs[a.Name].Spec.Question = a.Question
		w.runs[a.Name].Generation++
	case plan.RedirectRun:
		a.Sources.Into(&w.runs[a.Name].Spec)
		w.runs[a.Name].Generation++
	case plan.StopRun:
		w.runs[a.Name].Spec.Stop = true
	case plan.DeleteRun:
		delete(w.runs, a.Name)
	default:
		return fmt.Errorf("unexpected action %T", a)
	}
	return nil
}

// scale removes pods at once: whatever still gets requests is lost.
func (w *world) scale(hash string, n int32) error {
	p := w.pods[hash]
	if n < p.want {
		for slot, selected := range w.selects {
			share := max(w.split.Of(slot), w.served.Of(slot))
			if selected == hash && share > 0 && n < need(share) {
				return fmt.Errorf("scales %s to %d although %s carries %d %%", hash, n, slot, share)
			}
		}
	}
	p.want, p.ready = n, min(p.ready, n)
	return nil
}

func need(weight int32) int32 { return (simReplicas*weight + 99) / 100 }

func (w *world) sel(a plan.SelectRevision) error {
	for slot, name := range serviceNames {
		if name != a.Service {
			continue
		}
		share := max(w.split.Of(slot), w.served.Of(slot))
		if ready := w.pods[a.Revision].ready; ready < need(share) || ready == 0 {
			return fmt.Errorf("points %s with %d %% at %s, which has %d ready pods", name, share, a.Revision, ready)
		}
		w.selects[slot] = a.Revision
	}
	return nil
}

func (w *world) shift(s traffic.Split) error {
	for _, slot := range []traffic.Slot{stableSlot, canarySlot} {
		if s.Of(slot) <= w.split.Of(slot) {
			continue
		}
		var ready int32
		for hash, n := range w.listed[slot] {
			ready += min(n, w.pods[hash].ready)
		}
		if ready == 0 || (slot == canarySlot && ready < need(s.Of(slot))) {
			return fmt.Errorf("gives %s %d %% with %d ready endpoints", slot, s.Of(slot), ready)
		}
	}
	w.split, w.accepted = s, false
	return nil
}

// event lets one thing happen.
func (w *world) event(users bool) error {
	switch n := w.rng.IntN(20); {
	case n < 6:
		return w.pass()
	case n < 9:
		w.grow()
	case n < 11:
		w.list(stableSlot)
	case n < 13:
		w.list(canarySlot)
	case n < 15:
		w.accepted = true
	case n < 16:
		w.measure()
	case n < 17:
		w.catchUp()
	case n < 19:
		w.tick(time.Duration(200+w.rng.IntN(2500)) * time.Millisecond)
	case users && w.rng.IntN(8) == 0:
		w.user()
	}
	return nil
}

// user does what people and pipelines do.
func (w *world) user() {
	images := []string{"v1", "v2", "v3", "v4"}
	switch w.rng.IntN(4) {
	case 0:
		w.command(v1alpha1.VerbAbort)
	case 1:
		w.command([]v1alpha1.Verb{v1alpha1.VerbPromote, v1alpha1.VerbPromoteFull}[w.rng.IntN(2)])
	default:
		image := images[w.rng.IntN(len(images))]
		w.logf("user wants %s", image)
		w.template(image)
	}
}

func (w *world) command(verb v1alpha1.Verb) {
	w.logf("user says %s", verb)
	metav1.SetMetaDataAnnotation(&w.rollout.ObjectMeta, v1alpha1.CommandAnnotation,
		fmt.Sprintf(`{"id": "%d", "verb": %q, "revision": %q}`, w.rng.Int64(), verb, w.rollout.Status.CanaryRevision))
}

// rest lets the world come to rest, without users, and checks where it ends.
func (w *world) rest() error {
	for range 10000 {
		if err := w.event(false); err != nil {
			return err
		}
		if err := w.lost(); err != nil {
			return err
		}
		s := w.rollout.Status
		if !w.quiet() || (s.Phase != v1alpha1.PhaseHealthy && s.Phase != v1alpha1.PhaseDegraded) {
			continue
		}
		if p := plan.Decide(w.snapshot()); len(p.Actions) == 0 && p.Wake == 0 && s.Message == p.Status.Message {
			return w.atRest()
		}
	}
	return fmt.Errorf("never comes to rest: %s: %s", w.rollout.Status.Phase, w.rollout.Status.Message)
}

// quiet reports whether nothing but the controller could still move.
func (w *world) quiet() bool {
	return w.accepted && maps.Equal(w.listed[stableSlot], w.endpoints(stableSlot)) && maps.Equal(w.listed[canarySlot], w.endpoints(canarySlot))
}

func (w *world) atRest() error {
	s, target := w.rollout.Status, w.hash(w.rollout.Spec.Template.Spec.Containers[0].Image)
	switch {
	case !w.split.Equal(traffic.CanaryAt(0)):
		return fmt.Errorf("rests with %s", w.split)
	case s.Phase == v1alpha1.PhaseHealthy && s.StableRevision != target:
		return fmt.Errorf("healthy with %s, wanted %s", s.StableRevision, target)
	case s.Phase == v1alpha1.PhaseDegraded && (s.Abort == nil || s.Abort.Revision != target) && s.StableRevision != "":
		return fmt.Errorf("degraded without an abort of %s", target)
	}
	for hash, p := range w.pods {
		if hash != s.StableRevision && p.want != 0 && s.StableRevision != "" {
			return fmt.Errorf("rests with %d pods of %s, stable is %s", p.want, hash, s.StableRevision)
		}
	}
	return nil
}

// play runs one random schedule and gives the first broken law.
func play(seed uint64) (*world, error) {
	w := newWorld(seed)
	w.bad[w.hash("v3")] = true
	w.broken[w.hash("v4")] = true
	for range 300 {
		if err := w.event(true); err != nil {
			return w, err
		}
		if err := w.lost(); err != nil {
			return w, err
		}
	}
	w.logf("users leave")
	if w.rollout.Status.StableRevision == "" {
		w.template("v1") // a first revision that never gets ready never rests
	}
	return w, w.rest()
}

// TestRandomSchedules checks the laws of a release after every event of random
// schedules: no request is lost, weight never exceeds capacity, capacity never
// leaves before traffic, the cursor never goes back, an abort is never
// forgotten, and everything comes to rest.
func TestRandomSchedules(t *testing.T) {
	const schedules = 500
	start := uint64(time.Now().UnixNano())
	t.Logf("seeds %d to %d", start, start+schedules-1)
	for seed := start; seed < start+schedules; seed++ {
		if w, err := play(seed); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.log[max(0, len(w.log)-60):], "\n"))
		}
	}
}
