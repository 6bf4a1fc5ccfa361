// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const abortLong = `Return all traffic to the stable revision, as fast as stable can carry it. The aborted
revision stays aborted: no promote brings it back, only another pod template does.

Exit code 1 when the command was refused or there is nothing to abort, 2 when no answer came in time.`

const abortExample = `  kubectl sluice abort checkout --reason "checkout fails for guests"
  kubectl sluice status checkout --wait     until all traffic is back on stable`

func newAbort(s *session) *cobra.Command {
	w := &wish{}
	cmd := &cobra.Command{
		Use:     "abort NAME",
		Short:   "Return all traffic of a rollout to its stable revision",
		Long:    abortLong,
		Example: abortExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			w.verb = v1alpha1.VerbAbort
			w.idle = func(r *v1alpha1.Rollout) string { return nothingInFlight(r, "abort") }
			return s.run(cmd, args, w)
		},
	}
	w.bind(cmd.Flags())
	return cmd
}
