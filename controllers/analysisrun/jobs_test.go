// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
)

// smoke has a run judge by a Job alone.
func smoke(run *v1alpha1.AnalysisRun) {
	run.Spec.Prometheus = nil
	run.Spec.Args = []v1alpha1.ResolvedArg{
		{Name: "key", SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "vendor", Key: "token"}}, {Name: "target", Value: "http://shop"},
	}
	container := corev1.Container{Name: "smoke", Image: "smoke:1", Args: []string{"$(target)"}, Env: []corev1.EnvVar{{Name: "arm", Value: "own"}}}
	run.Spec.Metrics = []v1alpha1.Metric{{Name: "smoke", Job: &v1alpha1.JobMetric{
		Timeout: &v1alpha1.Duration{Duration: time.Minute},
		Template: v1alpha1.JobTemplate{Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0), TTLSecondsAfterFinished: ptr.To[int32](0),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{container}}},
		}},
	}}}
}

func TestJobOf(t *testing.T) {
	run := &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "shop-1", UID: "1", Labels: map[string]string{v1alpha1.RolloutLabel: "shop", v1alpha1.RevisionLabel: "abc"},
	}}
	smoke(run)
	job := jobOf(run, run.Spec.Metrics[0])
	if job.Name != "shop-1-smoke" || !metav1.IsControlledBy(job, run) || *job.Spec.ActiveDeadlineSeconds != 60 || job.Labels[v1alpha1.RolloutLabel] != "shop" {
		t.Errorf("Job %s, owners %v, deadline %d, labels %v", job.Name, job.OwnerReferences, *job.Spec.ActiveDeadlineSeconds, job.Labels)
	}
	secret := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "vendor"}, Key: "token"}}
	want := []corev1.EnvVar{{Name: "key", ValueFrom: secret}, {Name: "target", Value: "http://shop"}, {Name: "arm", Value: "own"}}
	if diff := cmp.Diff(want, job.Spec.Template.Spec.Containers[0].Env); diff != "" {
		t.Errorf("the arguments, and what the container has itself: -want +got:\n%s", diff)
	}
	if n := len(run.Spec.Metrics[0].Job.Template.Spec.Template.Spec.Containers[0].Env); n != 1 {
		t.Errorf("the run's own template has %d variables now", n)
	}
}

// TestJobsOfMetricsAndOfSteps never want the same name.
func TestJobsOfMetricsAndOfSteps(t *testing.T) {
	for name, tc := range map[string]struct {
		reason       string
		run, metric  string
		rollout      string
		release      int64
		step         int32
		wantAsBefore string
	}{
		"LikeAStep":  {"the metric is named as a step's Job is", "shop-2", "job-1", "shop", 2, 0, ""},
		"LongerName": {"a number goes before it", "shop-2", "3-job-1", "shop-2", 3, 0, ""},
		"RunOfAJob":  {"the run's own name ends so", "shop-2-job", "1", "shop", 2, 0, ""},
		"Ordinary":   {"others keep their names", "shop-2", "smoke", "shop", 2, 0, "shop-2-smoke"},
		"JobAlone":   {"no step has none", "shop-2", "job", "shop", 2, 0, "shop-2-job"},
	} {
		t.Run(name, func(t *testing.T) {
			metric, step := names.MetricJob(tc.run, tc.metric), names.Job(tc.rollout, tc.release, tc.step)
			if metric == step || tc.wantAsBefore != "" && metric != tc.wantAsBefore {
				t.Errorf("%s: the metric's Job is %s, the step's %s", tc.reason, metric, step)
			}
		})
	}
}

func (b *bench) job() *batchv1.Job {
	b.t.Helper()
	job := &batchv1.Job{}
	err := b.client.Get(b.t.Context(), client.ObjectKey{Namespace: key.Namespace, Name: key.Name + "-smoke"}, job)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}

// Without the Secret that its containers are to have no Job is started, and it
// is said which one is missing; a run that ends takes along what still runs.
func TestJobOnTheBench(t *testing.T) {
	b := newBench(t, smoke)
	v := newVault(t, nil)
	b.restart(Options{Secrets: v})
	st := b.passes(2)
	want := "spec.args[key]: there is no Secret vendor in namespace shop; create it, or correct the name"
	if m := st.Metrics[0]; m.Verdict != v1alpha1.MetricNoData || m.Message != want || b.job() != nil {
		t.Errorf("without the Secret: %s %q, Job %v; want NoData %q and no Job", m.Verdict, m.Message, b.job(), want)
	}
	if err := v.Create(t.Context(), secretOf("vendor", map[string]string{"token": token})); err != nil {
		t.Fatal(err)
	}
	st = b.passes(2)
	if m := st.Metrics[0]; m.Job != "checkout-1-smoke" || m.Verdict != v1alpha1.MetricPending || b.job() == nil {
		t.Errorf("with the Secret: %+v, Job %v; want it to run", m, b.job())
	}
	job := b.job()
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue}}
	if err := b.client.Status().Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if m := b.passes(1).Metrics[0]; !strings.Contains(m.Message, "is suspended; resume it") {
		t.Errorf("suspended: %q", m.Message)
	}
	b.edit(func(run *v1alpha1.AnalysisRun) { run.Spec.Stop = true })
	if st = b.passes(1); st.Phase != v1alpha1.AnalysisTerminated || b.job() != nil {
		t.Errorf("stopped: %s, Job %v; want Terminated and no Job", st.Phase, b.job())
	}
}

func TestJobOfSomebodyElse(t *testing.T) {
	b := newBench(t, smoke)
	b.restart(Options{Secrets: newVault(t, nil, secretOf("vendor", map[string]string{"token": token}))})
	theirs := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name + "-smoke"}}
	if err := b.client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	st := b.passes(1)
	if want := "Job checkout-1-smoke is not this run's; delete it, or rename the metric"; st.Metrics[0].Message != want {
		t.Errorf("message %q, want %q", st.Metrics[0].Message, want)
	}
	b.edit(func(run *v1alpha1.AnalysisRun) { run.Spec.Stop = true })
	if b.passes(1); b.job() == nil {
		t.Error("somebody else's Job was deleted")
	}
}

// TestJobsOnAnAPIServer has the real Job controller say how the Jobs end. Each
// stays to be read, though its template would have it deleted at once: one that
// is gone is run again.
func TestJobsOnAnAPIServer(t *testing.T) {
	tests := map[string]struct {
		reason  string
		pods    corev1.PodPhase // what becomes of them; empty: they run on
		timeout time.Duration
		phase   v1alpha1.AnalysisPhase
		want    string
	}{
		"succeeds": {"success passes", corev1.PodSucceeded, time.Minute, v1alpha1.AnalysisPassed, "smoke: Job NAME succeeded"},
		"fails":    {"failure fails the run", corev1.PodFailed, time.Minute, v1alpha1.AnalysisFailed, "smoke: Job NAME failed: Job has reached the specified backoff limit; see the logs of its pods"},
		"too long": {"so does time", "", 2 * time.Second, v1alpha1.AnalysisFailed, "smoke: Job NAME failed: Job was active longer than specified deadline; see the logs of its pods"},
	}
	l := startLive(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			run := &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, GenerateName: "check-"}}
			smoke(run)
			run.Spec.Args, run.Spec.Block = nil, v1alpha1.Duration{Duration: time.Second}
			run.Spec.Metrics[0].Job.Timeout = &v1alpha1.Duration{Duration: tc.timeout}
			if err := l.Create(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			if tc.pods != "" {
				l.endPods(t, run.Name+"-smoke", tc.pods)
			}
			st := l.await(t, run, "end", func(st v1alpha1.AnalysisRunStatus) bool { return st.CompletedAt != nil })
			if got := strings.ReplaceAll(st.Message, run.Name+"-smoke", "NAME"); st.Phase != tc.phase || got != tc.want {
				t.Errorf("%s: %s: %q, want %s: %q", tc.reason, st.Phase, got, tc.phase, tc.want)
			}
			job := &batchv1.Job{}
			if err := l.Get(t.Context(), client.ObjectKey{Namespace: l.namespace, Name: run.Name + "-smoke"}, job); err != nil || job.Spec.TTLSecondsAfterFinished != nil {
				t.Errorf("%s: Job with a time to live of %v, error %v; want it to stay with its run", tc.reason, job.Spec.TTLSecondsAfterFinished, err)
			}
		})
	}
}

// endPods plays the kubelet for the pods of a Job, which come to their end.
func (l live) endPods(t *testing.T, job string, phase corev1.PodPhase) {
	t.Helper()
	var list corev1.PodList
	l.poll(t, func() bool {
		if err := l.List(t.Context(), &list, client.InNamespace(l.namespace), client.MatchingLabels{batchv1.JobNameLabel: job}); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) > 0 && list.Items[0].Status.Phase == corev1.PodRunning
	}, func() { t.Fatalf("no running pod of Job %s after %s", job, within) })
	for i := range list.Items {
		pod := list.Items[i].DeepCopy()
		pod.Status.Phase = phase
		if err := l.Status().Patch(t.Context(), pod, client.MergeFrom(&list.Items[i])); err != nil {
			t.Fatal(err)
		}
	}
}
