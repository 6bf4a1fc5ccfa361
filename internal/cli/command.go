// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// wish is what a person asks for by a verb such as promote or abort.
type wish struct {
	verb       v1alpha1.Verb
	toRevision string
	reason     string
	wait       bool
	timeout    time.Duration
	// idle says why there is nothing to do; empty when there is.
	idle func(*v1alpha1.Rollout) string
}

// defaultAnswerTimeout is many times what a running controller needs to answer.
const defaultAnswerTimeout = 30 * time.Second

func (w *wish) bind(flags *pflag.FlagSet) {
	flags.StringVar(&w.reason, "reason", "", "Why, for the record in the status and in events")
	flags.BoolVar(&w.wait, "wait", true, "Wait for the controller's answer; --wait=false returns once the command is written")
	flags.DurationVar(&w.timeout, "timeout", defaultAnswerTimeout, "Longest time to wait for the answer")
}

// run is the RunE of a verb that asks for something.
func (s *session) run(cmd *cobra.Command, args []string, w *wish) error {
	name, err := rolloutName(args)
	if err != nil {
		return err
	}
	if w.timeout <= 0 {
		return fmt.Errorf("--timeout %s: must be more than 0, such as 30s", w.timeout)
	}
	c, err := s.connect()
	if err != nil {
		return err
	}
	command, err := s.ask(cmd.Context(), c, name, w)
	if err != nil {
		return err
	}
	if !w.wait {
		fmt.Fprintf(s.Out, "%s: %s of revision %s asked for\n", name, w.verb, command.Revision)
		return nil
	}
	return s.answer(cmd.Context(), c, name, command, w.timeout)
}

// maxAttempts bounds how often a write is tried again: the controller writes
// to the same object, so a lost race is ordinary.
const maxAttempts = 5

// ask writes the command. When the object was changed in between, it is read
// again; the command is then written only if it still means the same.
func (s *session) ask(ctx context.Context, c *cluster, name string, w *wish) (v1alpha1.Command, error) {
	var command v1alpha1.Command
	for attempt := 0; ; attempt++ {
		r, err := c.rollout(ctx, name)
		if err != nil {
			return command, err
		}
		if why := w.idle(r); why != "" {
			return command, errors.New(why)
		}
		if why := unhandled(r); why != "" && w.verb != v1alpha1.VerbAbort {
			return command, errors.New(why)
		}
		now := w.command(r)
		if attempt > 0 && !sameTarget(command, now) {
			return command, fmt.Errorf("rollout %s/%s moved on meanwhile (now %s); look at it with `kubectl sluice get %s` and ask again",
				c.namespace, name, position(r), name)
		}
		if attempt == 0 {
			now.ID, now.By = s.NewID(), whoami(ctx, c, s.User)
			command = now
		}
		err = c.write(ctx, r, command)
		if err == nil {
			return command, nil
		}
		if !apierrors.IsConflict(err) || attempt == maxAttempts-1 {
			return command, c.explain(fmt.Sprintf("write annotation %s of Rollout %s/%s", v1alpha1.CommandAnnotation, c.namespace, name), err)
		}
	}
}

// command is meant for what r shows now and for nothing else.
func (w *wish) command(r *v1alpha1.Rollout) v1alpha1.Command {
	out := v1alpha1.Command{Verb: w.verb, Revision: r.Status.CanaryRevision, ToRevision: w.toRevision, Reason: w.reason}
	if w.verb == v1alpha1.VerbPromote && r.Status.CurrentStep != nil {
		step := r.Status.CurrentStep.Index
		out.Step = &step
	}
	return out
}

func sameTarget(a, b v1alpha1.Command) bool {
	sameStep := (a.Step == nil) == (b.Step == nil) && (a.Step == nil || *a.Step == *b.Step)
	return a.Revision == b.Revision && sameStep
}

// write changes one annotation, and nothing if the object is not as it was read.
func (c *cluster) write(ctx context.Context, r *v1alpha1.Rollout, command v1alpha1.Command) error {
	value, err := json.Marshal(command)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	changed := r.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[v1alpha1.CommandAnnotation] = string(value)
	patch := client.MergeFromWithOptions(r, client.MergeFromWithOptimisticLock{})
	return c.client.Patch(ctx, changed, patch, client.FieldOwner("kubectl-sluice")) //nolint:wrapcheck // ask explains it
}

// whoami is the user that the API server sees, else the login name.
func whoami(ctx context.Context, c *cluster, login string) string {
	var review authenticationv1.SelfSubjectReview
	err := c.client.Create(ctx, &review)
	if err == nil && review.Status.UserInfo.Username != "" {
		return review.Status.UserInfo.Username
	}
	return cmp.Or(login, "unknown")
}

// answer waits until the controller has handled the command, and prints what became of it.
func (s *session) answer(ctx context.Context, c *cluster, name string, command v1alpha1.Command, timeout time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var written bool
	var handled *v1alpha1.CommandStatus
	err := s.follow(limited, c, name, nil, func(ctx context.Context, from client.Reader) (bool, error) {
		o, err := c.gather(ctx, from, name, nil)
		if apierrors.IsNotFound(err) {
			return false, fmt.Errorf("the Rollout %s/%s was deleted", c.namespace, name)
		}
		if err != nil {
			return false, err
		}
		last := o.Rollout.Status.LastCommand
		if last != nil && last.ID == command.ID {
			handled = last
			return true, nil
		}
		pending := pendingID(o.Rollout)
		if written && pending != command.ID {
			return false, fmt.Errorf("%s of %s: another command took its place before the controller saw it; look at `kubectl sluice get %s`",
				command.Verb, name, name)
		}
		written = pending == command.ID
		return false, nil
	})
	switch {
	case err == nil:
		return s.report(name, *handled)
	case ctx.Err() != nil:
		return exit{ExitInterrupted, "interrupted; the command stays written"}
	case errors.Is(err, context.DeadlineExceeded):
		return exit{ExitTimeout, fmt.Sprintf("%s of %s: the controller has not answered within %s; the command stays written. "+
			"Check that it runs: kubectl -n %s get deployment %s", command.Verb, name, timeout, controllerNamespace, controllerName)}
	}
	return err
}

// unhandled says which command a new one would overwrite; empty when there is none.
func unhandled(r *v1alpha1.Rollout) string {
	var command v1alpha1.Command
	err := json.Unmarshal([]byte(r.Annotations[v1alpha1.CommandAnnotation]), &command)
	if last := r.Status.LastCommand; err != nil || command.ID == "" || last != nil && last.ID == command.ID {
		return ""
	}
	return fmt.Sprintf("rollout %s/%s: %s, asked for by %s, waits for the controller and would be lost; ask again when it is handled, or take it back with "+
		"`kubectl -n %[1]s annotate rollouts.sluice.dev %[2]s %[5]s-`", r.Namespace, r.Name, command.Verb, cmp.Or(command.By, "an unnamed user"), v1alpha1.CommandAnnotation)
}

// pendingID is the id of the command on a Rollout; empty when there is none that can be read.
func pendingID(r *v1alpha1.Rollout) string {
	var command v1alpha1.Command
	if json.Unmarshal([]byte(r.Annotations[v1alpha1.CommandAnnotation]), &command) != nil {
		return ""
	}
	return command.ID
}

func (s *session) report(name string, handled v1alpha1.CommandStatus) error {
	if handled.Result != v1alpha1.CommandAccepted {
		return fmt.Errorf("%s of %s was refused: %s", handled.Verb, name, handled.Message)
	}
	fmt.Fprintf(s.Out, "%s: %s accepted%s\n", name, handled.Verb, after(": ", handled.Message))
	return nil
}

// nothingInFlight says why a Rollout has no canary to promote or abort; empty when it has one.
func nothingInFlight(r *v1alpha1.Rollout, verb string) string {
	st := r.Status
	switch {
	case st.CanaryRevision == "":
		return fmt.Sprintf("rollout %s/%s: nothing to %s, no canary is in flight (%s%s)",
			r.Namespace, r.Name, verb, phaseWord(st.Phase), after(": ", st.Message))
	case st.Abort != nil && st.Abort.Revision == st.CanaryRevision:
		return fmt.Sprintf("rollout %s/%s: nothing to %s, revision %s was aborted already (%s); "+
			"release it again with `kubectl sluice retry %s`, or change the pod template to release another revision",
			r.Namespace, r.Name, verb, st.CanaryRevision, st.Abort.Message, r.Name)
	}
	return ""
}

func position(r *v1alpha1.Rollout) string {
	where := "revision " + orDash(r.Status.CanaryRevision)
	if r.Status.CurrentStep != nil {
		where += fmt.Sprintf(", step %d", r.Status.CurrentStep.Index+1)
	}
	return where
}
