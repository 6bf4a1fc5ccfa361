// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package promqltest

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/analysis/prometheus"
)

// Values of labels are data: the engine finds exactly the series that carries
// them, whatever stands in them.
func TestSelectQuotesValues(t *testing.T) {
	for _, value := range []string{
		`shop`, `a"b`, `a\b`, "a`b", `a'b`, "a\nb", `"} or vector(1) #`, `.*`, `$(arm)`, `größe`, `\n`, `{{.x}}`,
	} {
		h := load(t, "load 15s\n\tr_total{instance=\"a\"} 0+1x4")
		h.add(t, "r_total", map[string]string{"instance": "a", "app": value}, 0, 10, 20, 30)
		count := prometheus.Counter{Block: 30 * time.Second, Present: prometheus.Select("r_total")}
		query := count.Count(prometheus.Select("r_total", prometheus.Label{Name: "app", Value: value}))
		if got := h.ask(t, query, 45*time.Second); got != "20" {
			t.Errorf("app=%q: %s gives %s, want 20", value, query, got)
		}
	}
}

// Targets may be told apart by any labels, also by those whose names need quotes.
func TestTargets(t *testing.T) {
	const samples = `load 15s
	r_total{pod="a",service_name="x"}   0+10x4
	r_total{pod="b",service_name="x"}   _ _ 1000+10x2
	r_total{"k8s.pod.name"="c"}         0+1x4`
	tests := map[string]struct {
		reason  string
		present string
		targets []string
		want    string
	}{
		"pod":      {"the new pod is left out", `r_total{service_name="x"}`, []string{"pod"}, "20"},
		"two":      {"so it is when two labels are needed", `r_total{service_name="x"}`, []string{"service_name", "pod"}, "20"},
		"absent":   {"without a label that tells them apart, the old pod vouches for the new one, which then counts whole", `r_total{service_name="x"}`, nil, "1032"},
		"any name": {"names from OpenTelemetry need quotes", `{"r_total","k8s.pod.name"="c"}`, []string{"k8s.pod.name"}, "2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := load(t, samples)
			count := prometheus.Counter{Block: 30 * time.Second, Present: selector(t, tc.present), Targets: tc.targets}
			if got := h.ask(t, count.Count(selector(t, "r_total")), 45*time.Second); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}
