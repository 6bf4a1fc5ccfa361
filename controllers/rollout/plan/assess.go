// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
	"github.com/sluice-dev/sluice/routers/traffic"
)

// Defaults of fields that the API server fills in; they serve objects that never met it.
const (
	defaultScaleDownDelay = 30
	defaultDeadline       = 600
	defaultSettle         = 2 * time.Second
	defaultConvergence    = 2 * time.Minute
	defaultHistoryLimit   = 10
)

// facts are what the snapshot says, in the planner's words. Nothing in them
// depends on where the release is.
type facts struct {
	Snapshot
	// strategy in force.
	strategy v1alpha1.CanaryStrategy
	// replicas carry the whole traffic.
	replicas int32
	// revisions by hash.
	revisions map[string]Revision
	// shiftedAt is since when the routes carry what they carry now.
	shiftedAt time.Time
	// acceptedAt is since when every route reports that as accepted; zero while one does not.
	acceptedAt time.Time
	// servedSince is since when all ready endpoints of a slot are of the
	// revision that its Service selects; absent while that is not so.
	servedSince map[traffic.Slot]time.Time
}

// assess reads the snapshot. It decides nothing.
func assess(s Snapshot) facts {
	f := facts{Snapshot: s, replicas: 1, revisions: map[string]Revision{}}
	if s.Rollout.Spec.Replicas != nil {
		f.replicas = *s.Rollout.Spec.Replicas
	}
	if s.Rollout.Spec.Strategy.Canary != nil {
		f.strategy = *s.Rollout.Spec.Strategy.Canary
	}
	f.Problems = append(slices.Clone(f.Problems), mistakes(f)...)
	for _, r := range s.Revisions {
		f.revisions[r.Hash] = r
	}
	return remember(f, s.Rollout.Status.Traffic)
}

// mistakes finds what neither the schema nor the reading of other objects shows.
func mistakes(f facts) []Problem {
	var found []Problem
	w := f.Workload
	if w != nil && f.Rollout.Status.StableRevision == "" && w.Before == nil && w.Replicas > f.replicas {
		found = append(found, Problem{Field: "spec.replicas", Message: fmt.Sprintf(
			"Deployment %s runs %d replicas but the Rollout asks for %d; raise spec.replicas or scale the Deployment down first",
			w.Name, w.Replicas, f.replicas)})
	}
	if f.Template == nil || f.Selector == nil {
		return found
	}
	selector, err := metav1.LabelSelectorAsSelector(f.Selector)
	switch {
	case err != nil:
		found = append(found, Problem{Field: "spec.selector", Message: err.Error()})
	case selector.Empty():
		found = append(found, Problem{Field: "spec.selector", Message: "selects every pod; give it matchLabels that only this workload carries"})
	case !selector.Matches(labels.Set(f.Template.Labels)):
		found = append(found, Problem{Field: "spec.template.metadata.labels", Message: fmt.Sprintf(
			"must match spec.selector (%s); add the missing labels", selector)})
	}
	return found
}

// remember takes the times of the pass before over, as far as what they speak of has not changed.
func remember(f facts, old *v1alpha1.TrafficStatus) facts {
	if old == nil {
		old = &v1alpha1.TrafficStatus{}
	}
	f.servedSince = servedSince(f, old.Endpoints)
	f.shiftedAt = stamp(f.Now)
	same := old.Since != nil && slices.Equal(old.Requested, f.weights(f.Traffic.Requested))
	if same {
		f.shiftedAt = old.Since.Time
	}
	if len(f.Traffic.Confirmed) == 0 {
		return f
	}
	f.acceptedAt = stamp(f.Now)
	if same && old.AcceptedAt != nil {
		f.acceptedAt = old.AcceptedAt.Time
	}
	return f
}

func servedSince(f facts, old []v1alpha1.ServiceEndpoints) map[traffic.Slot]time.Time {
	since := map[traffic.Slot]time.Time{}
	for slot, s := range f.slots() {
		if s.Selects == "" || !s.only(s.Selects, 1) {
			continue
		}
		since[slot] = stamp(f.Now)
		for _, e := range old {
			if e.Service == s.Name && e.Revision == s.Selects {
				since[slot] = e.Since.Time
			}
		}
	}
	return since
}

// stamp rounds up to the second, the precision that the API keeps: a wait
// counted from a stored time is never shorter than it says.
func stamp(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second)
	}
	return t
}

func stamped(t time.Time) metav1.Time { return metav1.NewTime(stamp(t)) }

// need is the number of pods that carry weight percent of the traffic: the
// share of spec.replicas, rounded up.
func (f facts) need(weight int32) int32 {
	return int32((int64(f.replicas)*int64(weight) + 99) / 100)
}

func (f facts) slots() map[traffic.Slot]Service {
	return map[traffic.Slot]Service{traffic.Stable: f.StableService, traffic.Canary: f.CanaryService}
}

// serves reports whether a slot can be given a first weight: it lists at least
// n ready endpoints of a revision and of no other, for long enough that the
// data plane has noticed too.
func (f facts) serves(slot traffic.Slot, revision string, n int32) bool {
	if n == 0 {
		return f.slots()[slot].Selects == revision
	}
	since, ok := f.servedSince[slot]
	return ok && f.slots()[slot].only(revision, n) && !f.Now.Before(since.Add(f.settle()))
}

// settled reports whether the routes have been accepted as they are for long enough.
func (f facts) settled() bool { return !f.acceptedAt.IsZero() && !f.Now.Before(f.settlesAt()) }

func (f facts) settlesAt() time.Time { return f.acceptedAt.Add(f.settle()) }

func (f facts) settle() time.Duration {
	if c := f.strategy.Convergence; c != nil && c.Settle != nil {
		return c.Settle.Duration
	}
	return defaultSettle
}

func (f facts) convergenceTimeout() time.Duration {
	if c := f.strategy.Convergence; c != nil && c.Timeout != nil {
		return c.Timeout.Duration
	}
	return defaultConvergence
}

// confirmed reports whether the data plane is known to serve exactly s.
func (f facts) confirmed(s traffic.Split) bool { return f.settled() && f.Traffic.ConfirmedAll(s) }

// most is the largest share that a slot may be getting, in percent. Until the
// data plane has settled that may be anything.
func (f facts) most(slot traffic.Slot) int32 {
	if !f.settled() {
		return 100
	}
	return f.Traffic.Most(slot)
}

// requestedCanary is the least share that any route gives the canary slot now.
func (f facts) requestedCanary() int32 {
	if len(f.Traffic.Requested) == 0 {
		return 0
	}
	least := int32(100)
	for _, s := range f.Traffic.Requested {
		least = min(least, s.Canary)
	}
	return least
}

// exposed reports whether pods of a revision may be getting requests: a slot
// stands for it and has weight, or lists its endpoints.
func (f facts) exposed(hash string) bool {
	return f.StableService.Selects == hash || f.CanaryService.Selects == hash ||
		f.StableService.Ready[hash] > 0 || f.CanaryService.Ready[hash] > 0
}

// run finds the AnalysisRun of a release.
func (f facts) run(release int64) *v1alpha1.AnalysisRun {
	name := names.AnalysisRun(f.Rollout.Name, release)
	for i := range f.Runs {
		if f.Runs[i].Name == name {
			return &f.Runs[i]
		}
	}
	return nil
}

// weights resolves splits of slots into shares of Services and revisions. With
// routes that disagree it gives the split with the largest canary share.
func (f facts) weights(splits []traffic.Split) []v1alpha1.RevisionWeight {
	if len(splits) == 0 {
		return nil
	}
	s := slices.MaxFunc(splits, func(a, b traffic.Split) int { return int(a.Canary - b.Canary) })
	return []v1alpha1.RevisionWeight{
		{Service: f.StableService.Name, Revision: f.StableService.Selects, Weight: s.Stable},
		{Service: f.CanaryService.Name, Revision: f.CanaryService.Selects, Weight: s.Canary},
	}
}

func (f facts) deadline() time.Duration {
	if d := f.Rollout.Spec.ProgressDeadlineSeconds; d != nil {
		return time.Duration(*d) * time.Second
	}
	return defaultDeadline * time.Second
}

// seconds gives an optional number of seconds, or its default.
func seconds(p *int32, otherwise int32) time.Duration {
	if p == nil {
		return time.Duration(otherwise) * time.Second
	}
	return time.Duration(*p) * time.Second
}
