// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
	target   string          // hash of the wanted template
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
				StableService: "stable", CanaryService: "canary", AbortScaleDownDelaySeconds: ptr.To(int32(30)),
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
	w.target = w.hash(image)
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
		Now: w.now, Rollout: w.rollout.DeepCopy(), Template: w.rollout.Spec.Template, Target: w.target, Selector: w.rollout.Spec.Selector,
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
