// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

// Package analysisrun carries AnalysisRuns out. A pass observes the run, takes
// the measurements that are due, has them judged and reports the verdict.
//
// It decides nothing itself: schedule says what is due, judge what it means. It
// remembers nothing either: all that counts is in the run's status, which is
// written under the version it was read at, so that a measurement counts once
// even when the cache lags behind.
package analysisrun

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/schedule"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/internal/kube"
)

const (
	// workers is how many runs are carried out at once. Most of their time is
	// spent waiting, and a server that does not answer must not stop other runs.
	workers = 32
	// afterConflict gives the cache time to catch up.
	afterConflict = 500 * time.Millisecond
)

// Options of the controller.
type Options struct {
	// PrometheusAddress is asked by runs that name no server. Empty for none:
	// such runs then say what is missing.
	PrometheusAddress string
	// AllowedHosts, if any, are all that runs may have asked besides it; see
	// [analysis.Allowed].
	AllowedHosts []string
	// Secrets is where Secrets are read, and not through a cache: a cache would
	// hold everybody's. Default: the reconciler's client.
	Secrets client.Reader
}

// Reconciler carries AnalysisRuns out. Use [New].
type Reconciler struct {
	client    client.Client
	recorder  events.EventRecorder
	clock     clock.Clock
	providers analysis.Registry
	options   Options
	jobs      jobs
}

// New returns a reconciler. Runs are read through c, which may be cached.
func New(c client.Client, recorder events.EventRecorder, clk clock.Clock, providers analysis.Registry, o Options) *Reconciler {
	if o.Secrets == nil {
		o.Secrets = c
	}
	return &Reconciler{client: c, recorder: recorder, clock: clk, providers: providers, options: o, jobs: jobs{client: c, live: o.Secrets}}
}

// SetupWithManager has the manager run the reconciler for every AnalysisRun.
// Changes of its status alone do not wake it, those of its Jobs do.
func (r *Reconciler) SetupWithManager(mgr manager.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("analysisrun").
		For(&v1alpha1.AnalysisRun{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&batchv1.Job{}).
		WithOptions(kube.Workers(workers, kube.NewRetries())).
		Complete(r)
}

// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=sluice.dev,resources=analysisruns/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	seen, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if seen.over() {
		return r.expire(ctx, seen)
	}
	got, err := r.measure(ctx, seen)
	if err != nil {
		return ctrl.Result{}, err
	}
	status := judge.Run(seen.judged(got))
	if err := r.report(ctx, seen.run, status); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: afterConflict}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if judge.Final(status) {
		seen.run.Status = status
		if err := r.jobs.end(ctx, seen.run); err != nil {
			return ctrl.Result{}, err
		}
		return r.wake(expiry(seen.run.Spec, status)), nil
	}
	asked := seen.run.Spec
	asked.Question = judge.Question(asked, status, alone(seen.run))
	return r.wake(schedule.Next(asked, status, seen.now, judge.Deadlines(asked, status)...)), nil
}

// expire ends what a run that is over has left, and deletes it when its time to live is.
func (r *Reconciler) expire(ctx context.Context, s snapshot) (ctrl.Result, error) {
	if err := r.jobs.end(ctx, s.run); err != nil {
		return ctrl.Result{}, err
	}
	at := expiry(s.run.Spec, s.run.Status)
	if at.IsZero() || s.run.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	if s.now.Before(at) {
		return r.wake(at), nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Delete(ctx, s.run))
}

// expiry is when a run that is over is deleted; the zero time when it stays.
func expiry(spec v1alpha1.AnalysisRunSpec, st v1alpha1.AnalysisRunStatus) time.Time {
	if spec.TTLSecondsAfterFinished == nil || st.CompletedAt == nil {
		return time.Time{}
	}
	return st.CompletedAt.Add(time.Duration(*spec.TTLSecondsAfterFinished) * time.Second)
}

// wake asks for a pass at a time, or for none at the zero time. Measuring took
// time of its own, so what is left is counted from now.
func (r *Reconciler) wake(at time.Time) ctrl.Result {
	if at.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(at.Sub(r.clock.Now()), time.Millisecond)}
}
