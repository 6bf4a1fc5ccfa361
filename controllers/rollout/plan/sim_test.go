// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// world is a cluster in small: ReplicaSets whose pods come up late, Services
// whose endpoints lag, routes that are accepted late and a data plane that lags
// behind everything. Nothing in it fails by itself; what goes wrong is the
// order of events, lost status writes and a controller that dies between writes.
type world struct {
	rng      *rand.Rand
	now      time.Time
	rollout  *v1alpha1.Rollout
	pods     map[string]*pods
	selects  map[traffic.Slot]string
	listed   map[traffic.Slot]map[string]int32 // EndpointSlices
	known    map[traffic.Slot]map[string]int32 // endpoints as the data plane knows them
	split    traffic.Split                     // in the route
	accepted bool
	served   traffic.Split // by the data plane
	caughtUp time.Time     // when the data plane last did
	runs     map[string]*v1alpha1.AnalysisRun
	bad      map[string]bool // revisions whose analysis fails
	broken   map[string]bool // revisions whose pods never get ready
	log      []string
}

type pods struct {
	number      int64
	want, ready int32
}

const (
	stableSlot, canarySlot = traffic.Stable, traffic.Canary
	simReplicas            = 4
)

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, seed)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		pods: map[string]*pods{}, selects: map[traffic.Slot]string{},
		listed: map[traffic.Slot]map[string]int32{stableSlot: {}, canarySlot: {}},
		known:  map[traffic.Slot]map[string]int32{stableSlot: {}, canarySlot: {}},
		split:  traffic.CanaryAt(0), served: traffic.CanaryAt(0),
		runs: map[string]*v1alpha1.AnalysisRun{}, bad: map[string]bool{}, broken: map[string]bool{},
	}
	for slot := range serviceNames {
		w.selects[slot] = ""
	}
	w.rollout = &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "test", Generation: 1, Finalizers: []string{v1alpha1.Finalizer}},
		Spec: v1alpha1.RolloutSpec{
			ProgressDeadlineSeconds: ptr.To(int32(60)),
			Replicas:                ptr.To(int32(simReplicas)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}},
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{
				StableService: "stable", CanaryService: "canary",
				Routes:   []v1alpha1.RouteRef{{Kind: "HTTPRoute", Name: "shop"}},
				Analysis: &v1alpha1.Analysis{Metrics: []v1alpha1.Metric{{Name: "errors"}}},
				Steps: []v1alpha1.Step{
					{SetWeight: ptr.To(int32(25))}, {Analyze: &v1alpha1.Analyze{}},
					{SetWeight: ptr.To(int32(75))}, {Pause: &v1alpha1.Pause{For: &metav1.Duration{Duration: 5 * time.Second}}},
					{SetWeight: ptr.To(int32(50))}, {SetWeight: ptr.To(int32(99))},
				},
			}},
		},
	}
	w.template("v1")
	return w
}

var serviceNames = map[traffic.Slot]string{stableSlot: "stable", canarySlot: "canary"}

func (w *world) template(image string) {
	w.rollout.Spec.Template = &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: image}}},
	}
	w.rollout.Generation++
}

func (w *world) hash(image string) string {
	t := w.rollout.Spec.Template.DeepCopy()
	t.Spec.Containers[0].Image = image
	hash, err := plan.HashTemplate(*t)
	if err != nil {
		panic(err)
	}
	return hash
}

func (w *world) snapshot() plan.Snapshot {
	s := plan.Snapshot{
		Now: w.now, Rollout: w.rollout.DeepCopy(), Template: w.rollout.Spec.Template, Selector: w.rollout.Spec.Selector,
		Traffic: traffic.Observed{Requested: []traffic.Split{w.split}},
	}
	if w.accepted {
		s.Traffic.Confirmed = s.Traffic.Requested
	}
	service := func(slot traffic.Slot) plan.Service {
		ready := map[string]int32{}
		for h, n := range w.listed[slot] {
			ready[h] = n
		}
		return plan.Service{Name: serviceNames[slot], Selects: w.selects[slot], Ready: ready}
	}
	s.StableService, s.CanaryService = service(stableSlot), service(canarySlot)
	for hash, p := range w.pods {
		s.Revisions = append(s.Revisions, plan.Revision{
			Hash: hash, Name: "shop-" + hash, Number: p.number, Replicas: p.want, Current: p.ready, Ready: p.ready, Available: p.ready,
		})
	}
	for _, run := range w.runs {
		s.Runs = append(s.Runs, *run.DeepCopy())
	}
	return s
}

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
	case plan.StopRun:
		w.runs[a.Name].Spec.Stop = true
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

// list brings a Service's EndpointSlices up to date.
func (w *world) list(slot traffic.Slot) {
	w.listed[slot] = w.endpoints(slot)
}

// endpoints are what a Service's EndpointSlices will say.
func (w *world) endpoints(slot traffic.Slot) map[string]int32 {
	listed := map[string]int32{}
	for hash, p := range w.pods {
		if (w.selects[slot] == "" || w.selects[slot] == hash) && p.ready > 0 {
			listed[hash] = p.ready
		}
	}
	return listed
}

// tick lets time pass. A second is the longest that a data plane lags behind
// what was accepted and listed before, since convergence.settle is two.
func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	if w.now.Sub(w.caughtUp) >= time.Second {
		w.catchUp()
	}
}

func (w *world) catchUp() {
	w.caughtUp = w.now
	if w.accepted {
		w.served = w.split
	}
	for slot, listed := range w.listed {
		w.known[slot] = listed
	}
}

func (w *world) measure() {
	for _, run := range w.runs {
		if run.Status.CompletedAt != nil {
			continue
		}
		at := metav1.NewTime(w.now)
		m := v1alpha1.MetricStatus{Name: "errors", Verdict: v1alpha1.MetricPassing, Measurements: []v1alpha1.Measurement{{At: at}}}
		run.Status.Phase, run.Status.ObservedGeneration = v1alpha1.AnalysisRunning, run.Generation
		switch {
		case run.Spec.Stop:
			run.Status.Phase, run.Status.CompletedAt = v1alpha1.AnalysisTerminated, &at
		case w.bad[run.Labels[v1alpha1.RevisionLabel]]:
			run.Status.Phase, run.Status.CompletedAt, m.Verdict = v1alpha1.AnalysisFailed, &at, v1alpha1.MetricFailed
		case w.rng.IntN(3) == 0:
			m.Verdict, m.Message = v1alpha1.MetricNoData, "no answer"
		case run.Spec.Question != nil:
			run.Status.Answer = &v1alpha1.Answer{Step: run.Spec.Question.Step, Verdict: v1alpha1.AnalysisPassed}
		}
		run.Status.Metrics = []v1alpha1.MetricStatus{m}
	}
}

// grow brings up one pod of one revision.
func (w *world) grow() {
	var hashes []string
	for hash, p := range w.pods {
		if p.ready < p.want && !w.broken[hash] {
			hashes = append(hashes, hash)
		}
	}
	if len(hashes) == 0 {
		return
	}
	slices.Sort(hashes)
	w.pods[hashes[w.rng.IntN(len(hashes))]].ready++
}

// lost finds requests that the data plane can't deliver.
func (w *world) lost() error {
	for _, slot := range []traffic.Slot{stableSlot, canarySlot} {
		if w.served.Of(slot) == 0 || w.rollout.Status.StableRevision == "" {
			continue
		}
		if len(w.known[slot]) == 0 {
			return fmt.Errorf("%s gets %d %% and has no endpoint", slot, w.served.Of(slot))
		}
		for hash := range w.known[slot] {
			if p := w.pods[hash]; p == nil || p.ready == 0 {
				return fmt.Errorf("%s gets %d %% and sends it to %s, whose pods are gone", slot, w.served.Of(slot), hash)
			}
		}
	}
	return nil
}

func (w *world) logf(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%s  %s", w.now.Format("15:04:05.0"), fmt.Sprintf(format, args...)))
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
	case w.split != traffic.CanaryAt(0):
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
