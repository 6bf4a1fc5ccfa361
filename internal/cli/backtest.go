// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/analysis/stats"
)

const verbBacktest = "backtest"

// Exit codes of backtest, beside [ExitOK] for passed and [ExitFailed] for failed.
const (
	// ExitInconclusive means that the history proves neither.
	ExitInconclusive = 2
	// ExitNoBacktest means that nothing was replayed: wrong usage, a file that can't be read, no data.
	ExitNoBacktest = 3
)

const backtestLong = `Replay an analysis over history, block by block, and print every verdict with its numbers.
Nothing is asked of a cluster and nothing is changed.

  0    passed: the condition for going on holds after the last block
  1    failed: the evidence reached the limit to abort, at the block named
  2    inconclusive: neither is proven
  3    could not be replayed: wrong usage, a file that can't be read, no data

History comes from a file of counts (--data), where every block is
[bad of canary, requests of canary, bad of stable, requests of stable]:

  {"block": "10s", "metrics": {"availability": {"objective": 0.999, "nextWeight": 0.25, "noise": 1,
    "blocks": [[0, 100, 1, 900], [5, 100, 1, 900]]}}}

Without an objective canary is compared with stable alone; without nextWeight it is 1, which is
all traffic; without noise it is learnt from stable's blocks. null is a block without data.`

const backtestExample = `  kubectl sluice backtest --data counts.json
  kubectl sluice backtest --data counts.json --false-abort-rate 0.001 -o json`

// backtest is what the flags say.
type backtest struct {
	Env
	data   string
	alpha  float64
	format string
}

func newBacktest(s *session) *cobra.Command {
	b := &backtest{Env: s.Env}
	cmd := &cobra.Command{
		Use:     verbBacktest + " --data FILE",
		Short:   "Replay an analysis over history, and tell the verdict by exit code",
		Long:    backtestLong,
		Example: backtestExample,
		Args:    noNames,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return b.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&b.data, "data", "", "JSON file of counts to replay")
	cmd.Flags().Float64Var(&b.alpha, "false-abort-rate", stats.FalseAbortRate, "How often a good canary may be aborted, as a share: 0.01 is 1 %")
	cmd.Flags().StringVarP(&b.format, "output", "o", "", "Output format: json; default a line for each block and metric")
	return cmd
}

// noNames refuses arguments: a backtest is of files, not of objects.
func noNames(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q: backtest takes no names; give the template with -f and the counts with --data", args[0])
	}
	return nil
}

func (b *backtest) check() error {
	switch {
	case b.format != formatText && b.format != formatJSON:
		return fmt.Errorf("-o %q: unknown format; use json, or leave it out", b.format)
	case b.data == "":
		return errors.New("nothing to replay; give a file of counts with --data FILE")
	}
	return nil
}

func (b *backtest) run(_ context.Context) error {
	if err := b.check(); err != nil {
		return err
	}
	h, err := readCounts(b.data)
	if err != nil {
		return fmt.Errorf("--data %s: %w", b.data, err)
	}
	r, err := stats.Replay(h.series, b.alpha)
	if err != nil {
		return fmt.Errorf("--data %s: %w", b.data, err)
	}
	return b.tell(replayed{history: h, Replayed: r, alpha: b.alpha})
}

// history is counts by metric.
type history struct {
	// block is how long each takes; 0 if nobody said.
	block time.Duration
	names []string
	// series are those of the names.
	series []stats.Series
}
