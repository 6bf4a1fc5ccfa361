// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// A Secret that vanishes under way delays blocks and loses none; and the
// controller waits for it instead of asking for it as fast as it can.
func TestSecretVanishesUnderWay(t *testing.T) {
	var evidence [2]*v1alpha1.MetricEvidence
	for i, vanishes := range []bool{false, true} {
		b := newBench(t, counting, func(run *v1alpha1.AnalysisRun) { run.Spec.Prometheus.Bearer = fromSecret("prom", "token") })
		b.server.ReplyTo(shop(0, 40, 1, 360))
		secret := secretOf("prom", map[string]string{"token": "t0ken"})
		v := newVault(t, nil, secret)
		b.restart(Options{Secrets: v})
		b.until(time.Minute)
		if vanishes {
			if err := v.Delete(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			before := v.reads
			st := b.until(2 * time.Minute)
			if n := v.reads - before; n > 60 {
				t.Fatalf("the Secret was read %d times within a minute", n)
			}
			if m := st.Metrics[0]; st.Phase != v1alpha1.AnalysisError || !strings.Contains(m.Delayed, "there is no Secret prom") {
				t.Errorf("%s, delayed by %q; want Error, delayed by the Secret", st.Phase, m.Delayed)
			}
			secret.ResourceVersion = ""
			if err := v.Create(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		evidence[i] = b.until(200 * time.Second).Metrics[0].Evidence
	}
	if diff := cmp.Diff(evidence[0], evidence[1]); diff != "" {
		t.Errorf("-with the Secret throughout +without it for a minute:\n%s", diff)
	}
}

// What was within bounds before the Secret vanished does not pass a run after it.
func TestNothingPassesWithoutASecret(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.OwnerReferences, run.Spec.Prometheus.Bearer = nil, fromSecret("prom", "token")
		run.Spec.End = &v1alpha1.RunEnd{MinDuration: v1alpha1.Duration{Duration: 2 * time.Minute}, MaxDuration: v1alpha1.Duration{Duration: 3 * time.Minute}}
	})
	b.server.Reply(providertest.Values("0.01"))
	secret := secretOf("prom", map[string]string{"token": "t0ken"})
	v := newVault(t, nil, secret)
	b.restart(Options{Secrets: v})
	if st := b.until(time.Minute); st.Metrics[0].Verdict != v1alpha1.MetricPassing {
		t.Fatalf("before: %s, want Passing", st.Metrics[0].Verdict)
	}
	if err := v.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	st := b.until(4 * time.Minute)
	if st.Phase != v1alpha1.AnalysisInconclusive || !strings.Contains(st.Message, "there is no Secret prom") {
		t.Errorf("%s: %q; want Inconclusive, for want of the Secret", st.Phase, st.Message)
	}
}

// What decides nothing holds nothing: neither by its values nor by a lack of them.
func TestDryRunIsNoObstacle(t *testing.T) {
	b := newBench(t, func(run *v1alpha1.AnalysisRun) {
		run.Spec.Metrics = append(run.Spec.Metrics, v1alpha1.Metric{Name: "smoke", Job: &v1alpha1.JobMetric{}})
		run.Spec.DryRun, run.Spec.Prometheus.Bearer = []string{"errors"}, fromSecret("prom", "token")
	})
	b.restart(Options{Secrets: newVault(t, nil)})
	st := b.until(time.Minute)
	if m := st.Metrics[0]; st.Phase != v1alpha1.AnalysisRunning || m.Verdict != v1alpha1.MetricNoData || !strings.Contains(m.Message, "there is no Secret prom") {
		t.Errorf("%s, errors %s: %q; want Running, and a metric that says what it lacks", st.Phase, m.Verdict, m.Message)
	}
}
