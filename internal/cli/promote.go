// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
)

const promoteLong = `End the pause, approval, gate or analysis that the rollout is in and go on to the next step, or
with --full skip all remaining steps. Pods and traffic are waited for in either case: a step that
waits for those can't be ended so, nor one that waits for a Job.

The command is meant for the revision and step of this moment; if the rollout moves on before the
controller sees it, it is refused and nothing changes. It brings no aborted revision back; that is
kubectl sluice retry NAME.

` + wishCodes

const promoteExample = `  kubectl sluice promote checkout
  kubectl sluice promote checkout --full --reason "hotfix, approved by Ada"`

func newPromote(s *session) *cobra.Command {
	var full bool
	w := &wish{}
	cmd := &cobra.Command{
		Use:               "promote NAME",
		Short:             "End the current pause or analysis of a rollout, or skip all steps",
		Long:              promoteLong,
		Example:           promoteExample,
		ValidArgsFunction: completeName(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.verb, w.idle = v1alpha1.VerbPromote, nothingToPromote
			if full {
				w.verb = v1alpha1.VerbPromoteFull
			}
			return s.run(cmd, args, w)
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "Skip all remaining steps")
	w.bind(cmd.Flags())
	return cmd
}

func nothingToPromote(r *v1alpha1.Rollout) string {
	if why := nothingInFlight(r, "promote"); why != "" {
		return why
	}
	if plan.Done(r) {
		return fmt.Sprintf("rollout %s/%s: nothing to promote, all steps are done and revision %s is being promoted (%s)",
			r.Namespace, r.Name, r.Status.CanaryRevision, r.Status.Message)
	}
	return ""
}
