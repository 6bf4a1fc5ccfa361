// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// maxMessage bounds what others say, in characters.
const maxMessage = 240

// sentence says what was counted of a metric and what it amounts to.
func sentence(in Input, j Judged, st v1alpha1.MetricStatus) string {
	switch {
	case idle(j, st):
		return "there is no stable revision to compare with, so it decides nothing"
	case st.Verdict == v1alpha1.MetricNoData:
		return fmt.Sprintf("no usable block for %s: %s", span(noDataTimeout(in.Spec)), lack(st))
	case st.Verdict == v1alpha1.MetricFailed:
		return seen(j, st) + "; " + accusation(in.Spec, j, st) + " → Abort"
	case st.Delayed != "":
		return "blocks wait to be counted: " + st.Delayed
	case st.Evidence == nil || st.Evidence.LastBlockEnd == nil:
		return "the first block is not over yet"
	case doubtful(st.Evidence):
		return fmt.Sprintf("%s; %s; nothing passes from %d on", seen(j, st), accusation(in.Spec, j, st), doubtAt)
	case incident(j, st.Evidence):
		sum, _ := unhealthy(j, st.Evidence)
		return fmt.Sprintf("BaselineUnhealthy: stable had %s bad (%s) in the last 5m, more than %d times what the objective leaves; an incident of both is no fault of the canary",
			percent(sum), fraction(sum), unhealthyBurn)
	case relapse(in.Spec, j, st.Evidence):
		sum, limit, _ := relapsed(in.Spec, j, st.Evidence)
		return fmt.Sprintf("%s; of late the canary had %s bad (%s in the last 5m), and passing needs less than %s", seen(j, st), percent(sum), fraction(sum), percentOf(limit))
	}
	return seen(j, st) + unseen(j, st.Evidence) + lastLack(st.Evidence) + "; " + outlook(in, j, st) + baseline(in, st)
}

// unseen says that nothing was ever bad, where that may be a slip: of a metric that
// a person wrote, bad that selects nothing looks like a service without a fault.
func unseen(j Judged, ev *v1alpha1.MetricEvidence) string {
	if j.Kind != Proportion || j.Metric.Name == "" || ev.BadSeen || ev.Usable < leastBlocks {
		return ""
	}
	return " (bad has selected no series yet, which counts as 0: check its spelling)"
}

// lack says why there is no usable block.
func lack(st v1alpha1.MetricStatus) string {
	switch ev := st.Evidence; {
	case st.Delayed != "":
		return "ProviderUnavailable: " + st.Delayed
	case ev == nil || len(ev.Blocks) == 0:
		return "NoSeries: nothing could be learned of it yet"
	default:
		last := ev.Blocks[len(ev.Blocks)-1]
		if last.Reason == "" {
			return "nothing was counted since " + last.At.UTC().Format(time.TimeOnly) + " UTC; look at the controller's log"
		}
		return fmt.Sprintf("%s: %s", last.Reason, last.Message)
	}
}

func lastLack(ev *v1alpha1.MetricEvidence) string {
	if last := ev.Blocks[len(ev.Blocks)-1]; last.Reason != "" {
		return fmt.Sprintf("; the last block is unusable (%s: %s)", last.Reason, last.Message)
	}
	return ""
}

// baseline says that stable has vanished, if it has.
func baseline(in Input, st v1alpha1.MetricStatus) string {
	ev := st.Evidence
	if ev.NoStable || in.Status.StartedAt == nil {
		return ""
	}
	since := in.Status.StartedAt.Add(in.Spec.WarmUp.Duration)
	if ev.StableAt != nil {
		since = ev.StableAt.Time
	}
	if in.Now.Before(since.Add(noDataTimeout(in.Spec) + lag(st))) {
		return ""
	}
	return fmt.Sprintf(" (NoBaseline: stable has had no series for %s; the canary is judged by the objective alone)", span(noDataTimeout(in.Spec)))
}

// seen gives both revisions' numbers since the start.
func seen(j Judged, st v1alpha1.MetricStatus) string {
	ev := st.Evidence
	if j.Kind == Scalar {
		last := ev.Blocks[len(ev.Blocks)-1]
		return fmt.Sprintf("canary %s, stable %s", orNone(last.Canary), orNone(last.Stable))
	}
	word := "bad"
	switch j.Kind {
	case Latency:
		word = "slower than " + exact(edge(ev, told(j, ev))) + j.edgeNote(ev)
	case Comparison:
		word = "slower than " + exact(edge(ev, 0)) + ", stable's median,"
	case Threshold, Scalar, Proportion, Job:
	}
	canary, _ := counts(ev.Canary)
	text := fmt.Sprintf("canary %s %s (%s)", percent(canary), word, fraction(canary))
	if ev.NoStable {
		return text
	}
	stable, _ := counts(ev.Stable)
	return fmt.Sprintf("%s, stable %s (%s)", text, percent(stable), fraction(stable))
}

// edgeNote says that no bucket ends at the objective, if none does.
func (j Judged) edgeNote(ev *v1alpha1.MetricEvidence) string {
	above, below := edge(ev, 0), edge(ev, 1)
	switch {
	case above == below:
		return ""
	case math.IsNaN(above):
		return fmt.Sprintf(" (no bucket ends at %s or above, so it can't fail; add one)", span(j.Within))
	case math.IsNaN(below):
		return fmt.Sprintf(" (no bucket ends at %s or below, so it can't pass; add one)", span(j.Within))
	}
	return fmt.Sprintf(" (no bucket ends at %s: it passes by %s and fails by %s; add one)", span(j.Within), exact(below), exact(above))
}

func orNone(text string) string {
	if text == "" {
		return "without a value"
	}
	return text
}

// accusation says how much evidence there is against the canary, and of what.
func accusation(spec v1alpha1.AnalysisRunSpec, j Judged, st v1alpha1.MetricStatus) string {
	r := rulesOf(spec.Judgement)
	value, _ := number(st.Evidence.Fail)
	return fmt.Sprintf("evidence %s of %s needed that canary exceeds %s", rounded(value), rounded(r.failAt()), charge(r, j, st.Evidence))
}

// charge is what the canary is accused of.
func charge(r rules, j Judged, ev *v1alpha1.MetricEvidence) string {
	if j.Kind == Scalar {
		return fmt.Sprintf("stable by more than %s", j.Metric.Scalar.Tolerance)
	}
	t, err := open(j, r, ev, 1)
	if err != nil {
		return "its limit"
	}
	if _, alone, _ := t.fails(); alone || ev.NoStable {
		return percentOf(r.burning(j).Absolute)
	}
	l := r.tolerance(j)
	return fmt.Sprintf("%s × stable + %s pp", exact(l.Ratio), plain(l.Absolute*100))
}

// outlook says what is missing for the next step, and how long that takes.
func outlook(in Input, j Judged, st v1alpha1.MetricStatus) string {
	ev := st.Evidence
	if st.Verdict == v1alpha1.MetricPassing {
		return "passed"
	}
	if j.Kind == Scalar {
		n := ev.Usable
		if in.Spec.Question != nil {
			n = ev.AskedBlocks
		}
		return fmt.Sprintf("%d of %d blocks", min(n, leastScalars), leastScalars)
	}
	asked := in.Spec.Question != nil
	have, _ := counts(ev.Canary)
	if asked {
		have, _ = counts(ev.AskedCanary)
	}
	t, err := open(j, rulesOf(in.Spec.Judgement), ev, nextWeight(in.Spec.Question))
	if err != nil {
		return err.Error()
	}
	more := t.remaining(asked)
	if math.IsInf(more, 1) {
		value, can := t.passes(asked)
		if !can {
			return "it can't pass"
		}
		return fmt.Sprintf("evidence %s of %s needed that canary stays below %s", rounded(value), rounded(passAt), limitText(rulesOf(in.Spec.Judgement).mustProve(j, nextWeight(in.Spec.Question))))
	}
	if more <= 0 {
		return awaited(ev, asked)
	}
	return fmt.Sprintf("%s of about %s requests%s", rounded(have.Total), rounded(math.Ceil(have.Total+more)), eta(ev, more))
}

// awaited says what is missing when requests are not: a second block, or one that
// speaks for now.
func awaited(ev *v1alpha1.MetricEvidence, asked bool) string {
	n := ev.Usable
	if asked {
		n = ev.AskedBlocks
	}
	if n < leastBlocks {
		return fmt.Sprintf("%d of %d blocks", n, leastBlocks)
	}
	return "the requests suffice, and a block of now is awaited"
}

func limitText(l stats.Limit) string {
	if l.Ratio == 0 {
		return percentOf(l.Absolute)
	}
	return fmt.Sprintf("%s × stable + %s pp", exact(l.Ratio), plain(l.Absolute*100))
}

// eta says how long a number of requests takes at the rate of the latest blocks.
func eta(ev *v1alpha1.MetricEvidence, requests float64) string {
	d, ok := stats.ETA(requests, rateOf(ev))
	if !ok {
		return ", no ETA: the canary gets no requests"
	}
	if d > 2*time.Minute {
		d = d.Round(time.Minute)
	}
	return ", ETA " + duration(d)
}

// duration writes a time as people say it: 13 min.
func duration(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 3*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(math.Round(d.Hours())))
}

// bound says what is known of a canary that has not passed: the bound that a
// step goes on with.
func bound(j Judged, st v1alpha1.MetricStatus) string {
	ev := st.Evidence
	if ev == nil || j.Kind == Scalar || !j.Counted() {
		return ""
	}
	c, _ := counts(ev.AskedCanary)
	phi, ok := number(ev.Noise)
	if !ok {
		return ""
	}
	return fmt.Sprintf("; %s bad of %s, so its rate is below %s with 95 %% confidence",
		rounded(c.Bad), rounded(c.Total), percentOf(stats.Upper(c, stats.MissRate, phi)))
}

// percent of a count: 0.92 %.
func percent(c stats.Counts) string {
	if c.Total <= 0 {
		return "0 %"
	}
	return percentOf(c.Bad / c.Total)
}

func percentOf(share float64) string { return plain(share*100) + " %" }

func fraction(c stats.Counts) string { return rounded(c.Bad) + "/" + rounded(c.Total) }

// plain writes a number with two decimals, and with more only below them.
func plain(v float64) string {
	if v != 0 && math.Abs(v) < 0.01 {
		return exact(digits(v, 2))
	}
	return exact(math.Round(v*100) / 100)
}

// rounded writes evidence and counts: whole from 10 on, with two digits below.
func rounded(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v >= 10:
		return exact(math.Floor(v + 1e-9))
	}
	return exact(digits(v, 2))
}

func digits(v float64, n int) float64 {
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', n, 64), 64)
	return short
}

func clip(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return text
}
