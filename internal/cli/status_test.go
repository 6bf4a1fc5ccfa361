// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

func reported(phase v1alpha1.RolloutPhase, message string) v1alpha1.RolloutStatus {
	st := pausedAt(3)
	st.Phase, st.Message = phase, message
	return st
}

func TestStatus(t *testing.T) {
	type want struct {
		code int
		out  string
	}
	unseen := healthy()
	unseen.ObservedGeneration = 0
	cases := map[string]struct {
		reason string
		status v1alpha1.RolloutStatus
		want   want
	}{
		"Promoted": {
			reason: "Promoted is success.",
			status: healthy(), want: want{ExitOK, "Healthy  all traffic on revision bcdfghjklm\n"},
		},
		"Degraded": {
			reason: "Degraded is failure.",
			status: reported(v1alpha1.PhaseDegraded, "aborted"), want: want{ExitFailed, "Degraded  aborted\n"},
		},
		"Aborting": {
			reason: "An abort under way can't end well any more.",
			status: reported(v1alpha1.PhaseAborting, "traffic returns"), want: want{ExitFailed, "Aborting  traffic returns\n"},
		},
		"Paused": {
			reason: "A pause is under way.",
			status: reported(v1alpha1.PhasePaused, "until promoted"), want: want{ExitUnderway, "Paused  until promoted\n"},
		},
		"Unseen": {
			reason: "A status that speaks of no spec proves nothing.",
			status: unseen,
			want: want{ExitUnderway, "Healthy  the controller has not seen this Rollout yet; if that lasts, check that it runs: " +
				"kubectl -n sluice-system get deployment sluice\n"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rollout("checkout", tc.status)
			r := b.run("status", "checkout")
			if diff := cmp.Diff(tc.want, want{r.code, r.out.String()}, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s\nRun(status): -want, +got:\n%s%s", tc.reason, diff, r.err.String())
			}
		})
	}
}

func TestStatusWait(t *testing.T) {
	b := newBench(t)
	old := healthy()
	b.rollout("checkout", old)
	r := b.read("checkout")
	r.Spec.Template.Spec.Containers[0].Image = "shop:v3"
	if err := b.client.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	waiting := b.start("status", "checkout", "--wait")
	saw := func(line string) {
		t.Helper()
		eventually(t, line, func() bool { return strings.Contains(waiting.out.String(), "12:00:00  "+line+"\n") })
	}
	saw("Healthy  the controller has not seen the newest spec yet (generation 2, status of 1)")
	next := reported(v1alpha1.PhaseProgressing, "step 1/6: waiting for 1 of 1 canary pods")
	next.ObservedGeneration = 2
	b.report("checkout", func(st *v1alpha1.RolloutStatus) { *st = next })
	saw("Progressing  step 1/6: waiting for 1 of 1 canary pods")
	b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.ReadyReplicas = 3 }) // no line of its own
	b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.Phase, st.Message = v1alpha1.PhaseHealthy, "promoted" })
	waiting.end(t)
	if waiting.code != ExitOK {
		t.Errorf("status --wait: code %d, want 0; err %s", waiting.code, waiting.err.String())
	}
	if lines := strings.Count(waiting.out.String(), "\n"); lines != 3 {
		t.Errorf("status --wait printed %d lines, want one for each of 3 changes:\n%s", lines, waiting.out.String())
	}
}

// TestStatusWaitFailures ends waits in every other way.
func TestStatusWaitFailures(t *testing.T) {
	cases := map[string]struct {
		reason  string
		timeout string
		then    func(b *bench, r *run)
		want    int
		err     string
	}{
		"Aborted": {
			reason: "An abort is awaited to its end.", timeout: "1m",
			then: func(b *bench, r *run) {
				b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.Phase = v1alpha1.PhaseAborting })
				eventually(b.T, "Aborting", func() bool { return strings.Contains(r.out.String(), "Aborting") })
				b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.Phase = v1alpha1.PhaseDegraded })
			},
			want: ExitFailed,
		},
		"Timeout": {
			reason: "Time up says what is waited for.", timeout: "5s", // to look at all takes a moment
			then: func(*bench, *run) {},
			want: ExitTimeout, err: "checkout after 5s: time is up while the release is under way: paused until promoted",
		},
		"Interrupted": {
			reason: "An interruption is told from time up.", timeout: "1m",
			then: func(_ *bench, r *run) { r.stop() },
			want: ExitInterrupted, err: "interrupted; the release goes on",
		},
		"Deleted": {
			reason: "Nothing comes after a deletion.", timeout: "1m",
			then: func(b *bench, _ *run) {
				if err := b.client.Delete(b.Context(), b.read("checkout")); err != nil {
					b.Fatal(err)
				}
			},
			want: ExitFailed, err: "was deleted",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rollout("checkout", pausedAt(3))
			r := b.start("status", "checkout", "--wait", "--timeout", tc.timeout)
			if tc.timeout == "1m" {
				eventually(t, "first line", func() bool { return strings.Contains(r.out.String(), "Paused") })
			}
			tc.then(b, r)
			r.end(t)
			if r.code != tc.want || !strings.Contains(r.err.String(), tc.err) {
				t.Errorf("%s\nstatus --wait: code %d, err %q; want code %d, err with %q", tc.reason, r.code, r.err.String(), tc.want, tc.err)
			}
		})
	}
}

// TestStatusWorkload changes a Deployment, which no generation of the Rollout shows.
func TestStatusWorkload(t *testing.T) {
	b := newBench(t)
	inline := newRollout(b.namespace, "checkout")
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "checkout"},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr(int32(0)), Selector: inline.Spec.Selector, Template: *inline.Spec.Template},
	}
	b.create(d)
	hash, err := plan.HashTemplate(d.Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	b.rollout("checkout", healthy(), func(r *v1alpha1.Rollout) {
		r.Spec.Template, r.Spec.Selector = nil, nil
		r.Spec.WorkloadRef = &v1alpha1.WorkloadRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "checkout"}
	})
	r := b.start("status", "checkout", "--wait")
	unseen := "has not seen the newest template of Deployment/checkout yet (template " + hash + ")"
	eventually(t, unseen, func() bool { return strings.Contains(r.out.String(), unseen) })
	b.report("checkout", func(st *v1alpha1.RolloutStatus) { st.ObservedTemplate = hash })
	if r.end(t).code != ExitOK {
		t.Errorf("status --wait: code %d, err %q; want 0 once the Deployment's template was seen", r.code, r.err.String())
	}
}
