// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const abortLong = `Return all traffic to the stable revision, as fast as stable can carry it. The aborted revision
stays aborted and no promote brings it back. What you can do then:

  - release the same revision once more, from the first step: kubectl sluice retry NAME
  - release another one: change the pod template
  - leave it at stable: put stable's template back where it comes from, or kubectl sluice undo NAME

` + wishCodes

const abortExample = `  kubectl sluice abort checkout --reason "checkout fails for guests"
  kubectl sluice status checkout --wait     until all traffic is back on stable
  kubectl sluice retry checkout             once the cause is mended: the same revision again`

func newAbort(s *session) *cobra.Command {
	w := &wish{}
	cmd := &cobra.Command{
		Use:               "abort NAME",
		Short:             "Return all traffic of a rollout to its stable revision",
		Long:              abortLong,
		Example:           abortExample,
		ValidArgsFunction: completeName(s),
		RunE: func(cmd *cobra.Command, args []string) error {
			w.verb = v1alpha1.VerbAbort
			w.idle = func(r *v1alpha1.Rollout) string { return nothingInFlight(r, "abort") }
			return s.run(cmd, args, w)
		},
	}
	w.bind(cmd.Flags())
	return cmd
}
