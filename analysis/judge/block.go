// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package judge

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis/stats"
	"github.com/sluice-dev/sluice/apis/v1alpha1"
)

// Count is what a source said to one question: a number, or why there is none,
// or nothing at all.
type Count struct {
	// Value, if Known.
	Value float64
	// Known is true when there is a number.
	Known bool
	// Message says why an answer can't be used.
	Message string
}

// Arm is what was counted of one revision within a block.
type Arm struct {
	// Total is the number of events, or the value of a scalar.
	Total Count
	// Bad are those that were bad: one number, or one for each edge.
	Bad []Count
}

// Block is what was counted between two points in time.
type Block struct {
	// End of the block.
	End time.Time
	// Canary and Stable are the two revisions. Stable is empty when there is none.
	Canary, Stable Arm
}

const (
	// recentParts are those of the last five minutes in which stable is looked at.
	recentParts = 5
	recentPart  = time.Minute
	// unhealthyBurn and unhealthyBad tell an incident of stable's own.
	unhealthyBurn = 6
	unhealthyBad  = 10
	// implausible is how many times the usual number of requests can't be, once
	// there are unusualFrom requests or more in a block.
	implausible = 20
	unusualFrom = 1000
	// usualFrom is how many blocks tell what is usual.
	usualFrom = 3
)

// read applies the rules of data quality to a block: a sample, or the one
// reason why it gives none.
func read(j Judged, ev *v1alpha1.MetricEvidence, b Block) (s sample, reason v1alpha1.BlockReason, message string) {
	if why := useless(b, ev.NoStable); why != "" {
		return s, v1alpha1.BlockInvalidSample, why
	}
	if !b.Canary.Total.Known {
		return s, v1alpha1.BlockNoSeries, "the canary has no series yet; check that it is scraped, and the labels that the selectors ask for"
	}
	s.canary, s.stable = b.Canary.Total.Value, b.Stable.Total.Value
	if j.Kind == Scalar {
		if !b.Stable.Total.Known {
			return s, v1alpha1.BlockNoBaseline, "stable has no value to compare with"
		}
		return s, "", ""
	}
	for i := range edges(j, ev) {
		s.canaryBad[i], s.stableBad[i] = bad(b.Canary, i), bad(b.Stable, i)
		for _, c := range []stats.Counts{{Bad: s.canaryBad[i], Total: s.canary}, {Bad: s.stableBad[i], Total: s.stable}} {
			if c.Valid() != nil {
				return s, v1alpha1.BlockInvalidSample, fmt.Sprintf("%s bad of %s are no counts; check that bad selects part of what total selects", exact(c.Bad), exact(c.Total))
			}
		}
	}
	switch {
	case s.canary == 0:
		return s, v1alpha1.BlockNoTraffic, "the canary got no request"
	case unusual(ev, s.canary):
		return s, v1alpha1.BlockImplausibleCount, fmt.Sprintf("%s requests are more than %d times the usual number", exact(s.canary), implausible)
	}
	return s, "", ""
}

// useless says why an answer can't be used, if one of them can't.
func useless(b Block, noStable bool) string {
	arms := []Arm{b.Canary}
	if !noStable {
		arms = append(arms, b.Stable)
	}
	for _, a := range arms {
		for _, c := range append([]Count{a.Total}, a.Bad...) {
			if c.Message != "" {
				return c.Message
			}
			if c.Known && (math.IsNaN(c.Value) || math.IsInf(c.Value, 0)) {
				return fmt.Sprintf("%v is no count", c.Value)
			}
		}
	}
	return ""
}

// bad is the number of bad events; where nothing was ever bad there is no series, which is 0.
func bad(a Arm, i int) float64 {
	if i >= len(a.Bad) || !a.Bad[i].Known {
		return 0
	}
	return a.Bad[i].Value
}

func badSeen(a Arm) bool { return len(a.Bad) > 0 && a.Bad[0].Known }

// told is the edge whose counts are shown: the one that fails a canary or, where
// no bucket ends that high, the one that passes it.
func told(j Judged, ev *v1alpha1.MetricEvidence) int {
	if j.Kind == Latency && math.IsNaN(edge(ev, 0)) {
		return 1
	}
	return 0
}

// by is a block with the counts of one edge first.
func (b Block) by(edge int) Block {
	for _, a := range []*Arm{&b.Canary, &b.Stable} {
		if edge > 0 && edge < len(a.Bad) {
			a.Bad = a.Bad[edge:]
		}
	}
	return b
}

// edges is how many bad counts a block of a metric has.
func edges(j Judged, ev *v1alpha1.MetricEvidence) int {
	if j.Kind == Latency || j.Kind == Comparison {
		return min(len(ev.Edges), len(sample{}.canaryBad))
	}
	return 1
}

// unusual reports whether a canary's requests can't be: many times what both
// revisions together had in most of the last blocks. A new weight moves requests
// from one to the other, so it never looks like that. Nor does what was counted
// after a silence: when samples were not taken for a while, the first block after
// that has the requests of all the silent ones.
func unusual(ev *v1alpha1.MetricEvidence, canary float64) bool {
	var sums []float64
	silent := 0.0
	for _, b := range ev.Blocks {
		c, okC := counts(b.Canary)
		s, _ := counts(b.Stable)
		if !okC {
			continue
		}
		if silent++; c.Total+s.Total > 0 {
			sums, silent = append(sums, c.Total+s.Total), 0
		}
	}
	if len(sums) < usualFrom || canary < unusualFrom {
		return false
	}
	slices.Sort(sums)
	return canary > implausible*(1+silent)*sums[len(sums)/2]
}

// FoldBlock adds a block to the evidence of a metric. One that is not newer
// than the latest is in there already and changes nothing.
func FoldBlock(spec v1alpha1.AnalysisRunSpec, j Judged, st v1alpha1.MetricStatus, b Block) (v1alpha1.MetricStatus, error) {
	ev := st.Evidence.DeepCopy()
	if ev == nil || ev.LastBlockEnd != nil && !b.End.After(ev.LastBlockEnd.Time) {
		return st, nil
	}
	renew(ev, spec.Question)
	t, err := open(j, rulesOf(spec.Judgement), ev, nextWeight(spec.Question))
	if err != nil {
		return st, err
	}
	end := metav1.NewTime(b.End)
	s, reason, message := read(j, ev, b)
	if reason == "" {
		s.asked = ev.Asked != nil && !b.End.Add(-ev.Block.Duration).Before(ev.Asked.Time)
		if err := count(t, ev, &s); err != nil {
			reason, message = v1alpha1.BlockInvalidSample, err.Error()
		}
	}
	remember(ev, b.by(told(j, ev)), reason, message)
	ev.LastBlockEnd = &end
	if b.Stable.Total.Known {
		ev.StableAt = &end
	}
	ev.BadSeen = ev.BadSeen || badSeen(b.Canary) || badSeen(b.Stable)
	if reason != "" {
		ev.Unusable++
	} else {
		ev.Usable, ev.UsableAt = ev.Usable+1, &end
	}
	show(ev, t)
	st.Evidence, st.Delayed = ev, ""
	return st, nil
}

// renew begins evidence of its own for a question that was not asked before.
func renew(ev *v1alpha1.MetricEvidence, q *v1alpha1.Question) {
	switch {
	case q == nil:
		ev.Asked, ev.AskedCanary, ev.AskedBlocks = nil, "", 0
	case ev.Asked == nil || !ev.Asked.Equal(&q.Since):
		ev.Asked, ev.AskedCanary, ev.AskedBlocks = q.Since.DeepCopy(), "", 0
	default:
		return
	}
	for i := ofTest - 1; i < len(ev.State); i += ofTest { // the last of each test
		ev.State[i] = ""
	}
}

func nextWeight(q *v1alpha1.Question) float64 {
	if q == nil || q.NextWeight <= 0 {
		return 1
	}
	return float64(q.NextWeight) / 100
}

// count takes a sample into the processes and the sums.
func count(t *tally, ev *v1alpha1.MetricEvidence, s *sample) error {
	if t.sign != nil {
		if err := t.sign.Update(s.canary, s.stable); err != nil {
			return err
		}
	} else if err := t.take(s); err != nil {
		return err
	}
	if s.asked {
		ev.AskedBlocks++
	}
	if t.sign != nil {
		return nil
	}
	i := t.tests[0].failBad
	if t.tests[0].fail == nil {
		i = t.tests[0].passBad
	}
	ev.Canary = add(ev.Canary, stats.Counts{Bad: s.canaryBad[i], Total: s.canary})
	ev.Stable = add(ev.Stable, stats.Counts{Bad: s.stableBad[i], Total: s.stable})
	if s.asked {
		ev.AskedCanary = add(ev.AskedCanary, stats.Counts{Bad: s.canaryBad[t.tests[0].passBad], Total: s.canary})
	}
	return nil
}

// remember keeps the block among the latest ones, and its counts among those of
// the last five minutes.
func remember(ev *v1alpha1.MetricEvidence, b Block, reason v1alpha1.BlockReason, message string) {
	for i := range ev.Blocks {
		ev.Blocks[i].Message = ""
	}
	kept := v1alpha1.BlockStatus{At: metav1.NewTime(b.End), Reason: reason, Message: clip(message), Canary: firstOf(b.Canary), Stable: firstOf(b.Stable)}
	ev.Blocks = append(ev.Blocks, kept)
	ev.Blocks = slices.Clone(ev.Blocks[max(0, len(ev.Blocks)-keptBlocks):])
	part := v1alpha1.BlockStatus{At: metav1.NewTime(b.End.Truncate(recentPart))}
	if n := len(ev.Recent); n > 0 && ev.Recent[n-1].At.Equal(&part.At) {
		part, ev.Recent = ev.Recent[n-1], slices.Clone(ev.Recent[:n-1])
	}
	if s, ok := counts(kept.Stable); ok && s.Valid() == nil {
		part.Stable = add(part.Stable, s)
	}
	if c, ok := counts(kept.Canary); ok && reason == "" {
		part.Canary = add(part.Canary, c)
	}
	if part.Canary+part.Stable != "" {
		ev.Recent = append(ev.Recent, part)
	}
	oldest := b.End.Add(-recentParts * recentPart)
	ev.Recent = slices.DeleteFunc(ev.Recent, func(r v1alpha1.BlockStatus) bool { return r.At.Time.Before(oldest) })
}

// recent is what both revisions had in the last five minutes.
func recent(ev *v1alpha1.MetricEvidence) (canary, stable stats.Counts) {
	for _, r := range ev.Recent {
		c, _ := counts(r.Canary)
		s, _ := counts(r.Stable)
		canary.Bad, canary.Total = canary.Bad+c.Bad, canary.Total+c.Total
		stable.Bad, stable.Total = stable.Bad+s.Bad, stable.Total+s.Total
	}
	return canary, stable
}

// unhealthy gives what stable had in the last five minutes when that is an
// incident of its own.
func unhealthy(j Judged, ev *v1alpha1.MetricEvidence) (stats.Counts, bool) {
	_, sum := recent(ev)
	return sum, j.Good > 0 && !ev.NoStable && sum.Bad >= unhealthyBad && sum.Bad > unhealthyBurn*j.budget()*sum.Total
}

// relapsed gives what the canary had in the last five minutes when that alone is
// beyond what passing needs. What was proven in the hours before says nothing
// about now.
func relapsed(spec v1alpha1.AnalysisRunSpec, j Judged, ev *v1alpha1.MetricEvidence) (sum stats.Counts, limit float64, is bool) {
	sum, _ = recent(ev)
	limit = rulesOf(spec.Judgement).mustProve(j, nextWeight(spec.Question)).Absolute
	return sum, limit, j.Good > 0 && sum.Bad >= unhealthyBad && sum.Bad > limit*sum.Total
}

// keptBlocks is how many blocks a status holds.
const keptBlocks = 8

// firstOf writes the first count of an arm: bad/total, or a value.
func firstOf(a Arm) string {
	switch {
	case !a.Total.Known:
		return ""
	case len(a.Bad) == 0:
		return exact(a.Total.Value)
	}
	return exact(bad(a, 0)) + "/" + exact(a.Total.Value)
}

// counts reads bad/total.
func counts(text string) (stats.Counts, bool) {
	b, t, found := strings.Cut(text, "/")
	bad, okBad := number(b)
	total, okTotal := number(t)
	return stats.Counts{Bad: bad, Total: total}, found && okBad && okTotal
}

func add(text string, c stats.Counts) string {
	sum, _ := counts(text)
	return exact(sum.Bad+c.Bad) + "/" + exact(sum.Total+c.Total)
}

// show puts the processes and what they amount to into the status.
func show(ev *v1alpha1.MetricEvidence, t *tally) {
	ev.State = t.state()
	ev.Fail, ev.Pass = "", ""
	if value, _, can := t.fails(); can {
		ev.Fail = strconv.FormatFloat(value, 'g', -1, 64)
	}
	if value, can := t.passes(ev.Asked != nil); can && t.sign == nil {
		ev.Pass = strconv.FormatFloat(value, 'g', -1, 64)
	}
}
