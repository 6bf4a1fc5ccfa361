// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package loki takes measurements from servers that speak the HTTP API of Loki,
// in LogQL, and counts log lines block by block.
//
// A query is evaluated at an explicit time, so asking again gives the same
// answer; whoever asks the same of the same server gets the answer that is there
// already, or on its way. Only one finite number is a value. An answer with
// warnings may lack something and has no value.
package loki

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Options for New.
type Options struct {
	// Timeout of one request. Default 10s.
	Timeout time.Duration
}

// Provider asks Loki servers. Use [New].
type Provider struct {
	pool *endpoint.Pool
	once *endpoint.Once
}

var (
	_ analysis.Provider = (*Provider)(nil)
	_ analysis.Counter  = (*Provider)(nil)
)

// New returns a provider for any number of servers. It keeps a bounded number
// of connections to each and closes idle ones.
func New(o Options) *Provider {
	kind := endpoint.Kind{Title: "Loki", Field: "loki", Example: "http://loki.monitoring:3100"}
	return &Provider{pool: endpoint.NewPool(kind, endpoint.Options{Timeout: o.Timeout}), once: endpoint.NewOnce()}
}

// Entry makes a new provider known as [analysis.Loki].
func Entry(o Options) analysis.Entry {
	return analysis.Entry{Name: analysis.Loki, Provider: New(o)}
}

// Measure implements [analysis.Provider] for threshold metrics.
func (p *Provider) Measure(ctx context.Context, target analysis.Target, m v1alpha1.Metric, at time.Time) (v1alpha1.Measurement, error) {
	if m.Threshold == nil || m.Threshold.Query == "" {
		return v1alpha1.Measurement{}, fmt.Errorf("metric %q: has no query for Loki; set threshold.query", m.Name)
	}
	got, err := p.Query(ctx, target, m.Threshold.Query, at)
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	return got.Measurement(at, "the query gives nothing: no log line matches; check its selectors, or add or vector(0) where no line means none"), nil
}
