// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package prometheus takes measurements from servers that speak the HTTP API
// of Prometheus, such as Thanos, Mimir and VictoriaMetrics do too.
//
// A query is evaluated at an explicit time, so asking again gives the same
// answer; whoever asks the same of the same server gets the answer that is
// there already, or on its way. Only one finite number is a value. Whatever a
// server may have left out, it says in warnings: an answer with warnings has no
// value.
//
// Counter writes the queries that count events, and knows no server.
package prometheus

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/endpoint"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Options for New.
type Options struct {
	// Timeout of one request. Default 10s.
	Timeout time.Duration
}

// Provider asks Prometheus servers. Use [New].
type Provider struct {
	oracle *oracle
}

var _ analysis.Provider = (*Provider)(nil)

// New returns a provider for any number of servers. It keeps a bounded number
// of connections to each and closes idle ones.
func New(o Options) *Provider {
	kind := endpoint.Kind{Title: "Prometheus", Field: "prometheus", Example: "http://prometheus.monitoring:9090"}
	return &Provider{oracle: newOracle(endpoint.NewPool(kind, endpoint.Options{Timeout: o.Timeout}))}
}

// Entry makes a new provider known as [analysis.Prometheus].
func Entry(o Options) analysis.Entry {
	return analysis.Entry{Name: analysis.Prometheus, Provider: New(o)}
}

// Measure implements [analysis.Provider] for threshold metrics.
func (p *Provider) Measure(ctx context.Context, target analysis.Target, m v1alpha1.Metric, at time.Time) (v1alpha1.Measurement, error) {
	if m.Threshold == nil {
		return v1alpha1.Measurement{}, fmt.Errorf("metric %q: has no query for Prometheus; set threshold", m.Name)
	}
	got, err := p.oracle.ask(ctx, target, m.Threshold.Query, at)
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	x := v1alpha1.Measurement{At: metav1.NewTime(at)}
	x.Value, x.Message = read(got)
	return x, nil
}

// read gives the one finite number of an answer, or says why there is none and what to do.
func read(a answer) (value, message string) {
	f, ok, message := one(a)
	if message != "" {
		return "", message
	}
	if !ok {
		return "", "the query gives nothing: no series matches; check its selectors, and whether the canary is scraped and has traffic"
	}
	return strconv.FormatFloat(f, 'g', -1, 64), ""
}

// one gives the one finite number of an answer, if there is any. Otherwise it
// says in words why the answer can't be used, unless it is just empty.
func one(a answer) (f float64, ok bool, message string) {
	if a.partial != "" {
		return 0, false, a.partial
	}
	var v model.SampleValue
	switch r := a.result.(type) {
	case *model.Scalar:
		v = r.Value
	case model.Vector:
		switch {
		case len(r) == 0:
			return 0, false, ""
		case len(r) > 1:
			return 0, false, fmt.Sprintf("the query gives %d values where one is needed; aggregate them, such as with sum(...)", len(r))
		case r[0].Histogram != nil:
			return 0, false, "the query gives a histogram where a number is needed; use histogram_quantile or histogram_fraction"
		}
		v = r[0].Value
	default:
		return 0, false, "the query gives no number; write one that gives a single value, such as sum(rate(...[1m]))"
	}
	f = float64(v)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false, fmt.Sprintf("the query gives %s, as a division by zero does; write it so that it gives a number without traffic too, or nothing", v)
	}
	return f, true, ""
}
