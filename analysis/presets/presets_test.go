// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package presets

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// shop is a service with both arms.
func shop() Subject {
	return Subject{
		Namespace: "shop", Service: "checkout",
		Canary: Arm{
			Service: "checkout-canary", Workload: "checkout-7d9", Revision: "7d9",
			Backends: []Backend{{Kind: "HTTPRoute", Name: "checkout", Rule: 0, Index: 1}},
		},
		Stable: Arm{
			Service: "checkout-stable", Workload: "checkout-5c9", Revision: "5c9",
			Backends: []Backend{{Kind: "HTTPRoute", Name: "checkout", Rule: 0, Index: 0}},
		},
	}
}

func objectives() []Objective {
	return []Objective{{Name: "availability", Good: 0.999}, {Name: "latency-p99", Good: 0.99, Within: 300 * time.Millisecond}}
}

func TestMetrics(t *testing.T) {
	subjects := map[string]Subject{"": shop()}
	with := func(change func(*Subject)) Subject {
		s := shop()
		change(&s)
		return s
	}
	subjects["-alone"] = with(func(s *Subject) { s.Stable = Arm{} })
	subjects["-subsets"] = with(func(s *Subject) { s.OneService, s.Canary.Service, s.Stable.Service = true, "", "" })
	subjects["-grpc"] = with(func(s *Subject) { s.GRPC = true })
	variants := map[string][]string{
		"Istio": {"", "-alone", "-subsets", "-grpc"}, "TraefikGateway": {"", "-alone"}, "EnvoyGateway": {"", "-alone"},
		"Linkerd": {"", "-alone"}, "LinkerdRoutes": {"", "-alone"}, "IngressNginx": {"", "-alone"}, "OpenTelemetryHTTP": {"", "-alone"},
	}
	for _, name := range Names() {
		for _, variant := range variants[name] {
			t.Run(name+variant, func(t *testing.T) {
				ms, err := Metrics(name, subjects[variant], objectives())
				if err != nil {
					t.Fatal(err)
				}
				compare(t, strings.ToLower(name)+variant, write(t, ms))
			})
		}
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", path, diff)
	}
}

// write shows metrics, which have their series in common, to a reader.
func write(t *testing.T, ms []Metric) string {
	t.Helper()
	var b strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&b, "%s: %g good, bound %g\n", m.Name, m.Good, m.Bound)
		if m.Canary != ms[0].Canary || m.Stable != ms[0].Stable || m.Present != ms[0].Present {
			t.Errorf("%s: other series than those of %s", m.Name, ms[0].Name)
		}
	}
	fmt.Fprintf(&b, "targets by %s, present: %s\n", strings.Join(ms[0].TargetLabels, ", "), ms[0].Present)
	arms := map[string]Series{"canary": ms[0].Canary, "stable": ms[0].Stable}
	for _, arm := range []string{"canary", "stable"} {
		if s := arms[arm]; s != (Series{}) {
			fmt.Fprintf(&b, "%s\n  total     %s\n  bad       %s\n  histogram %s\n", arm, s.Total, s.Bad, s.Histogram)
		}
	}
	return b.String()
}

func TestMetricsNeedNames(t *testing.T) {
	with := func(change func(*Subject)) Subject {
		s := shop()
		change(&s)
		return s
	}
	tests := map[string]struct {
		reason, preset string
		of             Subject
		want           string
	}{
		"unknown": {
			reason: "the ones there are, are named",
			preset: "istio", of: shop(),
			want: `preset "istio": there is none of that name; use one of Istio, TraefikGateway, EnvoyGateway, Linkerd, LinkerdRoutes, IngressNginx, OpenTelemetryHTTP`,
		},
		"no Service": {
			reason: "two Services are how the gateway knows the arms",
			preset: "TraefikGateway", of: with(func(s *Subject) { s.Canary.Service = "" }),
			want: "preset TraefikGateway: it tells stable and canary apart by their Services; set canary.service, or canary.stableService and canary.canaryService",
		},
		"no workload": {
			reason: "subsets are told apart by pods",
			preset: "Istio", of: with(func(s *Subject) { s.OneService, s.Canary.Workload = true, "" }),
			want: "preset Istio: it tells stable and canary apart by their pods, and the revision has none yet",
		},
		"no revision": {
			reason: "pods carry their revision as a label",
			preset: "Linkerd", of: with(func(s *Subject) { s.Stable.Revision = "" }),
			want: "preset Linkerd: it tells stable and canary apart by their pods, and the revision has none yet",
		},
		"no apex": {
			reason: "routes hang on the Service that callers use",
			preset: "LinkerdRoutes", of: with(func(s *Subject) { s.Service = "" }),
			want: "preset LinkerdRoutes: it needs to know the Service that callers use; set canary.service",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Metrics(tc.preset, tc.of, objectives())
			if err == nil {
				t.Fatalf("%s: no error", tc.reason)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("%s: -want +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestValuesAreQuoted(t *testing.T) {
	got := selector("m", equal("a", "x\"} or vector(1) #\n\\"), match("b", ".*"))
	if want := `m{a="x\"} or vector(1) #\n\\",b=~".*"}`; got != want {
		t.Errorf("selector: %s, want %s", got, want)
	}
}
