// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/view"
)

const verbStatus = "status"

const statusLong = `Tell how far the wanted revision has come, by exit code and in words.

Exit codes:
  0    promoted: the wanted revision carries all traffic
  1    aborted or degraded
  2    --wait only: the time limit passed first
  3    without --wait only: still under way
  4    could not be found out: wrong usage, no such rollout, no access
  130  --wait only: interrupted

A status that speaks of an older spec counts as under way, so a pipeline may ask
right after kubectl apply. With --wait every change of phase or message is printed as a line.`

const statusExample = `  kubectl sluice status checkout
  kubectl apply -f checkout.yaml && kubectl sluice status checkout --wait --timeout 30m`

// defaultStatusTimeout is as long as most releases without a manual pause need.
const defaultStatusTimeout = 10 * time.Minute

func newStatus(s *session) *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:               verbStatus + " NAME",
		Short:             "Tell by exit code whether a rollout is promoted, or wait until it is",
		Long:              statusLong,
		Example:           statusExample,
		ValidArgsFunction: completeName(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := rolloutName(args)
			if err != nil {
				return err
			}
			if timeout <= 0 {
				return fmt.Errorf("--timeout %s: must be more than 0, such as 10m", timeout)
			}
			if wait {
				return s.await(cmd.Context(), name, timeout)
			}
			return s.status(cmd.Context(), name)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "Wait until the wanted revision is promoted, aborted or degraded")
	cmd.Flags().DurationVar(&timeout, "timeout", defaultStatusTimeout, "Longest time to wait, such as 30m")
	return cmd
}

func (s *session) status(ctx context.Context, name string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	if _, err := c.rollout(ctx, name); err != nil {
		return err
	}
	p, err := c.progress(ctx, c.client, name)
	if err != nil {
		return c.explain(fmt.Sprintf("read Rollout %s/%s", c.namespace, name), err)
	}
	fmt.Fprintln(s.Out, progressLine(p, s.Colour))
	switch p.Standing {
	case view.StandingPromoted:
		return nil
	case view.StandingFailed, view.StandingAborting:
		return exit{code: ExitFailed}
	case view.StandingUnderway:
	}
	return exit{code: ExitUnderway}
}

// await prints each change until the outcome is certain or the time is up. An
// abort is awaited to its end: only then is all traffic back on stable.
func (s *session) await(ctx context.Context, name string, timeout time.Duration) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	r, err := c.rollout(ctx, name)
	if err != nil {
		return err
	}
	var parts []part
	if r.Spec.WorkloadRef != nil {
		parts = append(parts, c.workload(r.Spec.WorkloadRef.Name))
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last view.Progress
	err = s.follow(limited, c, name, parts, func(ctx context.Context, from client.Reader) (bool, error) {
		p, err := c.progress(ctx, from, name)
		if apierrors.IsNotFound(err) {
			return false, exit{ExitFailed, fmt.Sprintf("the Rollout %s/%s was deleted", c.namespace, name)}
		}
		if err != nil {
			return false, err
		}
		if p != last {
			fmt.Fprintln(s.Out, s.Now().Format(clockLayout)+"  "+progressLine(p, s.Colour))
		}
		last = p
		return p.Standing == view.StandingPromoted || p.Standing == view.StandingFailed, nil
	})
	return conclude(ctx, err, last, fmt.Sprintf("%s after %s", name, timeout))
}

// conclude turns how a wait ended into the error that carries the exit code.
func conclude(ctx context.Context, err error, last view.Progress, what string) error {
	switch {
	case err == nil && last.Standing == view.StandingPromoted:
		return nil
	case err == nil:
		return exit{code: ExitFailed}
	case ctx.Err() != nil:
		return exit{ExitInterrupted, "interrupted; the release goes on"}
	case errors.Is(err, context.DeadlineExceeded) && last.Standing == view.StandingAborting:
		return exit{ExitFailed, what + ": aborted, and traffic is still on its way back to stable: " + last.Message}
	case errors.Is(err, context.DeadlineExceeded):
		return exit{ExitTimeout, fmt.Sprintf("%s: time is up while the release is under way: %s; the release goes on, "+
			"wait longer with --timeout", what, cmp.Or(last.Message, "the API server has not answered"))}
	}
	return err
}

func progressLine(p view.Progress, colour bool) string {
	return look{colour: colour}.paint(phaseWord(p.Phase), phaseStyle(p.Phase)) + after("  ", p.Message)
}

// progress reads a Rollout, and the Deployment whose template it uses.
func (c *cluster) progress(ctx context.Context, from client.Reader, name string) (view.Progress, error) {
	var r v1alpha1.Rollout
	if err := from.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, &r); err != nil {
		return view.Progress{}, err //nolint:wrapcheck // callers tell a deleted Rollout from a failure
	}
	wanted, err := c.wanted(ctx, from, &r)
	if err != nil {
		return view.Progress{}, err
	}
	return view.ProgressOf(&r, wanted), nil
}

// wanted is the revision that a referenced workload asks for; empty when there
// is none. A missing Deployment is the controller's to report.
func (c *cluster) wanted(ctx context.Context, from client.Reader, r *v1alpha1.Rollout) (string, error) {
	ref := r.Spec.WorkloadRef
	if ref == nil {
		return "", nil
	}
	var d appsv1.Deployment
	err := from.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: ref.Name}, &d)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", c.explain(fmt.Sprintf("read Deployment %s/%s", c.namespace, ref.Name), err)
	}
	hash, err := plan.HashTemplate(d.Spec.Template)
	if err != nil {
		return "", fmt.Errorf("identify the template of Deployment %s/%s: %w", c.namespace, ref.Name, err)
	}
	return hash, nil
}
