// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// parallel is how many measurements of one run are taken at once.
	parallel = 8
	// patience bounds the time in which all measurements of a pass are taken.
	// Those that had no turn give no value.
	patience = 20 * time.Second
)

// found is what a pass has learned from the servers.
type found struct {
	taken   map[string]v1alpha1.Measurement
	learned map[string]*v1alpha1.MetricEvidence
	blocks  map[string][]judge.Block
	delayed map[string]string
	jobs    map[string]judge.JobState
}

// measure takes one measurement of every threshold that is due, and counts the
// blocks that are over; it starts the Jobs that are to run. What can't be measured becomes a measurement without a
// value that says why; what can't be counted waits. After an error, as when the
// controller is stopping, nothing was learned.
func (r *Reconciler) measure(ctx context.Context, s snapshot) (found, error) {
	f := found{
		taken: map[string]v1alpha1.Measurement{}, learned: map[string]*v1alpha1.MetricEvidence{},
		blocks: map[string][]judge.Block{}, delayed: map[string]string{},
	}
	var err error
	if f.jobs, err = r.jobs.states(ctx, s); err != nil || len(s.due)+len(s.tasks) == 0 {
		return f, err
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	taken, results := make([]v1alpha1.Measurement, len(s.due)), make([]counted, len(s.tasks))
	turns := make(chan struct{}, parallel)
	var all sync.WaitGroup
	turn := func(work func()) {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			work()
		})
	}
	for i, m := range s.due {
		turn(func() { taken[i] = r.measureOne(asking, s, m) })
	}
	for i, t := range s.tasks {
		turn(func() { results[i] = t.do(asking, s) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return f, ctx.Err()
	}
	for i, m := range s.due {
		f.taken[m.Name] = taken[i]
	}
	for i, t := range s.tasks {
		f.add(t.judged.Name, results[i])
	}
	return f, nil
}

func (f found) add(name string, c counted) {
	if c.learned != nil {
		f.learned[name] = c.learned
	}
	if len(c.blocks) > 0 {
		f.blocks[name] = c.blocks
	}
	if c.delayed != "" {
		f.delayed[name] = c.delayed
	}
}

func (r *Reconciler) measureOne(ctx context.Context, s snapshot, m v1alpha1.Metric) v1alpha1.Measurement {
	p, err := r.providers.For(m)
	if err != nil {
		return v1alpha1.Measurement{At: metav1.NewTime(s.at), Message: err.Error()}
	}
	at := s.reach[m.Name]
	if at.why != "" {
		return v1alpha1.Measurement{At: metav1.NewTime(s.at), Message: at.why}
	}
	if at.web != nil {
		m.Web = at.web
	}
	x, err := p.Measure(ctx, at.target, m, s.at)
	if err != nil {
		x = v1alpha1.Measurement{Message: err.Error()}
	}
	x.At = metav1.NewTime(s.at)
	return x
}
