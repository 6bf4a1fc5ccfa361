// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// wishVerb is a verb that asks the controller for something and has no flags of its own.
type wishVerb struct {
	verb                 v1alpha1.Verb
	short, long, example string
	// idle says why there is nothing to do; empty when there is.
	idle func(*v1alpha1.Rollout) string
}

func lifecycleVerbs() []wishVerb {
	return []wishVerb{
		{
			v1alpha1.VerbRetry, "Release an aborted revision again, from the first step",
			"Release the aborted revision once more, from the first step and with an analysis of its own. For\n" +
				"another revision nothing has to be retried: change the pod template.",
			`  kubectl sluice retry checkout --reason "the database is back"
  kubectl sluice status checkout --wait`, nothingToRetry,
		},
		{
			v1alpha1.VerbPause, "Hold a rollout where it is",
			"Hold replicas, traffic and steps where they are, without touching the spec, until kubectl sluice\n" +
				"resume. An abort still works. spec.paused does the same from Git.",
			`  kubectl sluice pause checkout --reason "incident 4711"
  kubectl sluice resume checkout`, never,
		},
		{
			v1alpha1.VerbResume, "End what pause began",
			"Go on after kubectl sluice pause. A pause step is ended by promote instead, and spec.paused where\nit was written.",
			`  kubectl sluice resume checkout`, never,
		},
		{
			v1alpha1.VerbRestart, "Replace every pod of the stable revision, one by one",
			"Replace every pod that exists now, one by one by eviction, with a pod more than usual meanwhile.\n" +
				"PodDisruptionBudgets are respected. While a release is in flight it waits for its end.\n" +
				"spec.restartAt does the same from Git.",
			`  kubectl sluice restart checkout`, never,
		},
		{
			v1alpha1.VerbSkipAnalysis, "Go on without analysis until the end of the release",
			"Stop the analysis of the release in flight. What it found so far no longer aborts or holds; pauses\n" +
				"and steps stay. The next release is analysed again.",
			`  kubectl sluice skip-analysis checkout --reason "Prometheus is being moved"`,
			func(r *v1alpha1.Rollout) string { return nothingInFlight(r, "skip") },
		},
	}
}

// newWish makes the command of one such verb.
func newWish(s *session, v wishVerb) *cobra.Command {
	w := &wish{verb: v.verb, idle: v.idle}
	cmd := &cobra.Command{
		Use:               string(v.verb) + " NAME",
		Short:             v.short,
		Long:              v.long + "\n\n" + wishCodes,
		Example:           v.example,
		ValidArgsFunction: completeName(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.run(cmd, args, w) },
	}
	w.bind(cmd.Flags())
	return cmd
}

const undoLong = `Release an earlier revision in place of the template's, until the template changes again. The
spec stays as Git wrote it. Without --to-revision a release in flight goes back to stable, at once
and without steps; when nothing is in flight, the revision promoted before is released, step by step
unless spec.rollbackWindow lets it go without. kubectl sluice get NAME -o wide shows the revisions
that are kept; spec.revisionHistoryLimit says how many.

` + wishCodes

const undoExample = `  kubectl sluice undo checkout
  kubectl sluice undo checkout --to-revision 7d9fkx2c4b`

func newUndo(s *session) *cobra.Command {
	w := &wish{verb: v1alpha1.VerbUndo, idle: never}
	cmd := &cobra.Command{
		Use:               "undo NAME",
		Short:             "Release an earlier revision until the template changes again",
		Long:              undoLong,
		Example:           undoExample,
		ValidArgsFunction: completeName(s),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.run(cmd, args, w) },
	}
	cmd.Flags().StringVar(&w.toRevision, "to-revision", "", "Revision to go back to, as get shows it")
	_ = cmd.RegisterFlagCompletionFunc("to-revision", completeRevision(s))
	w.bind(cmd.Flags())
	return cmd
}

// never finds nothing against a wish; the controller judges it.
func never(*v1alpha1.Rollout) string { return "" }

func nothingToRetry(r *v1alpha1.Rollout) string {
	st := r.Status
	if st.Abort != nil && st.Abort.Revision == st.CanaryRevision && st.CanaryRevision != "" {
		return ""
	}
	return fmt.Sprintf("rollout %s/%s: nothing to retry, no aborted revision is in flight (%s%s)",
		r.Namespace, r.Name, phaseWord(st.Phase), after(": ", st.Message))
}
