// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/sluice-dev/sluice/internal/testing/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// page is where users read of metrics.
const page = "../../docs/guide/alerts.md"

var described = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)

// TestMetricsAreDocumented holds the page to all that /metrics can show: each
// family is named, by itself or by the beginning it shares with others, and
// ours with their labels. The manager runs, since alerts rely on what it says of leading.
func TestMetricsAreDocumented(t *testing.T) {
	env := testenv.Start(t)
	mgr, err := newManager(rest.CopyConfig(env.Config), options{metricsAddress: "0", probeAddress: "0", leaderElect: true, leaderNamespace: env.Namespace(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := wire(t.Context(), mgr, options{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(t.Context()) }()
	select {
	case <-mgr.Elected():
	case err := <-done:
		t.Fatalf("the manager ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the manager was never elected")
	}

	shown := tables(t)
	for name, labels := range families(t) {
		row, ok := shown[name]
		for prefix := range shown {
			if begin, all := strings.CutSuffix(prefix, "*"); all && strings.HasPrefix(name, begin) {
				ok = true
			}
		}
		if !ok {
			t.Errorf("%s does not tell of %s{%s}", page, name, labels)
		}
		if strings.HasPrefix(name, "sluice_") {
			if diff := cmp.Diff(labels, strings.ReplaceAll(strings.ReplaceAll(row, "`", ""), " ", "")); diff != "" {
				t.Errorf("labels of %s (-registry +page):\n%s", name, diff)
			}
		}
	}
	for name := range shown {
		if _, there := families(t)[name]; strings.HasPrefix(name, "sluice_") && !there {
			t.Errorf("%s tells of %s, which there is not", page, name)
		}
	}
	// What the sample alerts select by. Controllers start once their manager is elected, a moment later.
	for _, want := range []string{
		"leader_election_master_status name=sluice.sluice.dev",
		"controller_runtime_max_concurrent_reconciles controller=rollout", "controller_runtime_max_concurrent_reconciles controller=analysisrun",
	} {
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			return slices.Contains(labelled(t), want), nil
		})
		if err != nil {
			t.Errorf("/metrics has no %s", want)
		}
	}
}

// labelled gives every label that /metrics shows with its value.
func labelled(t *testing.T) []string {
	t.Helper()
	gathered, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range gathered {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				all = append(all, f.GetName()+" "+l.GetName()+"="+l.GetValue())
			}
		}
	}
	return all
}

// families gives every metric that is registered, with its labels.
func families(t *testing.T) map[string]string {
	t.Helper()
	registry, ok := ctrlmetrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatalf("%T does not describe its metrics", ctrlmetrics.Registry)
	}
	descs := make(chan *prometheus.Desc, 1000)
	registry.Describe(descs)
	close(descs)
	all := map[string]string{}
	for d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("no name in %s", d)
		}
		all[m[1]] = m[2]
	}
	if len(all) < 20 {
		t.Fatalf("only %d metrics are registered", len(all))
	}
	return all
}

// tables gives the metrics that the page names in the first column, with the second.
func tables(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.SplitSeq(string(raw), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				all[name] = strings.TrimSpace(cells[2])
			}
		}
	}
	return all
}
