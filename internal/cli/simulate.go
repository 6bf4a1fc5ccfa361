// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/apis/v1alpha1"
	"github.com/sluice-dev/sluice/controllers/rollout/plan"
	"github.com/sluice-dev/sluice/internal/world"
)

const simulateLong = `Play a release in a simulated cluster before shipping it, and print what a user would see: the
controller's own planner decides, on pods, endpoints and routes that take as long as in a small
cluster that is well. Nothing is asked of a cluster and nothing is changed.

The files hold a Rollout and, if you like, its Deployment and its AnalysisTemplates; what else they
hold is left aside. They are checked first: what the API server would refuse is told in its words,
and not played. Every metric is played as one that needs three blocks in a row to pass or to fail; a
real judgement depends on your traffic, see backtest. Where the plan waits for a person, one promotes
after a minute.

With --bad-at the new version begins to fail at that step, and --traffic counts how many requests
it gets from then on. Steps are counted from 1, as get shows them.

Exit codes:
  0    played to its end, whether promoted or aborted
  1    can't be played: wrong usage, a file that can't be read, a spec that the API server would refuse`

const simulateExample = `  kubectl sluice simulate -f rollout.yaml
  kubectl sluice simulate -f rollout.yaml --bad-at 3 --traffic 200
  kubectl sluice simulate shop -f deploy/all.yaml               one of several Rollouts
  kustomize build overlays/prod | kubectl sluice simulate -f -  what a pipeline is about to apply`

// personComes is how long a person who is waited for takes.
const personComes = time.Minute

// glimpse is how long something has to be so for a person to see it.
const glimpse = 500 * time.Millisecond

// simulate is what the flags say.
type simulate struct {
	Env
	files   []string
	badAt   int
	traffic float64
}

func newSimulate(s *session) *cobra.Command {
	m := &simulate{Env: s.Env}
	cmd := &cobra.Command{
		Use:     "simulate [NAME] -f FILE",
		Short:   "Play a release in a simulated cluster, and print its timeline",
		Long:    simulateLong,
		Example: simulateExample,
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return m.run(cmd.Context(), strings.Join(args, "")) },
	}
	bindFiles(cmd.Flags(), &m.files, "File with the Rollout, and what belongs to it")
	cmd.Flags().IntVar(&m.badAt, "bad-at", 0, "Step, from 1, at which the new version begins to fail; 0 plays a good one")
	cmd.Flags().Float64Var(&m.traffic, "traffic", 0, "Requests per second, to count those that a bad version gets")
	return cmd
}

func (m *simulate) run(ctx context.Context, name string) error {
	if len(m.files) == 0 {
		return errors.New("nothing to simulate; give a file with a Rollout by -f FILE")
	}
	all, err := m.documents(ctx, m.files)
	if err != nil {
		return err
	}
	read, err := readManifests(all, name)
	if err != nil {
		return err
	}
	steps := plan.Steps(read.rollout.Spec)
	switch {
	case m.traffic < 0:
		return fmt.Errorf("--traffic %g: must be 0 or more requests per second", m.traffic)
	case m.badAt < 0 || m.badAt > len(steps):
		return fmt.Errorf("--bad-at %d: Rollout %s has %d steps; use 1 to %d, or leave it out for a good version", m.badAt, read.rollout.Name, len(steps), len(steps))
	}
	template, selector := read.pods()
	played, err := world.Rehearsal{
		Rollout: read.rollout, Template: template, Selector: selector, MinReady: read.minReady(),
		BadAt: int32(m.badAt) - 1, Traffic: m.traffic, Patience: personComes,
	}.Play()
	if err != nil {
		return fmt.Errorf("play Rollout %s: %w", read.rollout.Name, err)
	}
	m.print(read.rollout, steps, played)
	return nil
}

func (m *simulate) print(ro *v1alpha1.Rollout, steps []plan.Step, p world.Played) {
	fmt.Fprintf(m.Out, "%s  %s  %d steps\n\n", ro.Name, plan.WantedBindings(ro).Strategy, len(steps))
	fmt.Fprintf(m.Out, "%8s  %6s  %4s  %4s  %s\n", "time", "new", "old", "new", "what is happening")
	fmt.Fprintf(m.Out, "%8s  %6s  %4s  %4s\n", "", "gets", "pods", "pods")
	var shown world.Moment
	for i, x := range p.Moments {
		shown.At = x.At
		if x == shown || i+1 < len(p.Moments) && p.Moments[i+1].At-x.At < glimpse {
			continue
		}
		shown = x
		fmt.Fprintf(m.Out, "%8s  %4d %%  %4d  %4d  %s: %s\n", minutes(x.At), x.Weight, x.Stable, x.Canary, x.Phase, x.Message)
	}
	fmt.Fprintln(m.Out)
	for _, line := range m.summary(p) {
		fmt.Fprintln(m.Out, line)
	}
}

// summary says how it ended.
func (m *simulate) summary(p world.Played) []string {
	outcome := "promoted after " + minutes(p.Decided)
	if !p.Promoted {
		outcome = "aborted; all traffic is back on the old version after " + minutes(p.Decided)
	}
	if p.Left > 0 {
		outcome += ", and the last pod of the other version leaves at " + minutes(p.Left)
	}
	lines := []string{outcome}
	if m.badAt == 0 {
		return lines
	}
	lines = append(lines, fmt.Sprintf("it fails from %s on, with at most %d %% of the traffic", minutes(p.BadAt), p.Worst))
	if m.traffic > 0 {
		lines = append(lines, fmt.Sprintf("%.0f of %.0f requests got the bad version, at %g per second", p.BadServed, m.traffic*p.Decided.Seconds(), m.traffic))
	}
	if p.Promoted {
		lines = append(lines, "nothing noticed: add an analysis to the strategy, and an analyze step after this one")
	}
	return lines
}

// minutes writes a time as people read a clock.
func minutes(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
