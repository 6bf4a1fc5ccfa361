// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Point is what Rollout and route said from a time on.
type Point struct {
	// At is when it was seen.
	At time.Time
	// Phase, Step and Message as the Rollout reports them. Step is -1 without a cursor.
	Phase   v1alpha1.RolloutPhase
	Step    int32
	Message string
	// Stable and Canary are the Rollout's revisions.
	Stable, Canary string
	// Requested and Confirmed are the shares in percent by revision, those of 0 left out. Confirmed is empty while unknown.
	Requested, Confirmed map[string]int32
	// Route is the weight of the canary Service in the route itself, -1 while it can't be read.
	Route int32
	// Settled is true when the route and the confirmed split are the same.
	Settled bool
	// Analysis is what the Rollout reports of its analysis.
	Analysis v1alpha1.AnalysisStatus
}

// Newest is the revision on its way in, or else the one that is in.
func (p Point) Newest() string {
	if p.Canary != "" {
		return p.Canary
	}
	return p.Stable
}

// Recorder watches a shop's Rollout and route and remembers every change.
// It is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	rollout *v1alpha1.Rollout
	route   *unstructured.Unstructured
	points  []Point
	changed chan struct{} // closed and replaced at every change
}

// Record watches until ctx ends.
func (w Witness) Record(ctx context.Context) (*Recorder, error) {
	r := &Recorder{changed: make(chan struct{})}
	c, err := cache.New(w.cluster.config, cache.Options{
		Scheme: w.cluster.scheme, DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
	})
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	seen := toolscache.ResourceEventHandlerFuncs{AddFunc: r.see, UpdateFunc: func(_, o any) { r.see(o) }}
	route := &unstructured.Unstructured{} // whichever kind it is
	route.SetGroupVersionKind(w.route)
	for _, kind := range []client.Object{&v1alpha1.Rollout{}, route} {
		informer, err := c.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(seen); err != nil {
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	go func() { _ = c.Start(ctx) }()
	if !c.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("watch: %w", context.Cause(ctx))
	}
	return r, nil
}

func (r *Recorder) see(object any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o := object.(type) {
	case *v1alpha1.Rollout:
		if o.Name != Name {
			return
		}
		r.rollout = o
	case *unstructured.Unstructured:
		if o.GetName() != Name {
			return
		}
		r.route = o
	}
	if p := point(r.rollout, r.route); len(r.points) == 0 || !same(p, r.points[len(r.points)-1]) {
		r.points = append(r.points, p)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// point reads the two objects, either of which may not be there yet.
func point(ro *v1alpha1.Rollout, route *unstructured.Unstructured) Point {
	p := Point{At: time.Now(), Step: -1, Route: canaryWeight(route)}
	if ro == nil {
		return p
	}
	st := ro.Status
	p.Phase, p.Message, p.Stable, p.Canary = st.Phase, st.Message, st.StableRevision, st.CanaryRevision
	if st.CurrentStep != nil {
		p.Step = st.CurrentStep.Index
	}
	if st.Analysis != nil {
		p.Analysis = *st.Analysis
	}
	if st.Traffic == nil {
		return p
	}
	p.Requested, p.Confirmed = byRevision(st.Traffic.Requested), byRevision(st.Traffic.Confirmed)
	// Before the first revision is stable its Services stand for whatever pods there are: no share is a revision's.
	p.Settled = st.StableRevision != "" && len(p.Confirmed) > 0 && slices.Equal(st.Traffic.Requested, st.Traffic.Confirmed) &&
		p.Route == weightOf(st.Traffic.Confirmed, CanaryService)
	return p
}

// weightOf is the weight of a Service. One that is not named, as where a selector switches, has none.
func weightOf(ws []v1alpha1.RevisionWeight, service string) int32 {
	var weight int32
	for _, w := range ws {
		if w.Service == service {
			weight += w.Weight
		}
	}
	return weight
}

func byRevision(ws []v1alpha1.RevisionWeight) map[string]int32 {
	shares := map[string]int32{}
	for _, w := range ws {
		if w.Weight > 0 {
			shares[w.Revision] += w.Weight
		}
	}
	return shares
}

// canaryWeight is the canary's weight in the route, whatever kind that is, -1 when it has none.
func canaryWeight(route *unstructured.Unstructured) int32 {
	if route == nil {
		return -1
	}
	return weightIn(route.Object["spec"])
}

// weightIn finds the first weight of the canary in a part of a route. Rules of
// the controller's own are for some requests only.
func weightIn(part any) int32 {
	switch p := part.(type) {
	case []any:
		for _, item := range p {
			if w := weightIn(item); w >= 0 {
				return w
			}
		}
	case map[string]any:
		if name, _ := p["name"].(string); strings.HasPrefix(name, "sluice.dev") {
			return -1
		}
		if w, ok := p["weight"].(int64); ok && isCanary(p) {
			return int32(w)
		}
		for _, field := range []string{"rules", "backendRefs", "http", "route"} {
			if w := weightIn(p[field]); w >= 0 {
				return w
			}
		}
	}
	return -1
}

// isCanary reports whether a backend of the Gateway API or a destination of Istio is the canary's.
func isCanary(to map[string]any) bool {
	destination, ok := to["destination"].(map[string]any)
	if !ok {
		return to["name"] == CanaryService
	}
	return destination["host"] == CanaryService || destination["subset"] == "canary"
}

// same reports whether two points differ in nothing but the time.
func same(a, b Point) bool {
	return a.Phase == b.Phase && a.Step == b.Step && a.Message == b.Message && a.Stable == b.Stable && a.Canary == b.Canary &&
		a.Route == b.Route && a.Settled == b.Settled && a.Analysis == b.Analysis &&
		maps.Equal(a.Requested, b.Requested) && maps.Equal(a.Confirmed, b.Confirmed)
}

// Points gives everything seen so far, oldest first.
func (r *Recorder) Points() []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.points)
}

// Changed gives a channel that is closed at the next change.
func (r *Recorder) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Latest is the Rollout as last seen, nil before that. It must not be changed.
func (r *Recorder) Latest() *v1alpha1.Rollout {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rollout
}

// Wait waits until the Rollout satisfies the condition. When ctx ends first,
// the error says how the Rollout was then.
func (r *Recorder) Wait(ctx context.Context, what string, is func(*v1alpha1.Rollout) bool) error {
	for {
		changed := r.Changed()
		ro := r.Latest()
		if ro != nil && is(ro) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the Rollout is %s", what, context.Cause(ctx), Describe(r.Latest()))
		}
	}
}

// Describe says in a line where a Rollout is.
func Describe(ro *v1alpha1.Rollout) string {
	if ro == nil {
		return "not there"
	}
	p := point(ro, nil)
	return fmt.Sprintf("%s (%q), stable %q, canary %q, step %d, requested %v, confirmed %v, analysis %s %q",
		p.Phase, p.Message, p.Stable, p.Canary, p.Step, p.Requested, p.Confirmed, p.Analysis.Phase, p.Analysis.Message)
}

// Reached gives the condition of being in a phase with the spec of a generation observed.
func Reached(phase v1alpha1.RolloutPhase, generation int64) func(*v1alpha1.Rollout) bool {
	return func(r *v1alpha1.Rollout) bool {
		return r.Status.ObservedGeneration >= generation && r.Status.Phase == phase
	}
}
