// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package analysis says what a source of measurements is, and which ones there
// are. Sources live in folders of their own below it; each passes the suite in
// providertest.
//
// A provider takes measurements and nothing else. What a value means is decided
// in judge, when to take it in schedule, and both know no provider. Nothing
// here reads the cluster: whatever a provider needs is handed to it.
package analysis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// The names of the providers.
const (
	// Prometheus answers what no other is named for.
	Prometheus = "prometheus"
	// Loki answers in LogQL.
	Loki = "loki"
	// Web asks any API that answers in JSON.
	Web = "web"
)

// Provider takes measurements from one kind of source. It is safe for use by
// several goroutines.
type Provider interface {
	// Measure asks target once for the value of m at a time, and leaves the
	// outcome empty: it never judges. The query of m is complete, no $(name) is
	// left in it.
	//
	// The measurement has a value, a finite decimal number, or else a message
	// that says why the answer has none and what to do about it. An error means
	// that there was no answer; its text says the same, carries no secret, and
	// stays equal as long as the cause does. When ctx ends, Measure returns
	// promptly.
	Measure(ctx context.Context, target Target, m v1alpha1.Metric, at time.Time) (v1alpha1.Measurement, error)
}

// Target is the server to ask.
type Target struct {
	// Address is its base URL. A password in it never shows in a message.
	Address string
	// Access is how it lets us in.
	Access Access
	// AllowedHosts, if any, are all that may be asked; see [Allowed].
	AllowedHosts []string
	// Timeout of one request. Default: the provider's own.
	Timeout time.Duration
}

// Checker is a [Provider] that finds mistakes in a metric without asking
// anybody. The error names the field and says what to write instead.
type Checker interface {
	CheckMetric(m v1alpha1.Metric) error
}

// Entry makes a provider known by its name.
type Entry struct {
	// Name of the provider, unique within a registry.
	Name string
	// Provider to ask.
	Provider Provider
}

// Registry finds the provider of a metric. The zero Registry has none.
type Registry struct {
	entries []Entry
}

// NewRegistry holds the given providers. Two of the same name, or one without
// a name or a provider, is an error.
func NewRegistry(entries ...Entry) (Registry, error) {
	seen := map[string]bool{}
	for _, e := range entries {
		if e.Name == "" || e.Provider == nil {
			return Registry{}, fmt.Errorf("provider %q: needs a name and a provider", e.Name)
		}
		if seen[e.Name] {
			return Registry{}, fmt.Errorf("provider %q: registered twice", e.Name)
		}
		seen[e.Name] = true
	}
	return Registry{entries: slices.Clone(entries)}, nil
}

// For finds the provider of a metric, by its kind and by what it names. The
// error names the metric and the providers there are.
func (r Registry) For(m v1alpha1.Metric) (Provider, error) {
	return r.find(m.Name, ProviderOf(m))
}

func (r Registry) find(metric, want string) (Provider, error) {
	for _, e := range r.entries {
		if e.Name == want {
			return e.Provider, nil
		}
	}
	return nil, fmt.Errorf("metric %q: needs provider %q, which this controller was built without; it has: %s", metric, want, r.names())
}

// ProviderOf names the provider of a metric. The empty metric stands for one of
// a preset, and presets know Prometheus.
func ProviderOf(m v1alpha1.Metric) string {
	var named v1alpha1.QueryProvider
	switch {
	case m.Web != nil:
		return Web
	case m.Proportion != nil:
		named = m.Proportion.Provider
	case m.Scalar != nil:
		named = m.Scalar.Provider
	case m.Threshold != nil:
		named = m.Threshold.Provider
	}
	if named == v1alpha1.ProviderLoki {
		return Loki
	}
	return Prometheus
}

func (r Registry) names() string {
	names := make([]string, 0, len(r.entries))
	for _, e := range r.entries {
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
