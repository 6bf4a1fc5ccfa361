// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/prometheus"
	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

const (
	verbBacktest = "backtest"
	defaultBlock = 10 * time.Second
	wholeTraffic = 100
)

// Exit codes of backtest, beside [ExitOK] for passed and [ExitFailed] for failed.
const (
	// ExitInconclusive means that the history proves neither.
	ExitInconclusive = 2
	// ExitNoBacktest means that there is nothing to judge: wrong usage, a file that can't be read, no data.
	ExitNoBacktest = 3
)

const backtestLong = `Replay an analysis over history, block by block, and print every verdict with its numbers.
Nothing is asked of a cluster and nothing is changed.

Exit codes:
  0    passed: the condition for going on holds after the last block
  1    failed: the evidence reached the limit to abort, at the block named
  2    inconclusive: there was data, and it proves neither; a longer history may
  3    error: nothing to judge. Wrong usage, a file that can't be read, a server that can't be
       asked, or a metric for which there is not a single block of data

With --prometheus, a template (-f) is replayed over what the server holds, with the queries of a live
run. A file may hold several templates; NAME chooses one, and those that it builds on are found in
the files too. A preset takes the Services, ReplicaSets or revisions that --arm names, in the namespace -n.

With --data, a file holds the counts; no server and no template are needed. Every block is
[bad of canary, requests of canary, bad of stable, requests of stable]:

  {"block": "10s", "metrics": {"availability": {"objective": 0.999, "nextWeight": 0.25, "noise": 1,
    "blocks": [[0, 100, 1, 900], [5, 100, 1, 900]]}}}

Without an objective canary is compared with stable alone; without nextWeight it is 1, which is
all traffic; without noise it is learnt from stable's blocks. null is a block without data.`

const backtestExample = `  kubectl sluice backtest -f template.yaml --prometheus http://localhost:9090 --from 2h \
      --arm canary=checkout-canary --arm stable=checkout-stable
  kubectl sluice backtest --data counts.json
  kubectl sluice backtest --data counts.json --false-abort-rate 0.001 -o json`

// backtest is what the flags say.
type backtest struct {
	Env
	files                      []string
	data, prometheus, from, to string
	block                      time.Duration
	nextWeight                 int
	arms, args                 map[string]string
	alpha                      float64
	format                     string
	namespace                  func() string
	// idle are the flags given that have no meaning with --data.
	idle []string
}

func newBacktest(s *session) *cobra.Command {
	b := &backtest{Env: s.Env, namespace: func() string { return cmp.Or(s.overrides.Context.Namespace, "default") }}
	cmd := &cobra.Command{
		Use:     verbBacktest + " [NAME] [-f TEMPLATE] (--prometheus URL --from TIME [--to TIME] | --data FILE)",
		Short:   "Replay an analysis over history, and tell the verdict by exit code",
		Long:    backtestLong,
		Example: backtestExample,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"from", "to", "block", "next-weight"} {
				if cmd.Flags().Changed(name) {
					b.idle = append(b.idle, name)
				}
			}
			return b.run(cmd.Context(), strings.Join(args, ""))
		},
	}
	flags := cmd.Flags()
	bindFiles(flags, &b.files, "File with an AnalysisTemplate or ClusterAnalysisTemplate, and with those that it builds on")
	flags.StringVar(&b.data, "data", "", "JSON file of counts to replay, - for the standard input; needs no template")
	flags.StringVar(&b.prometheus, "prometheus", "", "Base URL of the Prometheus that holds the history; user:password@ in it is sent along")
	flags.StringVar(&b.from, "from", "", "Start of the history: 2026-11-20T10:00:00Z, seconds since 1970, or how long ago, such as 2h")
	flags.StringVar(&b.to, "to", "", "End of the history, written as --from; default now")
	flags.DurationVar(&b.block, "block", defaultBlock, "Length of a block")
	flags.IntVar(&b.nextWeight, "next-weight", wholeTraffic, "Share of traffic in percent that must be proven affordable")
	flags.StringToStringVar(&b.arms, "arm", nil, "What tells the arms apart, as canary=VALUE and stable=VALUE: the value of $(arm), $(service), $(workload) and the like, "+
		"and what a preset knows the arm by; default canary and stable")
	flags.StringToStringVar(&b.args, "arg", nil, "Values of the template's args, as NAME=VALUE")
	flags.Float64Var(&b.alpha, "false-abort-rate", stats.FalseAbortRate, "How often a good canary may be aborted, as a share: 0.01 is 1 %")
	flags.StringVarP(&b.format, "output", "o", "", "Output format: json; default a line for each block and metric")
	return cmd
}

func (b *backtest) check(name string) error {
	if name != "" && len(b.files) == 0 {
		return fmt.Errorf("%s: there is nothing to choose it from; give the template with -f and the counts with --data", name)
	}
	if b.format != formatText && b.format != formatJSON {
		return fmt.Errorf("-o %q: unknown format; use json, or leave it out", b.format)
	}
	if b.nextWeight < 1 || b.nextWeight > wholeTraffic {
		return fmt.Errorf("--next-weight %d: must be 1 to %d", b.nextWeight, wholeTraffic)
	}
	if !(b.alpha > 0 && b.alpha <= 0.5) || math.IsInf(1/b.alpha, 1) {
		return fmt.Errorf("--false-abort-rate %v: must be a share above 0 and at most 0.5, such as 0.01 for 1 %%", b.alpha)
	}
	return b.checkHistory()
}

// checkHistory sees that there is one history, and something to replay over it.
func (b *backtest) checkHistory() error {
	counted, asked := b.data != "", b.prometheus != ""
	switch {
	case counted && asked:
		return errors.New("--data and --prometheus are both given; leave one out")
	case counted && len(b.idle) > 0:
		return fmt.Errorf("--%s: the file of --data says that itself; leave the flag out, and write block and nextWeight into the file", b.idle[0])
	case counted:
		return nil
	case asked && len(b.files) == 0:
		return errors.New("--prometheus: there is nothing to ask it; give a template with -f FILE")
	case asked && b.from == "":
		return errors.New("--prometheus: since when? give --from, such as --from 2h")
	case asked:
		return nil
	case len(b.files) == 0:
		return errors.New("nothing to replay; give a template with -f FILE --prometheus URL --from TIME, or a file of counts with --data FILE")
	}
	return fmt.Errorf("-f %s: where is the history? give --prometheus URL and --from TIME, or a file of counts with --data FILE", strings.Join(b.files, " -f "))
}

func (b *backtest) run(ctx context.Context, name string) error {
	if err := b.check(name); err != nil {
		return err
	}
	var template v1alpha1.AnalysisTemplateSpec
	if len(b.files) > 0 {
		all, err := b.documents(ctx, b.files)
		if err != nil {
			return err
		}
		if template, err = chooseTemplate(all, name); err != nil {
			return err
		}
	}
	if b.data != "" {
		return b.counted(template)
	}
	return b.asked(ctx, template)
}

// counted replays a file of counts, with the objectives of a template where it has none.
func (b *backtest) counted(template v1alpha1.AnalysisTemplateSpec) error {
	promised, err := promises(template)
	if err != nil {
		return fmt.Errorf("the template of -f: %w", err)
	}
	raw, err := b.readInput(b.data)
	if err != nil {
		return fmt.Errorf("--data %s: %w", b.data, err)
	}
	h, err := parseCounts(raw)
	if err != nil {
		return fmt.Errorf("--data %s: %w", b.data, err)
	}
	for i, name := range h.names {
		if h.series[i].Objective == 0 {
			h.series[i].Objective = promised[name]
		}
	}
	r, err := h.replay(b.alpha)
	if err != nil {
		return fmt.Errorf("--data %s: %w", b.data, err)
	}
	return b.tell(judged(h, r, nil, b.alpha), "the file's blocks", "give blocks whose counts are finite, 0 or more, and no more bad than all")
}

// asked replays what a server holds.
func (b *backtest) asked(ctx context.Context, template v1alpha1.AnalysisTemplateSpec) error {
	s, err := spanOf(b.from, b.to, b.block, b.Now())
	if err != nil {
		return err
	}
	sides, err := withArms(b.arms)
	if err != nil {
		return err
	}
	questions, err := sources{sides, b.args, b.namespace()}.questions(template)
	if err != nil {
		return fmt.Errorf("the template of -f: %w", err)
	}
	p := past{prometheus.New(prometheus.Options{Timeout: time.Minute}), analysis.Target{Address: b.prometheus}, s}
	h := history{block: s.block, from: s.from}
	var gates []gate
	for _, q := range questions {
		if err := p.add(ctx, q, b, &h, &gates); err != nil {
			return fmt.Errorf("metric %q: %w", q.name, err)
		}
	}
	r, err := h.replay(b.alpha)
	if err != nil {
		return fmt.Errorf("the template of -f: %w", err)
	}
	return b.tell(judged(h, r, gates, b.alpha), fmt.Sprintf("%s from %s to %s",
		redacted(b.prometheus), s.from.UTC().Format(time.RFC3339), s.end().UTC().Format(time.RFC3339)),
		"check that the queries select series (names, labels, --arm, --arg, -n) and that the canary ran then")
}

// add asks for one metric.
func (p past) add(ctx context.Context, q question, b *backtest, h *history, gates *[]gate) error {
	if q.threshold != nil || q.scalar != nil {
		g, err := p.gate(ctx, q, b.alpha)
		*gates = append(*gates, g)
		return err
	}
	s, err := p.history(ctx, q)
	s.NextWeight = float64(b.nextWeight) / wholeTraffic
	h.names, h.series = append(h.names, q.name), append(h.series, s)
	return err
}

// promises are the objectives of a template by the names of their metrics.
func promises(template v1alpha1.AnalysisTemplateSpec) (map[string]float64, error) {
	all := map[string]float64{}
	wanted, err := objectivesOf(template.Objectives)
	if err != nil {
		return nil, err
	}
	for _, o := range wanted {
		all[o.Name] = o.Good
	}
	for _, m := range template.Metrics {
		if m.Objective == "" {
			continue
		}
		share, err := asShare(string(m.Objective))
		if err != nil {
			return nil, fmt.Errorf("metric %q: objective: %w", m.Name, err)
		}
		all[m.Name] = share
	}
	return all, nil
}

// history is counts by metric.
type history struct {
	// block is how long each takes; 0 if nobody said. From is when they began, zero too.
	block time.Duration
	from  time.Time
	names []string
	// series are those of the names.
	series []stats.Series
}

// replay replays all metrics. The error names the one that can't be.
func (h history) replay(alpha float64) (stats.Replayed, error) {
	for i, s := range h.series {
		if _, err := stats.Replay([]stats.Series{s}, alpha); err != nil {
			return stats.Replayed{}, fmt.Errorf("metric %q: %w", h.names[i], err)
		}
	}
	return stats.Replay(h.series, alpha) //nolint:wrapcheck // each has been replayed without an error
}

// redacted is an address without the password that may stand in it.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the server"
	}
	return u.Redacted()
}
