// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package analysisrun

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/names"
)

// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get;list;watch;create;delete

// pending lists the metrics of a run whose Job has not spoken yet.
func pending(run *v1alpha1.AnalysisRun) []v1alpha1.Metric {
	var ms []v1alpha1.Metric
	for _, m := range run.Spec.Metrics {
		over := slices.ContainsFunc(run.Status.Metrics, func(st v1alpha1.MetricStatus) bool { return st.Name == m.Name && judge.JobOver(st) })
		if m.Job != nil && !over {
			ms = append(ms, m)
		}
	}
	return ms
}

// jobs starts the Jobs of runs, and ends them.
type jobs struct {
	client client.Client
	// live reads the API server, as Secrets must be.
	live client.Reader
}

// states says how far the Jobs of a run are, and starts those that are not there.
// A Job has the run's name and its metric's, so it is started once.
func (r jobs) states(ctx context.Context, s snapshot) (map[string]judge.JobState, error) {
	states := map[string]judge.JobState{}
	if s.invalid != "" || s.run.Spec.Stop || !sound(s.run.Spec) {
		return states, nil
	}
	for _, m := range pending(s.run) {
		state, err := r.state(ctx, s.run, m)
		if err != nil {
			return nil, err
		}
		states[m.Name] = state
	}
	return states, nil
}

func (r jobs) state(ctx context.Context, run *v1alpha1.AnalysisRun, m v1alpha1.Metric) (judge.JobState, error) {
	name := names.MetricJob(run.Name, m.Name)
	job := &batchv1.Job{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: name}, job)
	switch {
	case apierrors.IsNotFound(err):
		return r.start(ctx, run, m)
	case err != nil:
		return judge.JobState{}, fmt.Errorf("read Job %s: %w", name, err)
	case !metav1.IsControlledBy(job, run):
		return judge.JobState{Problem: foreign(name)}, nil
	}
	return stateOf(job), nil
}

func foreign(job string) string {
	return fmt.Sprintf("Job %s is not this run's; delete it, or rename the metric", job)
}

func stateOf(job *batchv1.Job) judge.JobState {
	state := judge.JobState{Name: job.Name}
	for _, c := range job.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			state.Succeeded = true
		case c.Type == batchv1.JobSuspended:
			state.Suspended = true
		case c.Type == batchv1.JobFailed:
			state.Failed, state.Message = true, cmp.Or(c.Message, c.Reason)
		}
	}
	return state
}

// start creates the Job of a metric. What keeps it from being created and must
// be mended by somebody is the state's problem, and tried again.
func (r jobs) start(ctx context.Context, run *v1alpha1.AnalysisRun, m v1alpha1.Metric) (judge.JobState, error) {
	read := &secrets{from: r.live, namespace: run.Namespace, seen: map[string]*corev1.Secret{}}
	if _, err := read.arguments(ctx, judge.SecretArgs(m, run.Spec.Args)); err != nil || read.obstacle != "" {
		return judge.JobState{Problem: read.obstacle}, err
	}
	job := jobOf(run, m)
	err := r.client.Create(ctx, job, client.FieldOwner(v1alpha1.FieldOwner))
	switch {
	case err == nil:
		return judge.JobState{Name: job.Name}, nil
	case apierrors.IsAlreadyExists(err):
		return r.existing(ctx, run, job.Name)
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err):
		return judge.JobState{Problem: fmt.Sprintf("the API server refuses Job %s (%v); correct job.template, or what refuses it", job.Name, err)}, nil
	}
	return judge.JobState{}, fmt.Errorf("create Job %s: %w", job.Name, err)
}

// existing tells a Job that the cache has yet to show from one that it never will:
// it holds only those of Rollouts.
func (r jobs) existing(ctx context.Context, run *v1alpha1.AnalysisRun, name string) (judge.JobState, error) {
	job := &batchv1.Job{}
	switch err := r.live.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: name}, job); {
	case err != nil:
		return judge.JobState{}, fmt.Errorf("read Job %s: %w", name, err)
	case !metav1.IsControlledBy(job, run):
		return judge.JobState{Problem: foreign(name)}, nil
	}
	return stateOf(job), nil
}

// jobOf renders the Job of a metric. It ends with the run, and at its timeout.
// A time to live of its own it must not have: gone before its end was read, it
// would be run again.
func jobOf(run *v1alpha1.AnalysisRun, m v1alpha1.Metric) *batchv1.Job {
	template := m.Job.Template.DeepCopy()
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: run.Namespace, Name: names.MetricJob(run.Name, m.Name),
		Annotations: template.Annotations, Labels: map[string]string{},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, v1alpha1.GroupVersion.WithKind("AnalysisRun"))},
	}, Spec: template.Spec}
	maps.Copy(job.Labels, template.Labels)
	job.Labels[v1alpha1.RolloutLabel] = run.Labels[v1alpha1.RolloutLabel]
	if revision := run.Labels[v1alpha1.RevisionLabel]; revision != "" {
		job.Labels[v1alpha1.RevisionLabel] = revision
	}
	job.Spec.TTLSecondsAfterFinished = nil
	// Never rounded down to 0, which would end the Job at once.
	limit := int64(max(1, judge.JobTimeout(m).Seconds()))
	if own := job.Spec.ActiveDeadlineSeconds; own == nil || *own > limit {
		job.Spec.ActiveDeadlineSeconds = &limit
	}
	pod := &job.Spec.Template.Spec
	pod.RestartPolicy = cmp.Or(pod.RestartPolicy, corev1.RestartPolicyNever)
	env := environment(run.Spec)
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			containers[i].Env = withDefaults(env, containers[i].Env)
		}
	}
	return job
}

// environment gives the arguments of a run, and what is known of the canary, as
// variables. What comes from a Secret the kubelet fills in.
func environment(spec v1alpha1.AnalysisRunSpec) []corev1.EnvVar {
	var env []corev1.EnvVar
	known := map[string]bool{}
	for _, a := range spec.Args {
		known[a.Name] = true
		e := corev1.EnvVar{Name: a.Name, Value: a.Value}
		if ref := a.SecretKeyRef; ref != nil {
			e = corev1.EnvVar{Name: a.Name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name}, Key: ref.Key,
			}}}
		}
		env = append(env, e)
	}
	canary := judge.Arms(spec)[0]
	for _, name := range slices.Sorted(maps.Keys(canary)) {
		if !known[name] {
			env = append(env, corev1.EnvVar{Name: name, Value: canary[name]})
		}
	}
	return env
}

// withDefaults puts variables before a container's own, which count where both
// have one, and may refer to those before them.
func withDefaults(defaults, own []corev1.EnvVar) []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, d := range defaults {
		if !slices.ContainsFunc(own, func(e corev1.EnvVar) bool { return e.Name == d.Name }) {
			all = append(all, d)
		}
	}
	return append(all, own...)
}

// end deletes the Jobs that a run which is over did not wait for. Those that
// have come to an end stay, with their logs, until the run is deleted.
func (r jobs) end(ctx context.Context, run *v1alpha1.AnalysisRun) error {
	for _, m := range pending(run) {
		job := &batchv1.Job{}
		err := r.client.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: names.MetricJob(run.Name, m.Name)}, job)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read Job %s: %w", names.MetricJob(run.Name, m.Name), err)
		}
		if !metav1.IsControlledBy(job, run) || stateOf(job).Done() || job.DeletionTimestamp != nil {
			continue
		}
		if err := r.client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Job %s: %w", job.Name, err)
		}
	}
	return nil
}
