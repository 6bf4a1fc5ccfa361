// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	// parallel is how many measurements of one run are taken at once.
	parallel = 8
	// patience bounds the time in which all measurements of a pass are taken.
	// Those that had no turn give no value.
	patience = 20 * time.Second
)

// measure takes one measurement of every metric that is due. What can't be
// measured becomes a measurement without a value that says why. The error says
// that the controller is stopping, and nothing was learned.
func (r *Reconciler) measure(ctx context.Context, s snapshot) (map[string]v1alpha1.Measurement, error) {
	if len(s.due) == 0 {
		return nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	taken := make([]v1alpha1.Measurement, len(s.due))
	turns := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for i, m := range s.due {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			taken[i] = r.measureOne(asking, s, m)
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	byName := make(map[string]v1alpha1.Measurement, len(s.due))
	for i, m := range s.due {
		byName[m.Name] = taken[i]
	}
	return byName, nil
}

func (r *Reconciler) measureOne(ctx context.Context, s snapshot, m v1alpha1.Metric) v1alpha1.Measurement {
	p, err := r.providers.For(m)
	if err != nil {
		return v1alpha1.Measurement{At: metav1.NewTime(s.at), Message: err.Error()}
	}
	x, err := p.Measure(ctx, s.target, m, s.at)
	if err != nil {
		x = v1alpha1.Measurement{Message: err.Error()}
	}
	x.At = metav1.NewTime(s.at)
	return x
}
