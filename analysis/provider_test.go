// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysis

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

type silent struct{}

func (silent) Measure(context.Context, Target, v1alpha1.Metric, time.Time) (v1alpha1.Measurement, error) {
	return v1alpha1.Measurement{}, nil
}

func TestNewRegistry(t *testing.T) {
	tests := map[string]struct {
		reason  string
		entries []Entry
		want    string
	}{
		"one":         {"the usual case", []Entry{{Prometheus, silent{}}}, ""},
		"none":        {"a controller without providers starts, and says so for each metric", nil, ""},
		"same name":   {"nobody could tell which one is asked", []Entry{{"web", silent{}}, {"web", silent{}}}, `provider "web": registered twice`},
		"no name":     {"it could not be found", []Entry{{"", silent{}}}, `provider "": needs a name and a provider`},
		"no provider": {"there would be nobody to ask", []Entry{{"web", nil}}, `provider "web": needs a name and a provider`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewRegistry(tc.entries...)
			if got := text(err); got != tc.want {
				t.Errorf("%s: error %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRegistryFor(t *testing.T) {
	m := v1alpha1.Metric{Name: "errors", Threshold: &v1alpha1.Threshold{}}
	tests := map[string]struct {
		reason  string
		entries []Entry
		want    string
	}{
		"known":   {"thresholds are asked of Prometheus", []Entry{{"web", silent{}}, {Prometheus, silent{}}}, ""},
		"missing": {"the error says what there is", []Entry{{"web", silent{}}}, `metric "errors": needs provider "prometheus", which this controller was built without; it has: web`},
		"none":    {"or that there is nothing", nil, `metric "errors": needs provider "prometheus", which this controller was built without; it has: none`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := NewRegistry(tc.entries...)
			if err != nil {
				t.Fatal(err)
			}
			p, err := r.For(m)
			if got := text(err); got != tc.want || (p == nil) != (err != nil) {
				t.Errorf("%s: provider %v, error %q, want %q", tc.reason, p, got, tc.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
