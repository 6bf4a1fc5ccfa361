// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/schedule"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// snapshot is what one pass works on.
type snapshot struct {
	now time.Time
	run *v1alpha1.AnalysisRun
	// reach says, by metric, where it is asked for.
	reach map[string]reach
	// obstacle keeps every metric from being asked for.
	obstacle string
	// invalid says why the run can't be carried out as it is written, if it can't.
	invalid string
	// at is the time that the due metrics are measured for.
	at  time.Time
	due []v1alpha1.Metric
	// tasks are the metrics that have something to learn or blocks to count.
	tasks []task
}

// observe reads the run and the clock, once. The metrics that are due come
// with complete queries; of a run that can't be carried out none is due.
func (r *Reconciler) observe(ctx context.Context, key client.ObjectKey) (snapshot, error) {
	run := &v1alpha1.AnalysisRun{}
	err := r.client.Get(ctx, key, run)
	if err != nil {
		return snapshot{}, fmt.Errorf("read AnalysisRun %s: %w", key, err)
	}
	s := snapshot{now: r.clock.Now(), run: run}
	if s.over() || !sound(run.Spec) {
		return s, nil
	}
	if err := r.observeReach(ctx, &s); err != nil {
		return s, err
	}
	if s.tasks, err = r.tasks(run, s.now); err != nil {
		s.invalid, s.tasks = err.Error(), nil
	} else { // with an obstacle too: each metric then says what it lacks, and waits for it
		var names []string
		s.at, names = schedule.Due(run.Spec, run.Status, s.now)
		s.due = filled(run.Spec, names)
	}
	return s, nil
}

// sound reports whether a run can be carried out; what is wrong with one that
// can't is said when it is judged.
func sound(spec v1alpha1.AnalysisRunSpec) bool { return judge.Check(spec) == nil }

// alone reports whether no Rollout speaks with the run.
func alone(run *v1alpha1.AnalysisRun) bool {
	owner := metav1.GetControllerOf(run)
	return owner == nil || owner.Kind != "Rollout"
}

// filled gives the named metrics with complete queries. The spec has been checked.
func filled(spec v1alpha1.AnalysisRunSpec, names []string) []v1alpha1.Metric {
	var ms []v1alpha1.Metric
	for _, m := range spec.Metrics {
		if len(names) == 0 || names[0] != m.Name {
			continue
		}
		names = names[1:]
		if m, err := judge.Fill(m, judge.Arms(spec)[0], spec.Args); err == nil {
			ms = append(ms, m)
		}
	}
	return ms
}

// over reports whether there is nothing left to do.
func (s snapshot) over() bool {
	return s.run == nil || s.run.DeletionTimestamp != nil || judge.Final(s.run.Status)
}

// judged is what the judgement of this pass depends on.
func (s snapshot) judged(f found) judge.Input {
	return judge.Input{
		Spec:       s.run.Spec,
		Generation: s.run.Generation,
		Status:     s.run.Status,
		Now:        s.now,
		Taken:      f.taken,
		Learned:    f.learned,
		Blocks:     f.blocks,
		Delayed:    f.delayed,
		Jobs:       f.jobs,
		Obstacle:   s.obstacle,
		Invalid:    s.invalid,
		Alone:      alone(s.run),
	}
}
