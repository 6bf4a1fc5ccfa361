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

// Prometheus is the name of the provider of threshold metrics.
const Prometheus = "prometheus"

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

// For finds the provider of a metric, by the kind of the metric. The error
// names the metric and the providers there are.
func (r Registry) For(m v1alpha1.Metric) (Provider, error) {
	want := providerOf(m)
	for _, e := range r.entries {
		if e.Name == want {
			return e.Provider, nil
		}
	}
	return nil, fmt.Errorf("metric %q: needs provider %q, which this controller was built without; it has: %s",
		m.Name, want, r.names())
}

// providerOf names the provider of a kind of metric. All kinds so far are queries to Prometheus.
func providerOf(v1alpha1.Metric) string { return Prometheus }

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
