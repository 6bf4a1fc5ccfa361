// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// replayed is a history with what came of it.
type replayed struct {
	history
	stats.Replayed
	gates []gate
	alpha float64
	// passing, failedAt and passedAt are of evidence and gates together.
	passing            []bool
	failedAt, passedAt int
}

// judged puts evidence and gates together.
func judged(h history, r stats.Replayed, gates []gate, alpha float64) replayed {
	out := replayed{history: h, Replayed: r, gates: gates, alpha: alpha, failedAt: r.FailedAt}
	length := len(r.Combined)
	for _, g := range gates {
		length = max(length, len(g.passing))
		if g.failedAt > 0 && (out.failedAt == 0 || g.failedAt < out.failedAt) {
			out.failedAt = g.failedAt
		}
	}
	for k := range length {
		out.passing = append(out.passing, out.passes(k))
	}
	if breaks := 1 + lastIndex(out.passing, false); breaks < length {
		out.passedAt = breaks + 1
	}
	return out
}

// passes reports whether evidence and gates all pass after a block, from 0.
func (r replayed) passes(k int) bool {
	passes := len(r.Trails) == 0 || k < len(r.Passing) && r.Passing[k]
	for _, g := range r.gates {
		passes = passes && k < len(g.passing) && g.passing[k]
	}
	return passes
}

func lastIndex(all []bool, of bool) int {
	for i, x := range slices.Backward(all) {
		if x == of {
			return i
		}
	}
	return -1
}

// empty are the metrics without a single usable block: there was nothing to
// judge, which is not the same as too little.
func (r replayed) empty() []string {
	var names []string
	for i, t := range r.Trails {
		if len(t.Unusable) == len(t.Fail) {
			names = append(names, r.names[i])
		}
	}
	for _, g := range r.gates {
		if !slices.ContainsFunc(g.canary, func(x string) bool { return x != noValue }) {
			names = append(names, g.name)
		}
	}
	return names
}

// tell prints what came of a replay of a source, and gives the exit code. The
// remedy is for a source that holds nothing.
func (b *backtest) tell(r replayed, source, remedy string) error {
	if names := r.empty(); len(names) > 0 && r.phase() != v1alpha1.AnalysisFailed {
		return fmt.Errorf("metric %s: there is no data in %s, so there is nothing to judge; %s", strings.Join(names, ", "), source, remedy)
	}
	for i, t := range r.Trails {
		if len(t.Unusable) > 0 {
			fmt.Fprintf(b.Err, "warning: %s: %d of %s without usable counts, the first is block %d; they change nothing\n",
				r.names[i], len(t.Unusable), count(int32(len(t.Fail)), "block", "blocks"), t.Unusable[0])
		}
	}
	write := r.print
	if b.format == formatJSON {
		write = r.write
	}
	if err := write(b.Out); err != nil {
		return err
	}
	switch r.phase() {
	case v1alpha1.AnalysisFailed:
		return exit{code: ExitFailed}
	case v1alpha1.AnalysisPassed:
		return nil
	default:
		return exit{code: ExitInconclusive}
	}
}

// at is the verdict as it was after a block, from 0; the one after the last is the verdict.
func (r replayed) at(k int) v1alpha1.AnalysisPhase {
	switch {
	case r.failedAt > 0 && k+1 >= r.failedAt:
		return v1alpha1.AnalysisFailed
	case k >= 0 && r.passing[k]:
		return v1alpha1.AnalysisPassed
	}
	return v1alpha1.AnalysisInconclusive
}

func (r replayed) phase() v1alpha1.AnalysisPhase { return r.at(len(r.passing) - 1) }

// write is for programs.
func (r replayed) write(to io.Writer) error {
	type trail struct {
		Fail []float64 `json:"fail"`
		Pass []float64 `json:"pass"`
	}
	out := struct {
		Verdict        v1alpha1.AnalysisPhase `json:"verdict"`
		DecidedAtBlock int                    `json:"decidedAtBlock"`
		Metrics        map[string]trail       `json:"metrics"`
	}{Verdict: r.phase(), DecidedAtBlock: r.failedAt, Metrics: map[string]trail{}}
	if r.failedAt == 0 {
		out.DecidedAtBlock = r.passedAt
	}
	for i, t := range r.Trails {
		out.Metrics[r.names[i]] = trail{Fail: append([]float64{}, t.Fail...), Pass: append([]float64{}, t.Pass...)}
	}
	for _, g := range r.gates {
		out.Metrics[g.name] = trail{Fail: append([]float64{}, g.fail...), Pass: append([]float64{}, g.pass...)}
	}
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return fmt.Errorf("write the verdict: %w", err)
	}
	return nil
}

// print writes a line for each block and metric, and the verdict below.
func (r replayed) print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BLOCK\tEND\tMETRIC\tCANARY\tSTABLE\tTO FAIL\tTO PASS\tVERDICT")
	for k := range r.passing {
		for i, t := range r.Trails {
			if k >= len(t.Fail) {
				continue
			}
			b := r.series[i].Blocks[k]
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k+1, r.end(k), r.names[i],
				counted(b.Canary), counted(b.Stable), evidence(t.Fail[k]), evidence(t.Pass[k]), r.at(k))
		}
		for _, g := range r.gates {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k+1, r.end(k), g.name, g.canary[k], g.stable[k], evidence(g.fail[k]), evidence(g.pass[k]), r.at(k))
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the blocks: %w", err)
	}
	fmt.Fprintln(to)
	for _, line := range r.words() {
		fmt.Fprintln(to, line)
	}
	return nil
}

// end is when a block, from 0, ends.
func (r replayed) end(k int) string {
	if r.block <= 0 {
		return "-"
	}
	after := time.Duration(k+1) * r.block
	if !r.from.IsZero() {
		return r.from.Add(after).UTC().Format(time.RFC3339)
	}
	return after.String()
}

// words are the verdict and why, with the numbers.
func (r replayed) words() []string {
	blocks := len(r.passing)
	switch r.phase() {
	case v1alpha1.AnalysisFailed:
		return append([]string{fmt.Sprintf("Failed at block %d of %d:", r.failedAt, blocks)}, r.blame()...)
	case v1alpha1.AnalysisPassed:
		return append([]string{fmt.Sprintf("Passed: holds from block %d to the last, %d:", r.passedAt, blocks)}, r.standing()...)
	default:
		return append([]string{fmt.Sprintf("Inconclusive after %d blocks:", blocks)}, r.standing()...)
	}
}

// blame says what failed at the block that decided.
func (r replayed) blame() []string {
	var lines []string
	if r.FailedAt == r.failedAt {
		lines = append(lines, "  "+r.failing(r.Culprit))
		if len(r.names) > 1 {
			lines = append(lines, fmt.Sprintf("  evidence %s of %s needed from %d metrics together, most of it from %s",
				evidence(r.Combined[r.FailedAt-1]), evidence(1/r.alpha), len(r.names), r.names[r.Culprit]))
		}
	}
	for _, g := range r.gates {
		if g.failedAt == r.failedAt {
			lines = append(lines, fmt.Sprintf("  %s: canary %s; %s → Abort", g.name, g.canary[g.failedAt-1], g.needed))
		}
	}
	return lines
}

// standing says of every metric what is known in the end.
func (r replayed) standing() []string {
	lines := r.proven()
	for _, g := range r.gates {
		text, last := "  "+g.name+": canary "+g.canary[len(g.canary)-1], g.stable[len(g.stable)-1]
		if last != "" {
			text += ", stable " + last
		}
		lines = append(lines, text+"; "+g.needed)
	}
	return lines
}

// failing says of a metric why it fails, as of the block that decided.
func (r replayed) failing(i int) string {
	t, k := r.Trails[i], min(r.FailedAt, len(r.Trails[i].Fail))
	out := r.rates(i, k)
	out += fmt.Sprintf("; evidence %s", evidence(t.Fail[k-1]))
	if len(r.names) == 1 {
		out += fmt.Sprintf(" of %s needed", evidence(1/r.alpha))
	}
	return out + " that canary exceeds " + line(t.FailLimit) + " → Abort"
}

// proven says of each metric that counts what is proven in the end.
func (r replayed) proven() []string {
	var lines []string
	for i, t := range r.Trails {
		if len(t.Pass) == 0 {
			lines = append(lines, fmt.Sprintf("  %s: no blocks", r.names[i]))
			continue
		}
		out := "  " + r.rates(i, len(t.Pass))
		out += fmt.Sprintf("; evidence %s of %s needed that canary is under %s", evidence(t.Pass[len(t.Pass)-1]), evidence(1/stats.MissRate), line(t.PassLimit))
		if last := t.Fail[len(t.Fail)-1]; last >= 1 {
			out += fmt.Sprintf(", and %s of %s that it exceeds %s", evidence(last), evidence(1/r.alpha), line(t.FailLimit))
		}
		if need := stats.Required(t.PassLimit, stats.MissRate, t.Phi); t.Pass[len(t.Pass)-1] < 1/stats.MissRate && !math.IsInf(need, 0) {
			out += fmt.Sprintf("; about %.0f requests without a bad one suffice", math.Ceil(need))
		}
		lines = append(lines, out)
	}
	return lines
}

// rates says what the arms did in the first blocks.
func (r replayed) rates(i, blocks int) string {
	var canary, stable stats.Counts
	for _, b := range r.series[i].Blocks[:blocks] {
		if b.Canary.Valid() != nil || b.Stable.Valid() != nil {
			continue
		}
		canary = stats.Counts{Bad: canary.Bad + b.Canary.Bad, Total: canary.Total + b.Canary.Total}
		stable = stats.Counts{Bad: stable.Bad + b.Stable.Bad, Total: stable.Total + b.Stable.Total}
	}
	out := fmt.Sprintf("%s: canary %s", r.names[i], share(canary))
	if stable.Total > 0 {
		out += ", stable " + share(stable)
	} else {
		out += ", no stable"
	}
	return out
}

// share is a rate with its counts, such as 0.92 % bad (11/1190).
func share(c stats.Counts) string {
	if c.Total <= 0 {
		return "no requests"
	}
	return fmt.Sprintf("%s %% bad (%s)", digits(100*c.Bad/c.Total, 2), counted(c))
}

func counted(c stats.Counts) string {
	if c.Valid() != nil {
		return "unusable"
	}
	return strconv.FormatFloat(c.Bad, 'f', -1, 64) + "/" + strconv.FormatFloat(c.Total, 'f', -1, 64)
}

// line is a limit in words, such as 1.5 × stable + 0.05 pp.
func line(l stats.Limit) string {
	absolute := digits(100*l.Absolute, significant)
	if l.Ratio == 0 {
		return absolute + " %"
	}
	return fmt.Sprintf("%s × stable + %s pp", digits(l.Ratio, significant), absolute)
}

// evidence has as many digits as people read.
func evidence(m float64) string { return digits(m, significant) }

// digits writes a number with some significant digits and no zeros behind them.
func digits(f float64, n int) string {
	text := strconv.FormatFloat(f, 'g', n, 64)
	if short, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(short) < 1e6 && (short == 0 || math.Abs(short) >= 1e-4) {
		text = strconv.FormatFloat(short, 'f', -1, 64)
	}
	return strings.TrimSpace(text)
}
